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
#     hand_over.sh          systemd, before it stops nginx: the addresses leave while nginx still serves
#     hand_over.sh sync     notify.sh at MASTER, and systemd: what is on the interface is on the loopback
#     hand_over.sh later    notify.sh at any other state, and systemd: what left the interface goes
#     hand_over.sh end      before this file is replaced or goes: all of it goes at once
set -u

run_dir=/run/hactl
# One line for each address that this script put on the loopback: ADDRESS INTERFACE.
notes=$run_dir/handed-over
# keepalived calls this for several instances at once: one after the other then.
lock=$run_dir/hand_over.lock
[ -d "$run_dir" ] || mkdir -p "$run_dir"

# Neighbours know the next owner by then.
linger() { sleep 0.3; }

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

# drop ADDRESS INTERFACE: where it is ours. The note goes last: whoever finds it does all of this again.
drop() {
    is_ours "$1" "$2" || return 0
    lost=''
    case $1 in *:*) ;; *) is_noted "$1" "$2" || lost=lost ;; esac
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

# drop_gone: what is no longer on its interface.
drop_gone() {
    is_on 'eth0' '10.0.0.100/32' || drop '10.0.0.100/32' 'eth0'
    return 0
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
    linger
    { flock 9 && drop_gone; } 9>"$lock"
    ;;
end) { flock 9 && end; } 9>"$lock" ;;
*)
    { flock 9 && keep_all; } 9>"$lock"
    echo -254 >/run/hactl/nginx
    # At once by FAULT; by a weight only when the next owner has it. Where there is none, it stays.
    waited=0
    while owns_any && [ "$waited" -lt 10 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
    linger
    { flock 9 && drop_gone; } 9>"$lock"
    ;;
esac
exit 0
