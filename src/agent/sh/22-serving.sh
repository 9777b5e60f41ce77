# What this host serves now: the sockets that nginx listens on, and the configuration of both daemons
# with every file that it may include. Which of these a daemon really reads depends on its syntax, and
# hactl decides it; this finds every file that looks like it, also in the generations that were kept.

# The most files, and bytes of each, that are sent.
serving_files=400 serving_bytes=262144

# find_serving: sets found to them, one a line. What a rollback would bring back is looked through, too.
find_serving() {
    queue='' found=$newline left=$serving_files
    for conf in /etc/nginx/nginx.conf /etc/keepalived/keepalived.conf; do
        queue=$queue$conf$newline
        for kept in "$state"/generations/*/files"$conf"; do
            [ ! -f "$kept" ] || queue=$queue$kept$newline
        done
    done
    while [ -n "$queue" ] && [ "$left" -gt 0 ]; do
        # All that the files before include, at once.
        set --
        split_lines
        for file in $queue; do
            case $found in *"$newline$file$newline"*) continue ;; esac
            [ -f "$file" ] && [ "$left" -gt 0 ] || continue
            case $file in "$state"/*) ;; *) left=$((left - 1)) found=$found$file$newline ;; esac
            set -- "$@" "$file"
        done
        split_words
        queue=''
        [ $# -eq 0 ] || included_by "$@"
    done
    found=${found#"$newline"}
}

# included_by FILE...: adds the files that their includes match to queue, and to judged those where it matters whose
# they are: they serve something. Relative patterns are in the daemon's folder.
included_by() {
    # /dev/null: so that grep names the file of a match also where there is one.
    includes=$(grep -oE '(^|[[:space:];{}])(include[rmwab]*[[:space:]]+[^;[:space:]]+|server)' -- "$@" /dev/null 2>/dev/null) || return 0
    split_lines
    for line in $includes; do
        # A colon is in the name of the file, or in what it includes, if anywhere.
        by=${line%:*}
        [ -f "$by" ] || by=${line%%:*}
        pattern=${line#"$by":}
        case $pattern in
        *include*) ;;
        *)
            judged=$judged$by$newline
            continue
            ;;
        esac
        pattern=${pattern##*[[:space:]]}
        pattern=${pattern#[\"\']}
        pattern=${pattern%[\"\']}
        dir=${by#"$state"/generations/*/files}
        case $dir in /etc/nginx/*) dir=/etc/nginx ;; *) dir=${dir%/*} ;; esac
        case $pattern in /*) ;; *) pattern=$dir/$pattern ;; esac
        split_words
        # shellcheck disable=SC2086 # it is a pattern
        for match in $pattern; do
            [ ! -f "$match" ] || queue=$queue$match$newline
        done
        split_lines
    done
    split_words
}

observe_serving() {
    say sockets
    all_sockets=$(ss -Hltnup 2>/dev/null)
    sockets=''
    split_lines
    for line in $all_sockets; do
        case $line in *'"nginx"'*) sockets=$sockets$line$newline ;; esac
    done
    split_words
    text_later "$sockets"
    conffiles=none
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $found
    split_words
    for file; do
        origin=local
        case $file:$newline$judged in
        /etc/keepalived/* | *"$newline$file$newline"*) ! is_packaged "$file" || origin=package ;;
        esac
        say serving "$file" "$origin"
        file_body "$file" "$serving_bytes"
    done
}

# is_packaged FILE: it is a package's own configuration, unchanged. A file of the live generation is none, unless
# that is what was here before hactl.
is_packaged() {
    if [ "$live_generation" != 0 ] && [ -f "$state/live/files$1" ]; then return 1; fi
    if [ "$conffiles" = none ]; then
        conffiles=''
        if command -v dpkg-query >/dev/null 2>&1; then
            # shellcheck disable=SC2016 # dpkg-query expands it
            conffiles=$(dpkg-query -W -f '${Conffiles}\n' 'nginx*' keepalived 2>/dev/null)
        fi
    fi
    real_path "$1"
    if [ -n "$conffiles" ]; then
        sum=$(md5sum <"$real")
        case $conffiles in *" $real ${sum%% *}"*) return 0 ;; esac
    elif command -v rpm >/dev/null 2>&1 && rpm -qf "$real" >/dev/null 2>&1; then
        case "$(rpm -Vf "$real" 2>/dev/null)$newline" in *" $real$newline"*) ;; *) return 0 ;; esac
    fi
    return 1
}
