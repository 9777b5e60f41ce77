# Probes: what some rules need to see beside what every look tells. Only those that were asked for run.

# observe_probes: those in probes, which holds names of functions below.
observe_probes() {
    for probe in $probes; do "probe_$probe"; done
}

# probe_networkd: the interfaces that systemd-networkd manages, each with its file and what that says of addresses
# which are not networkd's own. systemd calls its state private: where another release writes it otherwise,
# nothing is said.
probe_networkd() {
    # Its state stays there when it has stopped; then it takes nothing away.
    [ -d /sys/fs/cgroup/system.slice/systemd-networkd.service ] ||
        [ -d /sys/fs/cgroup/systemd/system.slice/systemd-networkd.service ] || return 0
    for link in /sys/class/net/*; do
        index=''
        { read -r index <"$link/ifindex"; } 2>/dev/null
        admin='' lan_file=''
        [ -r "/run/systemd/netif/links/$index" ] || continue
        while IFS='=' read -r key value || [ -n "$key" ]; do
            case $key in
            ADMIN_STATE) admin=$value ;;
            NETWORK_FILE) lan_file=$value ;;
            esac
        done <"/run/systemd/netif/links/$index"
        case $admin in unmanaged | linger) continue ;; esac
        [ -n "$lan_file" ] || continue
        kept=''
        for folder in /usr/lib /usr/local/lib /run /etc; do
            set -- "$folder/systemd/networkd.conf" "$folder/systemd/networkd.conf.d/"*.conf
            for file in "$@"; do kept_by "$file"; done
        done
        kept_by "$lan_file"
        for folder in /usr/lib /usr/local/lib /run /etc; do
            for file in "$folder/systemd/network/${lan_file##*/}.d/"*.conf; do kept_by "$file"; done
        done
        say networkd "${link##*/}" "$lan_file" "$kept"
    done
}

# kept_by FILE: sets kept to its KeepConfiguration=, where it has one.
kept_by() {
    [ -r "$1" ] || return 0
    while IFS='=' read -r key value || [ -n "$key" ]; do
        case $key in
        KeepConfiguration | 'KeepConfiguration ') kept=${value# } ;;
        esac
    done <"$1"
}

# probe_file_limit: how many files a worker of the running nginx may open; the newest one's, since those before a
# reload end. Of a master without one, its own.
probe_file_limit() {
    was_active nginx.service || return 0
    property nginx.service MainPID
    process=$value children=''
    { read -r children <"/proc/$process/task/$process/children"; } 2>/dev/null
    for child in $children; do process=$child; done
    while read -r one two three soft _; do
        if [ "$one $two $three" = 'Max open files' ]; then
            say file_limit "$soft"
            break
        fi
    done 2>/dev/null <"/proc/$process/limits"
}

# probe_adverts: what keepalived has sent and received until now, and two seconds later.
probe_adverts() {
    was_active keepalived.service || return 0
    property keepalived.service MainPID
    pid=$value stats='' stats_file=/proc/$value/root/tmp/keepalived.stats
    trap 'rm -f "$stats_file"; exit 1' HUP INT PIPE TERM
    keepalived_stats "$pid"
    first=$stats
    sleep 2
    keepalived_stats "$pid"
    trap - HUP INT PIPE TERM
    if [ -z "$first" ] || [ -z "$stats" ]; then return 0; fi
    say adverts before
    body_text "$first"
    say adverts after
    body_text "$stats"
}

# keepalived_stats PID: asks the running keepalived for its counters (SIGUSR2), and sets stats to them.
keepalived_stats() {
    stats=''
    # To process 0 a signal would be one to all of us.
    [ "${1:-0}" -gt 0 ] || return 0
    # Two that ask at the same time would remove each other's answers.
    if [ -d /root ]; then exec 8</root && flock -w 3 8; fi
    rm -f "$stats_file"
    if kill -s USR2 "$1" 2>/dev/null; then
        stats_size='' stats_before='' asked=0
        until [ "${stats_size:-0}" -gt 0 ] && [ "$stats_size" = "$stats_before" ]; do
            stats_before=$stats_size
            asked=$((asked + 1))
            [ "$asked" -lt 200 ] || break
            sleep 0.01
            stats_size=$(stat -c %s "$stats_file" 2>/dev/null)
        done
        # Where /tmp is everybody's, another user may have put a file of that name there.
        if [ ! -L "$stats_file" ] && [ -O "$stats_file" ]; then stats=$(cat "$stats_file" 2>/dev/null); fi
    fi
    rm -f "$stats_file"
    exec 8<&-
}
