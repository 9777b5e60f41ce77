#!/bin/sh
# Managed by hactl: cluster web.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# The node that owns a virtual address has it on its loopback interface, too, and keeps it there for 0.3 s
# after it has left the interface. keepalived takes an address off the interface before the next owner has
# told the neighbours that it has it; what they send here meanwhile, and what was being answered, would be
# lost. On the loopback the address is this node's own, and nobody is told so: IPv4 needs arp_ignore and
# arp_announce for that; IPv6 speaks for the addresses of the interface alone anyway (RFC 4861, 7.2).
#
# Where nginx has requests then that it has not answered, the address stays for up to 2 s more, and the
# connections of the clients that still wait after that are reset: without the address nothing can leave, and
# they would wait until they give up.
#
#     hand_over.sh          systemd, before it stops nginx: the addresses leave while nginx still serves
#     hand_over.sh sync     notify.sh at MASTER, and systemd: what is on the interface is on the loopback
#     hand_over.sh later    notify.sh at any other state, and systemd: what left the interface goes
#     hand_over.sh rest     itself: the same, where requests are left
#     hand_over.sh end      before this file is replaced or goes: all of it goes
set -uf

run_dir=/run/hactl
# One line for each address that this script put on the loopback: ADDRESS INTERFACE.
notes=$run_dir/handed-over
# keepalived calls this for several instances at once: one after the other then.
lock=$run_dir/hand_over.lock
[ -d "$run_dir" ] || mkdir -p "$run_dir"

# Locked by everyone who waits for an address to be dropped; the last of them drops it.
lingering=$run_dir/lingering.lock

# Neighbours know the next owner by then.
linger() { sleep 0.3; }

# unanswered ADDRESS: the clients that wait for an answer from it, one a line: what they sent last came after
# what was sent to them last.
unanswered() {
    ss -Htin src "[${1%/*}]" 2>/dev/null | awk '
        /^[A-Z]/ { client = $1 ~ /^(ESTAB|CLOSE-WAIT)$/ ? $5 : ""; unread = $2; next }
        client != "" {
            # What is 0 is not printed.
            split("", fact)
            for (i = 1; i <= NF; i++) if ((at = index($i, ":"))) fact[substr($i, 1, at - 1)] = substr($i, at + 1)
            asked_only = fact["bytes_received"] > 0 && !fact["data_segs_out"]
            if (unread > 0 || asked_only || fact["lastrcv"] + 0 < fact["lastsnd"] + 0) print client
            client = ""
        }'
}

# hush INTERFACE: no answer to ARP for an address that is not on it, and no question in its name.
hush() {
    conf=/proc/sys/net/ipv4/conf/$1
    # Kept once: what a script that was killed left is not the host's own.
    if [ ! -e "$run_dir/arp.$1" ]; then
        echo "$(cat "$conf/arp_ignore") $(cat "$conf/arp_announce")" >"$run_dir/arp.$1" || return 1
    fi
    { echo 1 >"$conf/arp_ignore" && echo 2 >"$conf/arp_announce"; } 2>/dev/null
}

# unhush INTERFACE [lost]: as it was; where that note was lost, as a new interface would be.
unhush() {
    from=$run_dir/arp.$1 conf=/proc/sys/net/ipv4/conf
    if [ -e "$from" ]; then
        read -r ignore announce <"$from"
    elif [ "${2-}" = lost ]; then
        ignore=$(cat "$conf/default/arp_ignore") announce=$(cat "$conf/default/arp_announce")
    else
        return 0
    fi
    { echo "$ignore" >"$conf/$1/arp_ignore" && echo "$announce" >"$conf/$1/arp_announce"; } 2>/dev/null
    rm -f "$from"
}

# is_on INTERFACE ADDRESS
is_on() { [ -n "$(ip -o address show dev "$1" to "$2" 2>/dev/null)" ]; }

is_noted() { [ -e "$notes" ] && grep -qxF "$1 $2" "$notes"; }

# keep ADDRESS INTERFACE: noted first, so that it goes again whatever happens. One that is on the loopback
# without a note is somebody else's.
keep() {
    if is_on lo "$1" || ! is_on "$2" "$1"; then return 0; fi
    is_noted "$1" "$2" || echo "$1 $2" >>"$notes" || return 0
    # Never the source of what this node says by itself: of scope host, or without a preferred time.
    case $1 in
    *:*) ip address add "$1" dev lo nodad preferred_lft 0 2>/dev/null ;;
    *) hush "$2" && ip address add "$1" dev lo scope host 2>/dev/null ;;
    esac
}

