# Validation: a tree as the daemons would see it at its real paths, in a mount namespace of its own,
# so that includes resolve and the host is left untouched.

# in_private_mounts VERB [ARGUMENT...]: runs this program again in a mount namespace of its own.
in_private_mounts() {
    command -v unshare >/dev/null 2>&1 || die lacking "unshare is missing: install util-linux"
    exec 4<&0
    # As a stream: one argument may have 128 KiB, which this text has outgrown.
    # shellcheck disable=SC2016,SC2154 # the inner shell expands it; the call's first step received it
    printf '%s\n' "$script" |
        unshare -m /bin/sh -c 'script=$(cat); exec <&4 4<&-; eval "$script"' hactl-agent "$@"
    exit
}

# validate_inside [DIR]: within that namespace. Without DIR the tree comes on standard input and
# never touches a disk of the host's.
validate_inside() {
    # -n: no note of these mounts under /run/mount, which is the host's.
    mount -n --make-rprivate / || die mount "cannot make the mounts private"
    private=/mnt
    mount -n -t tmpfs -o mode=0700 hactl "$private" || die mount "cannot mount a tmpfs on $private"
    if [ -n "${1-}" ]; then
        tree=$1
        [ -f "$tree/manifest" ] || die protocol "nothing is staged"
    else
        tree=$private/tree
        receive_tree "$tree"
        refuse_unwritable "$tree/manifest"
    fi
    for dir in /etc/nginx /etc/keepalived; do
        [ ! -d "$dir" ] || own_copy "$dir"
    done
    # What the tests write lands in memory: logs, and nginx's pid file.
    [ ! -d /var/log/nginx ] || mount -n -t tmpfs hactl /var/log/nginx
    own_run "$(value_in "$tree/manifest" tracked_file)"
    place_for_validation "$tree"
    test_nginx "$tree"
    test_keepalived
    finish
}

# own_copy DIR: what the tests see there, and may change.
own_copy() {
    mkdir -p "$private$1" && chmod -R u=rwX,go=rX "$private/etc"
    cp -a "$1/." "$private$1/" || die disk "cannot copy $1"
    mount -n --bind "$private$1" "$1" || die mount "cannot bind over $1"
}

# refuse_unwritable MANIFEST: ends the program where a change would find a file system that is read-only, or a
# place that is not safe to write to. Nothing is written for it. busybox's own test takes root's word for -w.
refuse_unwritable() {
    refuse_strange_state
    refuse_untrusted "$1"
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        existing_dir "$path"
        env test -w "${dir:-/}" || die read-only "cannot write in ${dir:-/}: Read-only file system"
    done <"$1"
    refuse_fixed "$1"
    existing_dir "$state/tx"
    env test -w "${dir:-/}" || die state-unwritable "cannot write in ${dir:-/}: Read-only file system"
}

# own_run [FILE]: a /run that only the tests write in, with everything of the host's in it. FILE is there
# in any case: keepalived 2.3.3 refuses to track one that is missing, and the units make it when they start.
own_run() {
    mkdir -m 755 "$private/run" || die disk "cannot create a folder on $private"
    for entry in /run/* /run/.[!.]*; do
        own=$private$entry
        case $entry:${1-} in
        # nginx -t makes it where it is missing.
        /run/nginx.pid:*) cp -- "$entry" "$own" ;;
        "$entry:$entry/"*) cp -a -- "$entry" "$own" ;;
        *)
            if [ -L "$entry" ]; then
                cp -P -- "$entry" "$own"
            elif [ -d "$entry" ]; then
                mkdir "$own" && mount -n --rbind "$entry" "$own"
            elif [ -e "$entry" ]; then
                : >"$own" && mount -n --bind "$entry" "$own"
            fi
            ;;
        # What is gone again by now, or cannot be had twice, is not what these files are about.
        esac 2>/dev/null || :
    done
    case ${1-} in
    /run/*/*) [ -e "$private$1" ] || { mkdir -p "$private${1%/*}" && echo 0 >"$private$1"; } || die disk "cannot create a file on $private" ;;
    esac
    mount -n --rbind "$private/run" /run || die mount "cannot bind over /run"
}

# place_for_validation DIR: only what lies under the two private folders.
place_for_validation() {
    while IFS=$tab read -r kind a b c d _ f; do
        case $kind in file) path=$f ;; absent) path=$a ;; *) continue ;; esac
        case $path in
        /etc/nginx/*) top=/etc/nginx ;;
        /etc/keepalived/*) top=/etc/keepalived ;;
        *) continue ;;
        esac
        [ -d "$top" ] || continue
        own_way "$top" "$path" || die disk "cannot stage $path"
        rm -f -- "$path"
        [ "$kind" != absent ] || continue
        mkdir -p "${path%/*}" && cp -- "$1/files$path" "$path" && chmod "$b" "$path" && chown "$c:$d" "$path" ||
            die disk "cannot stage $path"
    done <"$1/manifest"
}

# own_way DIR PATH: folders between the private DIR and PATH that are links become copies: through a
# link the host's own files would be written.
own_way() {
    way=$1 rest=${2#"$1"/}
    while [ "$rest" != "${rest#*/}" ]; do
        way=$way/${rest%%/*} rest=${rest#*/}
        [ -L "$way" ] || continue
        mkdir "$way.hactl" || return 1
        [ ! -d "$way" ] || cp -a "$way/." "$way.hactl/" || return 1
        rm -f -- "$way" && mv -T -- "$way.hactl" "$way" || return 1
    done
}

