# The peers of a node: the other nodes of a change. A node whose time to confirm is over asks them whether any was
# confirmed, before it rolls back. So all nodes reach the same decision even if the operator's machine dies between
# two confirmations. docs/reliability.md states what this guarantees.
#
# Each side proves, for a nonce that the other has just generated, that it holds the change's key, which itself never
# leaves the node. An eavesdropper or an impostor learns nothing, can replay nothing, and can at most cut the
# connection.

peer_port=112 # VRRP's protocol number; as a port, unused since the eighties
peer_grace=30 # seconds that a node asks unreachable peers before it rolls back alone
peer_boot=5   # seconds that a peer may take to listen again after a reboot

# peers TX: prints the addresses of the other nodes of a change in progress.
peers() {
    found=$(value_in "$state/tx/$1/new/manifest" peers)
    [ "$found" = - ] || printf '%s' "$found"
}

# keep_peer_key: stores the key that `activate` received, for later queries. Without a key, this node has no peers.
keep_peer_key() {
    rm -f "$state/peer-key"
    [ -n "$peer_key" ] || return 0
    put_text "$state/peer-key" "key$tab$peer_key${newline}address$tab$peer_address$newline" ||
        die disk "cannot write $state/peer-key: $(space "$state")"
}

# peer_units TX: adds the units that answer peers, from activation on.
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

# peer_tag WORD TX ADDRESS NONCE NONCE: prints the proof that a holder of the key said WORD about that change, at that
# address, for these two nonces. Hashed twice, against length extension.
peer_tag() {
    sum=$(printf '%s %s' "$peer_key" "$*" | sha256sum)
    sum=$(printf '%s %s' "$peer_key" "${sum%% *}" | sha256sum)
    printf '%s' "${sum%% *}"
}

# read_peer_key: sets peer_key. Ends the program if there is none, since any answer would be accepted then.
read_peer_key() {
    peer_key=$(value_in "$state/peer-key" key)
    [ "${#peer_key}" -ge 32 ] || exit 0
}

# is_nonce TEXT: true if it looks like a UUID of the kernel's.
is_nonce() {
    case $1 in *[!0-9a-f-]*) return 1 ;; esac
    [ "${#1}" -eq 36 ]
}

# answer_peer TX: runs for one connection. Once an unconfirmed node has said so, it accepts no confirmation from the
# operator any more, and reaches the same decision as the peer that asked.
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

# stop_waiting TX: from here on, the operator cannot confirm the change.
stop_waiting() {
    case $(value_in "$state/journal" phase) in
    activated | offered) ;;
    *) return 0 ;;
    esac
    enter_phase "$1" asking
}

# ask_peer TX ADDRESS: prints confirmed, denied, refused (the peer is up, but does not listen) or nothing. Runs this
# program again under bash, which can connect.
ask_peer() {
    said=$(timeout 5 bash "$state/agent" ask-peer "$1" "$2" 2>&1)
    case $said in
    confirmed | denied) printf '%s' "$said" ;;
    *refused*) printf refused ;;
    esac
}

# put_question TX ADDRESS: runs in that bash. Prints only an answer that the peer has proven.
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

# ask_peers TX: sets heard to confirmed, denied (by all of them) or silent. The mutex must not be held, since the
# peers may be asking this node.
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
                # It was never activated, or has already rolled back: a confirmed node keeps listening while another
                # may ask.
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
