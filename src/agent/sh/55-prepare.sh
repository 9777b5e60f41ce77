# Before the change: the host as it is, its packages, the files to come.

# prepare TX: standard input is the manifest of what will be managed, and the packages to install.
# Records the host as it is, so that generation 0 can bring it back, then installs.
prepare() {
    change_id "$1"
    with_mutex
    must_hold "$1"
    refuse_unfinished
    mkdir -p "$state/tx/$1" || die disk "cannot create $state/tx/$1: $(space "$state")"
    packages='' whole=no
    true >"$state/tx/$1/wanted" || die disk "cannot write in $state: $(space "$state")"
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        package) packages="$packages $a" ;;
        end)
            whole=yes
            break
            ;;
        *) printf '%s\n' "$kind${a:+$tab$a}${b:+$tab$b}${c:+$tab$c}${d:+$tab$d}${e:+$tab$e}${f:+$tab$f}" >>"$state/tx/$1/wanted" ;;
        esac || die disk "cannot write in $state: $(space "$state")"
    done
    # What is missed here would be missing in generation 0 for ever.
    [ "$whole" = yes ] || die protocol "the stream ended early"
    refuse_untrusted "$state/tx/$1/wanted"
    if [ ! -f "$state/generations/0/manifest" ]; then
        mkdir -p "$state/generations/0/files" &&
            printf 'generation\t0\napplied_at\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" | put "$state/generations/0/manifest" ||
            die disk "cannot write $state/generations/0/manifest: $(space "$state")"
    fi
    # What a live generation manages was recorded when it came; the rest is recorded now.
    capture_missing "$state/tx/$1/wanted" "$state/generations/0"
    # shellcheck disable=SC2086
    [ -z "$packages" ] || install_packages "$1" $packages
    finish
}

installed_packages() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | grep '^ii ' | cut -d ' ' -f 3 | sort; }

# forget_policy: removes what install_packages made, unless it is at work.
policy=/usr/sbin/policy-rc.d
forget_policy() {
    if grep -q '^# hactl: ' "$policy" 2>/dev/null; then rm -f "$policy"; fi
}

# install_packages TX NAME...: without starting any service (policy-rc.d, invoke-rc.d(8)). Should we
# die before we remove that policy, it forbids nothing any more.
install_packages() {
    into=$state/tx/$1
    shift
    command -v apt-get >/dev/null 2>&1 || die no-apt "cannot install $* here: there is no apt-get"
    installed_packages >"$into/packages-before"
    forget_policy
    if [ ! -e "$policy" ]; then
        # -C: a link in its place, even one to nowhere, is not followed.
        (set -C && printf '#!/bin/sh\n# hactl: no service starts while process %s installs packages\n[ ! -d /proc/%s ] || exit 101\n' "$$" "$$" \
            >"$policy") && chmod 755 "$policy" || die write "cannot write $policy"
    fi
    output=$(
        umask 022
        apt-get update 2>&1
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold "$@" 2>&1
    )
    code=$?
    forget_policy
    note_packages "$into"
    [ "$code" -eq 0 ] || die packages "apt-get cannot install $*" "$output"
    while read -r name; do say package "$name"; done <"$into/packages"
}

# note_packages DIR: which packages came since packages-before was written there.
note_packages() {
    installed_packages >"$1/packages-after"
    comm -13 "$1/packages-before" "$1/packages-after" >>"$state/packages"
    comm -13 "$1/packages-before" "$1/packages-after" | put "$1/packages"
    rm -f "$1/packages-before"
}

# remove_packages FILE: purges those that hactl installed.
remove_packages() {
    [ -s "$1" ] || return 0
    # shellcheck disable=SC2046
    output=$(DEBIAN_FRONTEND=noninteractive dpkg --purge $(cat "$1") 2>&1) || note packages "dpkg cannot purge: $output"
    if [ -f "$state/packages" ]; then
        grep -vxFf "$1" "$state/packages" >"$state/packages.new"
        mv -f "$state/packages.new" "$state/packages"
    fi
    rm -f "$1"
}

# stage TX: the tree from standard input, kept for activation. Nothing live changes.
stage() {
    change_id "$1"
    with_mutex
    must_hold "$1"
    refuse_unfinished
    rm -rf "$state/tx/$1/new"
    receive_tree "$state/tx/$1/new"
    check_writable "$state/tx/$1/new"
    sync_tree "$state/tx/$1"
    finish
}

# check_writable DIR: a folder that cannot be written is better found now than while activating.
check_writable() {
    checked=''
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        existing_dir "$path"
        case " $checked " in *" $dir "*) continue ;; esac
        checked="$checked $dir"
        probe=$(mktemp "${dir:-/}/.hactl.XXXXXX" 2>&1) || die read-only "cannot write in ${dir:-/}: ${probe##*: }"
        rm -f -- "$probe"
    done <"$1/manifest"
    refuse_fixed "$1/manifest"
}

