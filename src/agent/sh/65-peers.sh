# The other nodes of a change. A node whose time is over asks them whether any was confirmed before it
# goes back, so that all end on the same side when the operator's machine dies between two
# confirmations. docs/reliability.md states what this guarantees.
#
# The question is the change's id, which only its nodes and its operator know; the answer is one word.

peer_port=112 # VRRP's protocol number; a port that nothing else has used since the eighties
peer_grace=30 # seconds that peers are asked for before a node that cannot reach them goes back alone
peer_boot=5   # seconds that a peer that is up may take, after a restart, to listen again

# peers TX: the addresses of the other nodes of a change that is under way.
peers() {
    found=$(value_in "$state/tx/$1/new/manifest" peers)
    [ "$found" = - ] || printf '%s' "$found"
}

# peer_units TX: what listens for a peer's question, from the activation on.
peer_units() {
    cat >"$unit_dir/hactl-peer.socket" <<END && cat >"$unit_dir/hactl-peer@.service" <<END2 || die write "cannot write in $unit_dir"
[Unit]
Description=Answers the other nodes of a change of hactl's
[Socket]
ListenStream=$peer_port
Accept=yes
MaxConnections=16
END
[Unit]
Description=Answers the other nodes of a change of hactl's
[Service]
ExecStart=-/bin/sh $state/agent peer $1
StandardInput=socket
StandardOutput=socket
StandardError=journal
RuntimeMaxSec=20
MemoryMax=64M
END2
}

# answer_peer TX: runs for one connection. A node that is not confirmed takes no confirmation from the
# operator any more once it has said so, and settles as the one that asked does.
answer_peer() {
    IFS= read -r asked || exit 0
    [ "$asked" = "$1" ] || exit 0
    with_mutex 2 >/dev/null
    if is_settled_new "$1"; then
        printf 'confirmed\n'
        exit 0
    fi
    if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
        stop_waiting "$1"
        systemctl --no-block start hactl-revert.service
    fi
    printf 'denied\n'
}

is_settled_new() {
    was_confirmed "$1" ||
        [ "$(value_in "$state/journal" tx)$(value_in "$state/journal" phase)" = "$1confirmed" ]
}

# stop_waiting TX: from here on no confirmation of the operator's is taken.
stop_waiting() {
    [ "$(value_in "$state/journal" phase)" = activated ] || return 0
    journal "$1" asking "$(value_in "$state/journal" generation)" \
        "$(value_in "$state/journal" nginx)" "$(value_in "$state/journal" keepalived)"
}

# ask_peer TX ADDRESS: confirmed, denied, refused (it is up, and nothing there listens) or nothing.
# shellcheck disable=SC2016 # bash expands it, with the values as its arguments
ask_peer() {
    said=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
        printf "%s\n" "$3" >&3
        read -r answer <&3 && printf "%s" "$answer"' hactl "$2" "$peer_port" "$1" 2>&1)
    case $said in
    *refused*) printf refused ;;
    *) printf '%s' "$said" ;;
    esac
}

# ask_peers TX: sets heard to confirmed, denied (by all of them) or silent. The mutex is not held
# meanwhile: they may be asking us.
ask_peers() {
    open=$(peers "$1") heard=denied
    asked_since=$(uptime_seconds)
    while [ -n "$open" ]; do
        still=''
        for address in $open; do
            case $(ask_peer "$1" "$address") in
            confirmed)
                heard=confirmed
                return 0
                ;;
            denied) ;;
            refused)
                # A node that was never activated, or has gone back already: no confirmed one stops
                # listening while another may be asking.
                [ "$(uptime_seconds)" -ge $((asked_since + peer_boot)) ] || still="$still $address"
                ;;
            *) still="$still $address" ;;
            esac
        done
        open=${still# }
        if [ -n "$open" ]; then
            if [ "$(uptime_seconds)" -ge $((asked_since + peer_grace)) ]; then
                heard=silent
                return 0
            fi
            sleep 1
        fi
    done
}
