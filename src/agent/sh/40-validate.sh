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
    had_pid_file=no
    if [ -f /run/nginx.pid ]; then
        had_pid_file=yes
        : >"$private/nginx.pid"
        mount -n --bind "$private/nginx.pid" /run/nginx.pid
    fi
    place_for_validation "$tree"
    test_nginx "$tree"
    test_keepalived
    [ "$had_pid_file" = yes ] || [ -s /run/nginx.pid ] || rm -f /run/nginx.pid
    finish
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
