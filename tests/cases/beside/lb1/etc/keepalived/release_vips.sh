#!/bin/sh
# Managed by hactl: cluster web.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# systemd runs this after keepalived has stopped. A keepalived that was killed leaves its virtual
# addresses on the interface, and then two nodes own them; this takes them away. After a clean stop
# there is nothing to do, since keepalived removed them itself.
#
# The other nodes miss a keepalived that was killed only after some adverts. Until one of them may have
# taken over, this node goes on serving: an address that was taken away at once would be nobody's. From then
# on it is on the loopback alone, where the node answers who asks it still, and tells nobody (hand_over.sh);
# where it is not there, it stays on the interface until another node has it.
set -u

rm -f /run/hactl/vrrp.*

if [ "${SERVICE_RESULT:-unknown}" = success ]; then
    exit 0
fi
# keepalived still running (this was run by hand): the addresses are its business.
if [ -z "${SERVICE_RESULT:-}" ] && command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet keepalived.service; then
    printf 'release_vips: keepalived is running; nothing done\n' >&2
    exit 0
fi

has() { [ -n "$(ip -o address show dev "$1" to "$2" 2>/dev/null)" ]; }

left=no bridged=yes
look() {
    has "$2" "$1" || return 0
    left=yes
    has lo "$1" || bridged=no
}
# With the prefix that it has: an earlier configuration may have put it there.
release() {
    ip -o address show dev "$2" to "$1" 2>/dev/null | while read -r _ _ _ address _; do
        if ip address delete "$address" dev "$2" 2>/dev/null; then
            printf 'release_vips: removed %s from %s, which a dead keepalived had left there\n' "$address" "$2" >&2
        fi
    done
}
look '10.0.0.100/32' 'eth0'
serves=no
if [ "$left" = yes ] && systemctl is-active --quiet nginx.service 2>/dev/null; then serves=yes; fi
if [ "$serves" = yes ]; then
    sleep 0.04
    [ "$bridged" = yes ] || sleep 0.44
fi
release '10.0.0.100/32' 'eth0'
if [ "$serves$bridged" = yesyes ]; then sleep 0.44; fi
exit 0
