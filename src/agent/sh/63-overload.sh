# The fault `overload`: opens more connections than nginx accepts, none of which completes its request. They are
# opened on the host itself, so that the load stays there wherever the virtual IPs go, and ends with the fault. The
# listener on loopback suffices, since all listeners share a worker's connections.

most_fill=20000  # most connections that a drill opens, since local ports and memory are shared
fill_memory=32   # kB of memory that both ends of a connection may take
fill_share=500   # connections per process; bash cannot wait for a file descriptor over 1023
fill_tries=300   # tenths of a second within which nginx must be full

# must_fill: ends the program unless nginx can be filled here; adds the number of connections that this takes to
# given.
must_fill() {
    connections=$(parameter connections)
    [ -n "$connections" ] && [ -n "$(parameter port)" ] || die protocol "no nginx port or connection limit was given"
    command -v bash >/dev/null 2>&1 || die lacking "this host has no bash to open connections with"
    workers=0
    for pid in $(children_of "$(main_pid nginx.service)"); do
        ! is_nginx_worker "$pid" || workers=$((workers + 1))
    done
    [ "$workers" -gt 0 ] || die service "nginx has no workers here"
    fill=$((workers * connections))
    [ "$fill" -le "$most_fill" ] ||
        die lacking "nginx accepts $fill connections here (worker_connections $connections, $workers workers), but a drill opens at most $most_fill"
    # 10% more than nginx accepts, so that it drops some.
    fill=$((fill + fill / 10 + 16))
    free=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
    [ "${free:-0}" -ge $((fill * fill_memory)) ] ||
        die lacking "this host has ${free:-no} kB of memory left, but $fill connections may need $((fill * fill_memory)) kB"
    given="${given}fill$tab$fill$tab
"
}

is_nginx_worker() {
    title=''
    # The text ends with NUL, so `read` fails even though it sets the variable.
    { read -r title <"/proc/$1/cmdline"; } 2>/dev/null
    case $title in
    *'is shutting down'*) return 1 ;;
    'nginx: worker process'*) return 0 ;;
    esac
    return 1
}

# A program for bash: PORT COUNT ARMED FULL. It holds COUNT connections, reopens those that nginx closes, and ends
# when the file ARMED is removed. After a round in which nginx kept none, FULL holds the number that nginx dropped.
# shellcheck disable=SC2016 # bash expands these, not this shell
filler='
trap "" PIPE
port=$1 count=$2 armed=$3 full=$4 patience=0.002
held=()
while [[ -e $armed ]]; do
    kept=0 dropped=0
    for ((i = 0; i < count; i++)); do
        if [[ -n ${held[i]-} ]]; then
            # Only one that was closed has something to read.
            read -r -t 0 -u "${held[i]}" || continue
            fd=${held[i]}
            exec {fd}<&-
            held[i]=""
        fi
        exec {fd}<>"/dev/tcp/127.0.0.1/$port" || continue
        printf "GET /health HTTP/1.0\r\nX-Slow: " >&"$fd"
        # One that nginx has heard nothing of yet makes room for the next one.
        read -r -t "$patience" -u "$fd"
        if (($? > 128)); then
            held[i]=$fd kept=$((kept + 1))
        else
            exec {fd}<&-
            dropped=$((dropped + 1))
        fi
    done
    ((kept > 0)) || printf "%s\n" "$dropped" >"$full"
    patience=0.2
    sleep 0.1
done
'

# fill_nginx: opens the connections and returns when nginx is full.
fill_nginx() {
    left=$(parameter fill)
    while [ "$left" -gt 0 ]; do
        share=$left
        [ "$share" -le "$fill_share" ] || share=$fill_share
        # Without the mutex, or heal would wait for these processes.
        bash --norc -c "$filler" hactl-overload "$(parameter port)" "$share" "$drill/armed" "$drill/full.$left" \
            >/dev/null 2>&1 7>&- &
        : >"$drill/filler.$!"
        left=$((left - share))
    done
    tries=0
    until is_filled; do
        tries=$((tries + 1))
        if [ "$tries" -ge "$fill_tries" ]; then
            problem="nginx still accepts connections after $(parameter fill) of them"
            return
        fi
        sleep 0.1
    done
}

# is_filled: true if no process kept a connection in its last round, and some were dropped.
is_filled() {
    fillers=0 full=0 all_dropped=0
    for file in "$drill"/filler.*; do
        fillers=$((fillers + 1))
    done
    for file in "$drill"/full.*; do
        dropped=''
        { read -r dropped <"$file"; } 2>/dev/null
        [ -n "$dropped" ] || continue
        full=$((full + 1)) all_dropped=$((all_dropped + dropped))
    done
    [ "$full" -eq "$fillers" ] && [ "$all_dropped" -gt 0 ]
}

# empty_nginx: closes the connections, by killing the processes that hold them.
empty_nginx() {
    for file in "$drill"/filler.*; do
        pid=${file##*.}
        ! grep -q hactl-overload "/proc/$pid/cmdline" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null
    done
    rm -f "$drill"/filler.* "$drill"/full.*
}
