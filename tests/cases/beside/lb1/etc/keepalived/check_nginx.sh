#!/bin/sh
# Managed by hactl: cluster web.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# Asks the nginx of this host whether it works. Exit 0 if it answers 200 in time, or if it is overloaded:
# its workers work, and are out of connections, open files or CPU time. The load would follow the virtual
# IPs to the next node, so giving them up only spreads it. Otherwise exit 1, and a line on standard error
# says why. A change of the verdict is a line in the journal.
#
# It heals nothing: that is the job of systemd (`Restart=` in nginx.service.d). Run it by hand as often
# as you like.
set -u

verdict_file=/run/hactl/check_nginx # the last verdict, where nginx was not well, and good answers since
calm=5                        # so many good answers in a row end it: a load at the limit fills no journal

log() {
    if command -v logger >/dev/null 2>&1 && logger -t check_nginx -p "daemon.$1" -- "$2" 2>/dev/null; then
        return
    fi
    if command -v systemd-cat >/dev/null 2>&1; then
        printf '%s\n' "$2" | systemd-cat -t check_nginx -p "$1" 2>/dev/null
    fi
}

read_verdict() {
    verdict='' answers=0
    { read -r verdict answers <"$verdict_file"; } 2>/dev/null
}

# note VERDICT PRIORITY TEXT: a line for the journal, if the verdict differs from the last one.
note() {
    read_verdict
    [ "$verdict $answers" != "$1 0" ] || return 0
    { echo "$1 0" >"$verdict_file"; } 2>/dev/null || return 0
    [ "$verdict" = "$1" ] || log "$2" "$3"
}

well() {
    [ -e "$verdict_file" ] || exit 0
    read_verdict
    case $answers in [0-9]) ;; *) answers=0 ;; esac
    if [ $((answers + 1)) -lt "$calm" ]; then
        echo "$verdict $((answers + 1))" >"$verdict_file"
    elif rm "$verdict_file"; then
        log notice 'nginx answers again'
    fi 2>/dev/null
    exit 0
}

fail() {
    note failed warning "nginx failed its check: $1"
    printf 'check_nginx: %s\n' "$1" >&2
    exit 1
}

overloaded() {
    note overloaded warning "nginx is overloaded, but works: $1. This node keeps its virtual IPs: the load would follow them."
    printf 'check_nginx: overloaded: %s\n' "$1" >&2
    exit 0
}

# read_stat PID: sets state (proc(5)) and ticks, the CPU time that it has used, in hundredths of a second.
read_stat() {
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # What comes before is its name, which may have blanks.
    # shellcheck disable=SC2086 # numbers
    set -- ${stat##*) }
    state=$1 ticks=$((${12} + ${13}))
}

# read_moves PID: sets moves, which grows whenever it waits, reads or writes.
read_moves() {
    moves=''
    while read -r key value; do
        case $key in voluntary_ctxt_switches: | syscr: | syscw:) moves=$moves.$value ;; esac
    done 2>/dev/null <<END
$(cat "/proc/$1/status" "/proc/$1/io" 2>/dev/null)
END
}

# waits_for_events PID: it sleeps where an event loop sleeps that has nothing to do.
waits_for_events() {
    [ "$state" = S ] || return 1
    place=''
    { read -r place <"/proc/$1/wchan"; } 2>/dev/null
    case $place in *poll* | *select*) return 0 ;; *) return 1 ;; esac
}

# find_workers: sets workers to those of nginx's processes that take connections.
find_workers() {
    workers='' master='' children='' title=''
    { read -r master < '/run/nginx.pid'; } 2>/dev/null
    case $master in '' | *[!0-9]*) return ;; esac
    # These lines have no end, so that `read` fails also where it succeeds.
    { read -r title <"/proc/$master/cmdline"; } 2>/dev/null
    case $title in 'nginx: master process'*) ;; *) return ;; esac
    { read -r children <"/proc/$master/task/$master/children"; } 2>/dev/null
    if [ -z "$children" ]; then
        # A kernel that was built without it.
        for folder in /proc/[0-9]*; do
            { read -r stat <"$folder/stat"; } 2>/dev/null || continue
            case ${stat##*) } in ?" $master "*) children="$children ${folder##*/}" ;; esac
        done
    fi
    for pid in $children; do
        title=''
        { read -r title <"/proc/$pid/cmdline"; } 2>/dev/null
        case $title in
        *'is shutting down'*) ;;
        'nginx: worker process'*) workers="$workers $pid" ;;
        esac
    done
}

