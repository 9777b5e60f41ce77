# Probes: observations that only some rules need. Only the requested ones run.

# observe_probes: runs the functions below that probes names.
observe_probes() {
    for probe in $probes; do "probe_$probe"; done
}

# probe_networkd: reports the interfaces that systemd-networkd manages, each with its .network file and the
# KeepConfiguration= that applies, which decides over addresses that are not networkd's own. These state files are
# private to systemd: if a release changes their format, nothing is reported.
probe_networkd() {
    # A networkd that was stopped leaves its state files behind, but removes no addresses.
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

# kept_by FILE: sets kept to its KeepConfiguration=, if it has one.
kept_by() {
    [ -r "$1" ] || return 0
    while IFS='=' read -r key value || [ -n "$key" ]; do
        case $key in
        KeepConfiguration | 'KeepConfiguration ') kept=${value# } ;;
        esac
    done <"$1"
}

# probe_file_limit: reports how many files an nginx worker may open: the newest worker's limit, since older ones end
# after a reload. Without workers, the master's.
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

# probe_adverts: reports what keepalived has sent and received until now, and two seconds later.
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

# keepalived_stats PID: sets stats to the counters of the running keepalived (SIGUSR2).
keepalived_stats() {
    stats=''
    # Signalling pid 0 would hit our own process group.
    [ "${1:-0}" -gt 0 ] || return 0
    # Concurrent calls would remove each other's file.
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
        # If /tmp is shared, another user may have created a file of that name.
        if [ ! -L "$stats_file" ] && [ -O "$stats_file" ]; then stats=$(cat "$stats_file" 2>/dev/null); fi
    fi
    rm -f "$stats_file"
    exec 8<&-
}
