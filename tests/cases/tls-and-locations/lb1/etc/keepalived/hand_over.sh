#!/bin/sh
# Managed by hactl: cluster shop.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# systemd runs this before it stops nginx, and with `end` after nginx has stopped: a planned stop hands
# the virtual addresses over while nginx still serves.
#
# keepalived takes an address off the interface before the next owner has told the neighbours that it has
# it, and what they send here meanwhile would be lost. So this node goes on answering for its addresses,
# on its loopback interface: there they are its own, and nobody is told so. IPv4 needs arp_ignore and
# arp_announce for that; IPv6 speaks for the addresses of the interface alone anyway (RFC 4861, 7.2).
set -u

run_dir=/run/hactl
[ -d "$run_dir" ] || mkdir -p "$run_dir"

# hush INTERFACE: no answer to ARP for an address that is not on it, and no question in its name.
hush() {
    conf=/proc/sys/net/ipv4/conf/$1
    # Kept once: what a hand-over that was killed left is not the host's own.
    if [ ! -e "$run_dir/arp.$1" ]; then
        echo "$(cat "$conf/arp_ignore") $(cat "$conf/arp_announce")" >"$run_dir/arp.$1" || return 1
    fi
    echo 1 >"$conf/arp_ignore" && echo 2 >"$conf/arp_announce"
}

unhush() {
    [ -e "$run_dir/arp.$1" ] || return 0
    read -r ignore announce <"$run_dir/arp.$1"
    echo "$ignore" >"/proc/sys/net/ipv4/conf/$1/arp_ignore"
    echo "$announce" >"/proc/sys/net/ipv4/conf/$1/arp_announce"
    rm -f "$run_dir/arp.$1"
}

# is_on INTERFACE ADDRESS
is_on() { [ -n "$(ip -o address show dev "$1" to "$2" 2>/dev/null)" ]; }

# keep ADDRESS INTERFACE: noted first, so that it goes again whatever happens. One that is on the loopback
# already is somebody else's, or goes with the note of the hand-over that was killed.
keep() {
    if ! is_on "$2" "$1" || is_on lo "$1"; then return 0; fi
    echo "$1" >>"$run_dir/handed-over" || return 0
    case $1 in
    *:*) ip address add "$1" dev lo nodad 2>/dev/null ;;
    *) hush "$2" && ip address add "$1" dev lo 2>/dev/null ;;
    esac
}

end() {
    if [ -e "$run_dir/handed-over" ]; then
        while read -r address; do
            ip address delete "$address" dev lo 2>/dev/null
        done <"$run_dir/handed-over"
        rm -f "$run_dir/handed-over"
    fi
    unhush 'eth0'
    return 0
}

if [ "${1-}" = end ]; then
    end
    exit 0
fi
keep '10.0.0.100/32' 'eth0'
echo -254 >/run/hactl/nginx
sleep 0.3
end
