# Validation: a tree as the daemons would see it at its real paths, in a mount namespace of its own,
# so that includes resolve and the host is left untouched.

# in_private_mounts VERB [ARGUMENT...]: runs this program again in a mount namespace of its own.
in_private_mounts() {
    command -v unshare >/dev/null 2>&1 || die lacking "unshare is missing: install util-linux"
    # shellcheck disable=SC2154 # this program's own text, as the call's first step received it
    exec unshare -m /bin/sh -c "$script" hactl-agent "$@"
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
    fi
    for dir in /etc/nginx /etc/keepalived; do
        if [ -d "$dir" ]; then
            mkdir -p "$private$dir" && chmod -R u=rwX,go=rX "$private/etc"
            cp -a "$dir/." "$private$dir/" || die disk "cannot copy $dir"
            mount -n --bind "$private$dir" "$dir" || die mount "cannot bind over $dir"
        fi
    done
    # What the tests write lands in memory: logs, and nginx's pid file.
    [ ! -d /var/log/nginx ] || mount -n -t tmpfs hactl /var/log/nginx
    own_run "$(value_in "$tree/manifest" tracked_file)"
    place_for_validation "$tree"
    test_nginx "$tree"
    test_keepalived
    finish
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

test_nginx() {
    command -v nginx >/dev/null 2>&1 && [ -d /etc/nginx ] || return 0
    # A listener on an address that this node does not hold is allowed by the tree's own sysctl. Only
    # then a network namespace of its own is used, since host names don't resolve in one.
    if grep -q "^sysctl${tab}net.ipv4.ip_nonlocal_bind${tab}1" "$1/manifest" &&
        [ "$(sysctl_value net.ipv4.ip_nonlocal_bind)" != 1 ]; then
        # shellcheck disable=SC2016
        output=$(unshare -n /bin/sh -c 'echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind
            echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
            nginx -t' 2>&1)
    else
        output=$(nginx -t 2>&1)
    fi
    say tested nginx "$?"
    body_text "$output"
}

test_keepalived() {
    command -v keepalived >/dev/null 2>&1 && [ -f /etc/keepalived/keepalived.conf ] || return 0
    output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
    say tested keepalived "$?"
    body_text "$output"
}
