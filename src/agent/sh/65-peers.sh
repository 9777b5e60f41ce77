# The other nodes of a change. A node whose time is over asks them whether any was confirmed before it
# goes back, so that all end on the same side when the operator's machine dies between two
# confirmations. docs/reliability.md states what this guarantees.
#
# Both sides prove, each for a number that the other has just thrown, that they hold the change's key,
# which itself never leaves them. Whoever listens, or answers in a node's place, learns nothing, can
# repeat nothing, and can do no more than to cut the line.

peer_port=112 # VRRP's protocol number; a port that nothing else has used since the eighties
peer_grace=30 # seconds that peers are asked for before a node that cannot reach them goes back alone
peer_boot=5   # seconds that a peer that is up may take, after a restart, to listen again

# peers TX: the addresses of the other nodes of a change that is under way.
peers() {
    found=$(value_in "$state/tx/$1/new/manifest" peers)
    [ "$found" = - ] || printf '%s' "$found"
}

# keep_peer_key: what `activate` was sent becomes the key of the questions to come. Without one, this
# node is alone.
keep_peer_key() {
    rm -f "$state/peer-key"
    [ -n "$peer_key" ] || return 0
    put_text "$state/peer-key" "key$tab$peer_key${newline}address$tab$peer_address$newline" ||
        die disk "cannot write $state/peer-key: $(space "$state")"
}

# peer_units TX: what listens for a peer's question, from the activation on.
peer_units() {
    new_unit hactl-peer.socket "[Unit]
Description=Answers the other nodes of a change of hactl's
[Socket]
ListenStream=$peer_port
Accept=yes
MaxConnections=64
MaxConnectionsPerSource=8
"
    new_unit hactl-peer@.service "[Unit]
Description=Answers the other nodes of a change of hactl's
# An answer that took too long leaves no failed unit behind.
CollectMode=inactive-or-failed
[Service]
ExecStart=-/bin/sh $state/agent peer $1
StandardInput=socket
StandardOutput=socket
StandardError=journal
RuntimeMaxSec=10
MemoryMax=64M
"
}

# peer_tag WORD TX ADDRESS NONCE NONCE: proves who holds the key, and that WORD is what it said, of that
# change, at that address, after these two numbers. Hashed twice, so that nobody can append to it.
peer_tag() {
    sum=$(printf '%s %s' "$peer_key" "$*" | sha256sum)
    sum=$(printf '%s %s' "$peer_key" "${sum%% *}" | sha256sum)
    printf '%s' "${sum%% *}"
}

# read_peer_key: sets peer_key; ends the program where there is none, since any answer would do then.
read_peer_key() {
    peer_key=$(value_in "$state/peer-key" key)
    [ "${#peer_key}" -ge 32 ] || exit 0
}

# is_nonce TEXT: of the form that the kernel gives them.
is_nonce() {
    case $1 in *[!0-9a-f-]*) return 1 ;; esac
    [ "${#1}" -eq 36 ]
}

# answer_peer TX: runs for one connection. A node that is not confirmed takes no confirmation from the
# operator any more once it has said so, and settles as the one that asked does.
answer_peer() {
    read_peer_key
    address=$(value_in "$state/peer-key" address)
    nonce=$(cat /proc/sys/kernel/random/uuid)
    printf '%s\n' "$nonce"
    read -r theirs tag || exit 0
    is_nonce "$theirs" && [ "$tag" = "$(peer_tag asked "$1" "$address" "$nonce" "$theirs")" ] || exit 0
    with_mutex 2 >/dev/null
    if is_settled_new "$1"; then
        word=confirmed
    else
        word=denied
        if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
            stop_waiting "$1"
            systemctl --no-block start hactl-revert.service
        fi
    fi
    printf '%s %s\n' "$word" "$(peer_tag "$word" "$1" "$address" "$nonce" "$theirs")"
}

is_settled_new() {
    was_confirmed "$1" ||
        [ "$(value_in "$state/journal" tx)$(value_in "$state/journal" phase)" = "$1confirmed" ]
}

# stop_waiting TX: from here on no confirmation of the operator's is taken.
stop_waiting() {
    case $(value_in "$state/journal" phase) in
    activated | offered) ;;
    *) return 0 ;;
    esac
    enter_phase "$1" asking
}

# ask_peer TX ADDRESS: confirmed, denied, refused (it is up, and nothing there listens) or nothing.
# The program runs again for that, under bash, which can connect.
ask_peer() {
    said=$(timeout 5 bash "$state/agent" ask-peer "$1" "$2" 2>&1)
    case $said in
    confirmed | denied) printf '%s' "$said" ;;
    *refused*) printf refused ;;
    esac
}

# put_question TX ADDRESS: within that bash. Only what the peer has proven is repeated.
# shellcheck disable=SC3025,SC3045
put_question() {
    read_peer_key
    exec 3<>"/dev/tcp/$2/$peer_port" || exit 1
    read -r -n 100 theirs <&3 && is_nonce "$theirs" || exit 0
    nonce=$(cat /proc/sys/kernel/random/uuid)
    printf '%s %s\n' "$nonce" "$(peer_tag asked "$1" "$2" "$theirs" "$nonce")" >&3
    read -r -n 100 word tag <&3 || exit 0
    case $word in confirmed | denied) ;; *) exit 0 ;; esac
    [ "$tag" != "$(peer_tag "$word" "$1" "$2" "$theirs" "$nonce")" ] || printf '%s' "$word"
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
