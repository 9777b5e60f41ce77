# Before the change: record the host, install packages, stage the new files.

# prepare TX: standard input is the manifest of what will be managed, and the packages to install. Records the host as
# it is, so that generation 0 can restore it, then installs.
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
    # An entry missed here would be missing from generation 0.
    [ "$whole" = yes ] || die protocol "the stream ended early"
    refuse_untrusted "$state/tx/$1/wanted"
    if is_as_before_hactl || [ ! -f "$state/generations/0/manifest" ]; then
        record_original "$state/tx/$1"
    else
        # Paths of the live generation were recorded when it was applied. The rest is recorded now.
        capture_missing "$state/tx/$1/wanted" "$state/generations/0"
    fi
    # shellcheck disable=SC2086
    [ -z "$packages" ] || install_packages "$1" $packages
    finish
}

# is_as_before_hactl: true if nothing of hactl's is in place: no generation is live, and no package is left from an
# abandoned change, whose files an earlier record lists as absent.
is_as_before_hactl() {
    [ ! -e "$state/live" ] && [ ! -L "$state/live" ] && [ ! -s "$state/packages" ] || return 1
    for left in "$state"/tx/*/packages-before "$state"/tx/*/packages; do
        [ ! -s "$left" ] || return 1
    done
}

# record_original DIR: records generation 0 anew, for the paths in DIR/wanted. Without a live generation, nothing
# needs the previous record. The new one is completed in DIR before it replaces the old one. If this is interrupted,
# the next call starts over.
record_original() {
    rm -rf "$1/original" "$1/original-before"
    mkdir -p "$1/original" "$state/generations" &&
        printf 'generation\t0\napplied_at\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$1/original/manifest" ||
        die disk "cannot write in $1: $(space "$state")"
    capture_missing "$1/wanted" "$1/original"
    [ ! -e "$state/generations/0" ] || mv -T "$state/generations/0" "$1/original-before" &&
        mv -T "$1/original" "$state/generations/0" || die disk "cannot write in $state/generations: $(space "$state")"
    sync "$state/generations" || :
    rm -rf "$1/original-before"
}

# package_manager: sets manager to the one that this host has, of those that hactl supports. Each has a file of its
# own with the same functions: MANAGER_candidate NAME, _installed, _install NAME..., _purge NAME... and _sweep, which
# cleans up after an _install that was killed.
managers='apt dnf'
package_manager() {
    for manager in $managers; do
        if "${manager}_is_here"; then return 0; fi
    done
    manager=''
    return 1
}

# sweep_packages: see package_manager.
sweep_packages() { ! package_manager || "${manager}_sweep"; }

# install_packages TX NAME...: installs them without starting any service.
install_packages() {
    into=$state/tx/$1
    shift
    package_manager || die no-package-manager "cannot install $* here: hactl supports apt, dnf and yum, and this host has none of them"
    "${manager}_installed" >"$into/packages-before"
    "${manager}_install" "$@"
    note_packages "$into"
    [ "$code" -eq 0 ] || die packages "$manager cannot install $*" "$output"
    while read -r name; do say package "$name"; done <"$into/packages"
}

# note_packages DIR: records which packages were added since packages-before was written there.
note_packages() {
    package_manager || return 0
    "${manager}_installed" >"$1/packages-after"
    comm -13 "$1/packages-before" "$1/packages-after" >>"$state/packages"
    comm -13 "$1/packages-before" "$1/packages-after" | put "$1/packages"
    rm -f "$1/packages-before"
}

# remove_packages FILE: purges the packages that it lists, which hactl installed.
remove_packages() {
    [ -s "$1" ] || return 0
    # shellcheck disable=SC2046 # names of packages are words
    if ! package_manager; then
        note packages "cannot remove $(tr '\n' ' ' <"$1")here: hactl supports apt, dnf and yum, and this host has none of them"
    elif ! output=$("${manager}_purge" $(cat "$1") 2>&1); then
        note packages "$manager cannot remove packages: $output"
    fi
    if [ -f "$state/packages" ]; then
        grep -vxFf "$1" "$state/packages" >"$state/packages.new"
        mv -f "$state/packages.new" "$state/packages"
    fi
    rm -f "$1"
}

# stage TX: receives the tree from standard input and keeps it for activation. Nothing live changes.
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

# check_writable DIR: detects folders that cannot be written to before activation does.
check_writable() {
    checked=' ' files='' unwritable=''
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        existing_dir "$path"
        case $checked in *" $dir "*) continue ;; esac
        checked="$checked$dir "
        probe=$(mktemp "${dir:-/}/.hactl.XXXXXX" 2>&1) || { unwritable=${dir:-/} && break; }
        files=$files$probe$newline
    done <"$1/manifest"
    split_lines
    # shellcheck disable=SC2086 # a path a line
    rm -f -- $files
    split_words
    [ -z "$unwritable" ] || die read-only "cannot write in $unwritable: ${probe##*: }"
    refuse_fixed "$1/manifest"
}