# is_full PID: of its connections or its files, seven of eight are in use: the point from which nginx itself
# counts on having too few. Sets usage.
is_full() {
    # shellcheck disable=SC2010,SC2012 # these names are numbers, and there may be many
    sockets=$(ls -l "/proc/$1/fd" 2>/dev/null | grep -c 'socket:')
    # As the owner of nginx.conf has it; 512 is nginx's own.
    connections=$(sed -n 's/^\(.*[[:blank:];{]\)\{0,1\}worker_connections[[:blank:]]\{1,\}\([0-9]\{1,\}\).*/\2/p' /etc/nginx/nginx.conf 2>/dev/null | head -n 1)
    connections=${connections:-512}
    usage="worker $1 uses $sockets of $connections connections"
    [ "$sockets" -lt $((connections - connections / 8)) ] || return 0
    # shellcheck disable=SC2012
    files=$(ls "/proc/$1/fd" 2>/dev/null | wc -l)
    limit=$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$1/limits" 2>/dev/null)
    [ -n "$limit" ] || return 1
    [ "$files" -ge $((limit - limit / 8)) ] || return 1
    usage="worker $1 uses $files of $limit files"
}

any_full() {
    for pid in $workers; do
        ! is_full "$pid" || return 0
    done
    return 1
}

# hundredths: sets now to the time since boot, in hundredths of a second.
hundredths() {
    now=0
    { read -r now _ </proc/uptime; } 2>/dev/null
    case $now in *.??) now=$((${now%.*} * 100 + 1${now#*.} - 100)) ;; *) now=0 ;; esac
}

# judge WHY: nginx gave no answer. Is it hung, or overloaded?
judge() {
    find_workers
    [ -n "$workers" ] || fail "$1, and it has no workers"
    before='' all_wait=yes
    hundredths
    then=$now
    for pid in $workers; do
        read_stat "$pid" || fail "$1, and its worker $pid has ended"
        case $state in T | t | Z | X) fail "$1, and its worker $pid is stopped (state $state)" ;; esac
        if ! waits_for_events "$pid"; then
            all_wait=no
        fi
        read_moves "$pid"
        before="$before $pid/$ticks/$moves"
    done
    if [ "$all_wait" = yes ]; then
        if any_full; then
            overloaded "$usage"
        fi
        fail "$1, and it is not overloaded: $usage"
    fi
    sleep 0.1
    hundredths
    busy=yes
    for was in $before; do
        pid=${was%%/*} was=${was#*/}
        read_stat "$pid" || fail "$1, and its worker $pid has ended"
        read_moves "$pid"
        if [ "$moves" = "${was#*/}" ] && ! waits_for_events "$pid"; then
            fail "$1, and its worker $pid is hung (state $state)"
        fi
        if [ $(((ticks - ${was%%/*}) * 2)) -lt $((now - then)) ] || [ "$now" -le "$then" ]; then
            busy=no
        fi
    done
    if any_full; then
        overloaded "$usage"
    fi
    if [ "$busy" = yes ]; then
        overloaded 'every worker is busy all the time'
    fi
    fail "$1, and it is not overloaded: $usage"
}

# bash is the one HTTP client that every supported distribution has.
# shellcheck disable=SC2016 # the inner bash expands these, not this shell
answer=$(timeout 0.5 bash --norc -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    trap "" PIPE
    printf "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3 || exit 3
    IFS= read -r line <&3 || exit 3
    printf "%s" "$line"
' bash 8081 2>/dev/null)
status=$?

case $status in
    0) ;;
    3) judge 'nginx dropped a connection to 127.0.0.1:8081' ;;
    124) judge 'nginx did not answer on 127.0.0.1:8081 within 0.5 s' ;;
    126 | 127) fail 'bash and timeout are needed, and one of them is missing' ;;
    *) fail 'nginx refused a connection to 127.0.0.1:8081' ;;
esac
case $answer in
    'HTTP/1.'[01]' 200'*) well ;;
    *) fail 'nginx answered /health on 127.0.0.1:8081 with something other than 200' ;;
esac
