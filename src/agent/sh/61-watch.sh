# Watching, for drills: records what this host's kernel and daemons report during a fault. The watch is a unit of its
# own, so that it survives a lost connection, and it has a time limit.

watches=/run/hactl-drill

# watch_unit ID: prints the name of the watch's unit.
watch_unit() { printf 'hactl-watch-%s.service' "$1"; }

# watch ID SECONDS: starts a watch. Standard input names the virtual addresses, one per line. A packet is sent to
# each: with a neighbour entry for an address, this host notices, and so records, a change of its owner.
watch() {
    change_id "$1"
    number "$2"
    folder=$watches/watch-$1
    mkdir -p "$folder" && chmod 700 "$watches" "$folder" || die disk "cannot write $folder: $(space /run)"
    forget_watch "$1"
    # A quiet host writes a few lines. The limit is for a busy one.
    rm -f "$folder/pid"
    # shellcheck disable=SC2016 # the inner shell expands these
    started=$(systemd-run --quiet --unit="$(watch_unit "$1")" /bin/sh -c '
        ulimit -f 16384
        timeout "$2" /bin/sh -c '\''
            echo $$ >"$1/pid"
            LC_ALL=C TZ=UTC0 exec ip -ts -o monitor address link neigh >"$1/kernel" 2>/dev/null'\'' hactl "$1"
        exit 0' hactl "$folder" "$2" 2>&1) || die service "cannot start $(watch_unit "$1")" "$started"
    # The monitor listens only some time after its unit has started, and earlier events would be lost.
    tries=0
    until listens "$folder" || [ "$tries" -ge 250 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    while read -r word address; do
        case $word in
        vip) provoke_arp "$address" & ;;
        end) break ;;
        esac
    done
    wait
    # The hardware address that this host has for each address.
    ip neigh show 2>/dev/null | while read -r address _ _ word hardware _; do
        [ "$word" != lladdr ] || say neighbour "$address" "$hardware"
    done
    ip -o link show 2>/dev/null | while read -r _ interface rest; do
        hardware=${rest##*link/ether }
        [ "$hardware" = "$rest" ] || say hardware "${interface%%[@:]*}" "${hardware%% *}"
    done
    say_clock
    finish
}

# listens FOLDER: true if the monitor has subscribed to the kernel's events (/proc/net/netlink: protocol 0 is
# rtnetlink).
listens() {
    { read -r monitor <"$1/pid"; } 2>/dev/null || return 1
    while read -r _ protocol port groups _; do
        case $protocol:$port:$groups in
        "0:$monitor:00000000") ;;
        "0:$monitor:"*) return 0 ;;
        esac
    done </proc/net/netlink
    return 1
}

# shellcheck disable=SC2016 # bash expands it, with the value as its argument
provoke_arp() { timeout 0.5 bash --norc -c 'exec 3<>"/dev/tcp/$1/9"' hactl "$1" 2>/dev/null || :; }

forget_watch() {
    systemctl stop "$(watch_unit "$1")" 2>/dev/null || :
    systemctl reset-failed "$(watch_unit "$1")" 2>/dev/null || :
}

# watched ID SINCE: ends the watch and reports what was seen since SINCE, in seconds since the epoch by this host's
# clock. The kernel's events do not survive a reboot.
watched() {
    change_id "$1"
    number "$2"
    folder=$watches/watch-$1
    forget_watch "$1"
    if [ -f "$folder/kernel" ]; then
        tail -c 1048576 "$folder/kernel" >"$folder/tail"
        say kernel
        body "$folder/tail"
    fi
    say journal
    # Exclude keepalived's answers to hactl's own signals.
    since=$2
    set --
    for unit in $units; do set -- "$@" -u "$unit.service"; done
    body_text "$(journalctl -q --no-pager -o json --since "@$since" "$@" 2>/dev/null |
        grep -v '"Printing [^"]* on signal' | tail -n 2000)"
    rm -rf "$folder"
    say_clock
    finish
}

# glance [serving]: reports which addresses are on this host and which daemons run, enough to tell whether a drill is
# over; and what nginx serves, for which a hanging one is waited for.
glance() {
    say_host
    observe_services
    observe_addresses
    if [ "$1" = serving ] && was_active nginx.service; then
        read_value "$state/live/manifest" status_port
        loaded_id=''
        nginx_loaded "$value"
        say loaded nginx "$loaded_id"
    fi
    finish
}
