# What this host can reach: backends, names and peers, and which machine answers for an address. Only what was asked for.

# observe_network: runs all checks in parallel, after every other record has been sent: output of parallel processes
# must not come between a record and its body.
observe_network() {
    backends='' peers='' backend_count=0
    while read -r what host port; do
        case $what in
        backend) backends=$backends"$what $host $port"$newline backend_count=$((backend_count + 1)) ;;
        peer | peer_vip) peers=$peers"$what $host $port"$newline ;;
        neighbour) observe_neighbour "$host" & ;;
        name) observe_name "$host" & ;;
        esac
    done <<END
$network
END
    # Hundreds of connections take a busy host a while to begin.
    [ -z "$backends" ] || try_connections $((1 + backend_count / 50)) "$backends" observe_backend &
    [ -z "$peers" ] || try_connections 2 "$peers" observe_peer &
    wait
}

# try_connections SECONDS LIST REPORT: connects to each `WHAT HOST PORT` of the list, all in parallel, and calls
# REPORT WHAT HOST PORT RESULT for each. The result is `open`, `timeout` or the error. Connecting is the only check
# that works without knowing the server's protocol.
# shellcheck disable=SC2016 # bash expands it, with the values on its standard input
try_connections() {
    results=$newline$(printf '%s' "$2" | LC_ALL=C timeout "$1" bash --norc -c '
        try() {
            if error=$(exec 2>&1; exec 3<>"/dev/tcp/$2/$3"); then error=open; fi
            printf "%s %s %s %s\n" "$1" "$2" "$3" "${error//[^[:print:]]/ }"
        }
        while read -r what host port; do try "$what" "$host" "$port" & done
        wait' 2>/dev/null)$newline
    while read -r what host port; do
        [ -n "$what" ] || continue
        case $results in
        *"$newline$what $host $port "*)
            result=${results#*"$newline$what $host $port "}
            result=${result%%"$newline"*}
            ;;
        # No result before the timeout.
        *) result=timeout ;;
        esac
        "$3" "$what" "$host" "$port" "$result"
    done <<END
$2
END
}

observe_backend() {
    case $4 in
    open)
        say backend "$2" "$3" up
        return
        ;;
    timeout) cause=timeout ;;
    *': Connection refused'*) cause=refused ;;
    *': No route to host'* | *': Network is unreachable'*) cause=no_route ;;
    *': Name or service not known'* | *'name resolution'*) cause=no_name ;;
    *) cause=other ;;
    esac
    say backend "$2" "$3" down "$cause"
}

# observe_peer WHAT HOST PORT RESULT: reports a peer's port. The kernel of a peer that is up answers whether or not
# something listens there, so silence means a firewall.
observe_peer() {
    case $4 in
    open) say "$1" "$2" "$3" open ;;
    timeout) say "$1" "$2" "$3" silent ;;
    *) say "$1" "$2" "$3" refused ;;
    esac
}

# observe_name NAME: reports up to 16 of its addresses. More would tell nothing new, and a record that fits in one
# write stays in one piece.
observe_name() {
    command -v getent >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2046 # one word an address
    set -- "$1" $(addresses_of "$1" | head -n 16)
    name=$1
    shift
    say name "$name" "$*"
}

# observe_neighbour ADDRESS: reports whether a host on the link answers for it. A packet to it makes the kernel
# resolve it (ARP or NDP), and the neighbour table is read back. Nothing is deleted from that table. An old entry may
# belong to a host that is gone, or that no longer has the address: it is `remembered` until the kernel has probed
# that host and, if it is silent, has asked the whole link.
observe_neighbour() {
    ask_neighbours "$1"
    case $found in
    # Probing would drop the flags of an entry that another program added.
    '' | *extern_learn* | *PERMANENT* | *NOARP*) ;;
    *)
        # A probe is answered at once, or the entry is FAILED after 3 s.
        interface=${found#* dev }
        ip neigh change "$1" dev "${interface%% *}" nud probe 2>/dev/null
        tries=0
        while known_neighbour "$1"; do
            case $found in *PROBE*) ;; *) break ;; esac
            tries=$((tries + 1))
            [ "$tries" -lt 40 ] || break
            sleep 0.1
        done
        [ -n "$found" ] || ask_neighbours "$1"
        ;;
    esac
    [ -n "$found" ] || return 0
    hardware=${found##*lladdr }
    case $found in
    *STALE* | *DELAY* | *PROBE*) say neighbour "$1" "${hardware%% *}" remembered ;;
    *) say neighbour "$1" "${hardware%% *}" answered ;;
    esac
}

# ask_neighbours ADDRESS: sets found to the entry that the kernel learns. On a busy host the packet may leave late, so
# silence counts only after the kernel has been asking for half a second.
ask_neighbours() {
    provoke_arp "$1"
    asked=0 tries=0
    while ! known_neighbour "$1" && [ "$asked" -lt 5 ] && [ "$tries" -lt 12 ]; do
        tries=$((tries + 1))
        case $(ip neigh show to "$1" 2>/dev/null) in
        *INCOMPLETE*) asked=$((asked + 1)) ;;
        # The kernel gave up, just now or long ago.
        *FAILED*) [ "$asked" -eq 0 ] || break ;;
        # The address is this host's own, or behind a gateway: no neighbour has it.
        *) case $(ip route get "$1" 2>/dev/null) in '' | 'local '* | *' via '*) break ;; esac ;;
        esac
        if [ "$asked" -eq 0 ]; then provoke_arp "$1"; else sleep 0.1; fi
    done
}

# known_neighbour ADDRESS: sets found to the kernel's entry, if it has a hardware address.
known_neighbour() {
    found=$(ip neigh show to "$1" 2>/dev/null | grep -m1 lladdr)
    [ -n "$found" ]
}
