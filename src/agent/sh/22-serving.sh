# What this host serves now: the sockets that nginx listens on, and the configuration of both daemons with every file
# that it may include. Which of these a daemon really reads depends on its syntax, which hactl evaluates. This finds
# every candidate, including those in saved generations.

# The maximum number of files that are sent, and of bytes of each.
serving_files=400 serving_bytes=262144

# find_serving: sets found to those files, one per line. Files that a rollback would restore are searched for
# includes, too.
find_serving() {
    queue='' found=$newline left=$serving_files
    for conf in /etc/nginx/nginx.conf /etc/keepalived/keepalived.conf; do
        queue=$queue$conf$newline
        for kept in "$state"/generations/*/files"$conf"; do
            [ ! -f "$kept" ] || queue=$queue$kept$newline
        done
    done
    while [ -n "$queue" ] && [ "$left" -gt 0 ]; do
        # All includes of the previous files, in one pass.
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

# included_by FILE...: adds the files that their includes match to queue, and those that contain a `server`, whose
# origin matters, to judged. Relative patterns start at the daemon's folder.
included_by() {
    # With /dev/null as a second file, grep always prints the file name.
    includes=$(grep -oE '(^|[[:space:];{}])(include[rmwab]*[[:space:]]+[^;[:space:]]+|server)' -- "$@" /dev/null 2>/dev/null) || return 0
    split_lines
    for line in $includes; do
        # A colon may be in the file's name or in its pattern, but not in both.
        by=${line%:*}
        [ -f "$by" ] || by=${line%%:*}
        pattern=${line#"$by":}
        case $pattern in
        *include*) ;;
        *)
            [ "$by" = "$judged_last" ] || judged=$judged$by$newline
            judged_last=$by
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

# is_packaged FILE: true if it is a package's own configuration, unmodified. A file of the live generation is not,
# unless that is generation 0, the state before hactl.
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
