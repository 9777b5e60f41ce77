# Watching, for drills: what this host's kernel and daemons say while a fault lasts. The watch is a
# unit of its own, so that it goes on when the connection is gone, and ends on its own.

watches=/run/hactl-drill

# watch_unit ID: the unit that watches.
watch_unit() { printf 'hactl-watch-%s.service' "$1"; }

# watch ID SECONDS: begins. Standard input names the virtual addresses, one a line, to which a packet
# is sent: who knows an address's owner will notice, and so record, that it changed.
watch() {
    change_id "$1"
    number "$2"
    folder=$watches/watch-$1
    mkdir -p "$folder" && chmod 700 "$watches" "$folder" || die disk "cannot write $folder: $(space /run)"
    forget_watch "$1"
    # A quiet host writes a few lines; the limit is for one that is not.
    rm -f "$folder/pid"
    # shellcheck disable=SC2016 # the inner shell expands these
    started=$(systemd-run --quiet --unit="$(watch_unit "$1")" /bin/sh -c '
        ulimit -f 16384
        timeout "$2" /bin/sh -c '\''
            echo $$ >"$1/pid"
            LC_ALL=C TZ=UTC0 exec ip -ts -o monitor address link neigh >"$1/kernel" 2>/dev/null'\'' hactl "$1"
        exit 0' hactl "$folder" "$2" 2>&1) || die service "cannot start $(watch_unit "$1")" "$started"
    # The monitor listens a moment after its unit has started, and what comes before is lost.
    tries=0
    until listens "$folder" || [ "$tries" -ge 250 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    while read -r word address; do
        case $word in
        vip) touch_address "$address" & ;;
        end) break ;;
        esac
    done
    wait
    # Whom this host takes for each address's owner.
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

# listens FOLDER: the monitor has asked the kernel for its events (/proc/net/netlink: protocol 0 is rtnetlink).
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
touch_address() { timeout 0.5 bash --norc -c 'exec 3<>"/dev/tcp/$1/9"' hactl "$1" 2>/dev/null || :; }

forget_watch() {
    systemctl stop "$(watch_unit "$1")" 2>/dev/null || :
    systemctl reset-failed "$(watch_unit "$1")" 2>/dev/null || :
}

# watched ID SINCE: ends it, and tells what was seen since SINCE, in seconds since the epoch by this
# host's clock. A host that was restarted has forgotten what its kernel said.
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
    # Answers to hactl's own questions are no events.
    since=$2
    set --
    for unit in $units; do set -- "$@" -u "$unit.service"; done
    body_text "$(journalctl -q --no-pager -o json --since "@$since" "$@" 2>/dev/null |
        grep -v '"Printing [^"]* on signal' | tail -n 2000)"
    rm -rf "$folder"
    say_clock
    finish
}

# glance: who has which address and which daemons run; enough to tell whether a drill is over.
glance() {
    say host "$(uname -n)" "$(uname -r)" "$(id -u)"
    say_clock
    observe_services
    observe_addresses
    finish
}
