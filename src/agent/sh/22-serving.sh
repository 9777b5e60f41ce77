# What this host serves now: the sockets that nginx listens on, and the configuration of both daemons
# with every file that it may include. Which of these a daemon really reads depends on its syntax, and
# hactl decides it; this finds every file that looks like it, also in the generations that were kept.

# The most files, and bytes of each, that are sent.
serving_files=400 serving_bytes=262144

observe_serving() {
    say sockets
    body_text "$(ss -Hltnup 2>/dev/null | grep '"nginx"')"
    conffiles=''
    if command -v dpkg-query >/dev/null 2>&1; then
        # shellcheck disable=SC2016 # dpkg-query expands it
        conffiles=$(dpkg-query -W -f '${Conffiles}\n' 'nginx*' keepalived 2>/dev/null)
    fi
    queue='' known=$newline left=$serving_files
    for conf in /etc/nginx/nginx.conf /etc/keepalived/keepalived.conf; do
        queue=$queue$conf$newline
        # A rollback brings back what these include.
        for kept in "$state"/generations/*/files"$conf"; do
            [ -f "$kept" ] || continue
            included_by "$kept" "${conf%/*}"
            queue=$queue$included
        done
    done
    while [ -n "$queue" ] && [ "$left" -gt 0 ]; do
        file=${queue%%"$newline"*} queue=${queue#*"$newline"}
        case $known in *"$newline$file$newline"*) continue ;; esac
        known=$known$file$newline
        [ -f "$file" ] || continue
        left=$((left - 1))
        if is_packaged "$file"; then origin=package; else origin=local; fi
        say serving "$file" "$origin"
        printf ' '
        head -c "$serving_bytes" <"$file" | base64 -w0
        printf '\n'
        case $file in
        /etc/nginx/*) included_by "$file" /etc/nginx ;;
        *) included_by "$file" "${file%/*}" ;;
        esac
        queue=$queue$included
    done
}

# included_by FILE DIR: sets included to the files that its includes match, one a line; relative ones are in DIR.
included_by() {
    included=''
    includes=$(grep -oE '(^|[[:space:];{}])include[rmwab]*[[:space:]]+[^;[:space:]]+' "$1" 2>/dev/null) || return 0
    while read -r _ pattern; do
        pattern=${pattern#[\"\']}
        pattern=${pattern%[\"\']}
        case $pattern in /*) ;; *) pattern=$2/$pattern ;; esac
        # shellcheck disable=SC2086 # it is a pattern
        for found in $pattern; do
            [ ! -f "$found" ] || included=$included$found$newline
        done
    done <<END
$includes
END
}

# is_packaged FILE: it is a package's own configuration, unchanged.
is_packaged() {
    real=$(readlink -f -- "$1")
    if [ -n "$conffiles" ]; then
        sum=$(md5sum <"$real")
        case $conffiles in *" $real ${sum%% *}"*) return 0 ;; esac
    elif command -v rpm >/dev/null 2>&1 && rpm -qf "$real" >/dev/null 2>&1; then
        case "$(rpm -Vf "$real" 2>/dev/null)$newline" in *" $real$newline"*) ;; *) return 0 ;; esac
    fi
    return 1
}