# test_nginx DIR: in the host's own network first, where names resolve as they will for the nginx that
# runs. Only a listener on an address that this node does not hold fails there, although the tree's own
# kernel settings allow it; then the test is repeated in a network that has those settings.
test_nginx() {
    command -v nginx >/dev/null 2>&1 && [ -d /etc/nginx ] || return 0
    output=$(nginx -t 2>&1)
    code=$?
    if [ "$code" != 0 ] && brings_nonlocal_bind "$1"; then test_nginx_apart "$1"; fi
    say tested nginx "$code"
    body_text "$output"
}

# wants_nonlocal_bind DIR FAMILY: whether the tree sets it, for ipv4 or ipv6.
wants_nonlocal_bind() { grep -q "^sysctl${tab}net.$2.ip_nonlocal_bind${tab}1\$" "$1/manifest"; }

# brings_nonlocal_bind DIR: whether the tree sets what the kernel does not have yet.
brings_nonlocal_bind() {
    for family in ipv4 ipv6; do
        wants_nonlocal_bind "$1" "$family" && [ "$(sysctl_value "net.$family.ip_nonlocal_bind")" != 1 ] &&
            return 0
    done
    return 1
}

# test_nginx_apart DIR: sets output and code. The network has the host's addresses on its loopback,
# and the settings of the tree. No DNS server can be reached from there, so each name that nginx asks
# for is resolved out here and written to a private /etc/hosts, until nginx misses no name that this
# host can resolve. Asking nginx finds the names of every directive, also those of raw snippets.
test_nginx_apart() {
    families=''
    for family in ipv4 ipv6; do
        if wants_nonlocal_bind "$1" "$family" || [ "$(sysctl_value "net.$family.ip_nonlocal_bind")" = 1 ]; then
            families="$families $family"
        fi
    done
    has_hosts=no
    if cat /etc/hosts >"$private/hosts" 2>/dev/null && mount -n --bind "$private/hosts" /etc/hosts; then
        has_hosts=yes
    fi
    tried=0
    while [ "$tried" -lt 200 ]; do
        tried=$((tried + 1))
        # shellcheck disable=SC2016 # the inner shell expands it, with the values as its arguments
        output=$(ip -o addr show 2>/dev/null | unshare -n /bin/sh -c '
            {
                ip link set lo up
                while read -r _ _ _ address _; do ip addr add "$address" dev lo; done
                for family in $1; do echo 1 >"/proc/sys/net/$family/ip_nonlocal_bind"; done
            } >/dev/null 2>&1
            exec nginx -t' hactl "$families" 2>&1)
        code=$?
        [ "$code" != 0 ] && [ "$has_hosts" = yes ] && resolve_missed_names "$output" || return 0
    done
}

# resolve_missed_names OUTPUT: the names that nginx could not resolve, as its output quotes them, go to
# the private /etc/hosts; fails if there is none that this host can resolve.
resolve_missed_names() {
    printf '%s\n' "$1" >"$private/output"
    added=no
    while read -r line; do
        name=${line#*host not found in }
        [ "$name" != "$line" ] || continue
        name=${name#*\"} name=${name%%\"*} # the first that is quoted: [SCHEME://]NAME[:PORT][/PATH]
        name=${name#*://} name=${name%%[:/]*}
        case $name in '' | -* | *[!A-Za-z0-9._-]*) continue ;; esac
        ! grep -q " $name\$" "$private/hosts" || continue
        for address in $(addresses_of "$name"); do
            printf '%s %s\n' "$address" "$name" >>"$private/hosts"
            added=yes
        done
    done <"$private/output"
    [ "$added" = yes ]
}

test_keepalived() {
    command -v keepalived >/dev/null 2>&1 && [ -f /etc/keepalived/keepalived.conf ] || return 0
    version=$(keepalived -v 2>&1)
    keepalived_test
    say tested keepalived "$code" "${version%%
*}"
    body_text "$output"
}

# keepalived_test: sets output and code.
keepalived_test() {
    output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
    code=$?
    # 2.2.5 to 2.2.7 kill themselves in a test where scripts run as another user than root. This copy is
    # the test's own.
    if [ "$code" -eq 143 ] &&
        find /etc/keepalived -type f -exec sed -i 's/^\([[:space:]]*script_user[[:space:]]\).*/\1root/' {} +; then
        output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
        code=$?
    fi
}