# is_ours ADDRESS INTERFACE: there is a note, or, where the notes were lost, it looks as we make it.
is_ours() {
    is_noted "$1" "$2" ||
        case $1 in
        *:*) ip -o address show dev lo to "$1" deprecated 2>/dev/null ;;
        *) ip -o address show dev lo to "$1" scope host 2>/dev/null ;;
        esac | grep -q .
}

# dismiss ADDRESS: it goes at a moment in which no client waits for an answer from it, since one that has just
# asked gets its own within milliseconds. Where no such moment comes, those that wait are reset.
dismiss() {
    tries=0
    while waiting=$(unanswered "$1") && [ -n "$waiting" ]; do
        if [ "$tries" -ge 20 ]; then
            for client in $waiting; do ss -K -tn src "[${1%/*}]" dst "$client" >/dev/null 2>&1; done
            return 0
        fi
        sleep 0.01
        tries=$((tries + 1))
    done
}

# drop ADDRESS INTERFACE: where it is ours. The note goes last: whoever finds it does all of this again.
drop() {
    is_ours "$1" "$2" || return 0
    lost=''
    case $1 in *:*) ;; *) is_noted "$1" "$2" || lost=lost ;; esac
    is_on "$2" "$1" || dismiss "$1"
    ip address delete "$1" dev lo 2>/dev/null
    left=''
    [ ! -e "$notes" ] || left=$(grep -vxF "$1 $2" "$notes")
    case "$left " in *" $2"[[:space:]]*) ;; *) unhush "$2" "$lost" ;; esac
    if [ -z "$left" ]; then
        rm -f "$notes"
    elif printf '%s\n' "$left" >"$notes.new"; then
        mv -f "$notes.new" "$notes"
    fi
}

keep_all() {
    keep '10.0.0.100/32' 'eth0'
    return 0
}

owns_any() {
    if is_on 'eth0' '10.0.0.100/32'; then return 0; fi
    return 1
}

# is_any_unanswered: at an address that is no longer on its interface.
is_any_unanswered() {
    if ! is_on 'eth0' '10.0.0.100/32' && is_on lo '10.0.0.100/32' &&
        [ -n "$(unanswered '10.0.0.100/32')" ]; then return 0; fi
    return 1
}

# await_answers: where clients wait for an answer from an address that has left.
await_answers() {
    waited=0
    while [ "$waited" -lt 20 ] && is_any_unanswered; do
        sleep 0.1 8>&-
        waited=$((waited + 1))
    done
}

# is_last: nobody else waits for an address to be dropped.
is_last() { flock -n 7; } 7>"$lingering"

# drop_gone: what is no longer on its interface, unless somebody waits for that.
drop_gone() {
    is_last || return 0
    is_on 'eth0' '10.0.0.100/32' || drop '10.0.0.100/32' 'eth0'
    return 0
}

# leave: whoever lingered does so no longer.
leave() { flock 9 && flock -u 8 && drop_gone; } 9>"$lock"

# await_last: what lingers is dropped by whoever waits for that.
await_last() {
    waited=0
    until is_last || [ "$waited" -ge 30 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
}

end() {
    [ -e "$notes" ] || return 0
    noted=$(cat "$notes")
    while read -r address interface; do
        drop "$address" "$interface"
    done <<END
$noted
END
}

case ${1-} in
sync) { flock 9 && keep_all && drop_gone; } 9>"$lock" ;;
later)
    {
        flock -s 8
        linger 8>&-
        # In a unit of its own: systemd ends what keepalived.service has left, and a start of it waits for that.
        if is_any_unanswered && systemd-run --quiet /bin/sh "$0" rest >/dev/null 2>&1 8>&-; then :; else leave; fi
    } 8>"$lingering"
    ;;
rest)
    {
        flock -s 8
        await_answers
        leave
    } 8>"$lingering"
    ;;
end)
    await_last
    { flock 9 && end; } 9>"$lock"
    ;;
*)
    { flock 9 && keep_all; } 9>"$lock"
    echo -254 >/run/hactl/nginx
    # At once by FAULT; by a weight only when the next owner has it. Where there is none, it stays.
    waited=0
    while owns_any && [ "$waited" -lt 10 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
    {
        flock -s 8
        linger 8>&-
        await_answers
        leave
    } 8>"$lingering"
    ;;
esac
exit 0
