#!/bin/sh
# Managed by hactl: cluster weighed.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# systemd runs this after keepalived has stopped. A keepalived that was killed leaves its virtual
# addresses on the interface, and then two nodes own them; this takes them away. After a clean stop
# there is nothing to do, since keepalived removed them itself.
#
# The other nodes miss a keepalived that was killed only after some adverts. Until then this node goes
# on serving: an address that was taken away at once would be nobody's meanwhile.
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

waited=no
release() {
    [ -n "$(ip -o address show dev "$2" to "${1%/*}" 2>/dev/null)" ] || return 0
    if [ "$waited" = no ] && systemctl is-active --quiet nginx.service 2>/dev/null; then
        sleep 0.48
        waited=yes
    fi
    if ip address delete "$1" dev "$2" 2>/dev/null; then
        printf 'release_vips: removed %s from %s, which a dead keepalived had left there\n' "$1" "$2" >&2
    fi
}
release '10.0.0.100/24' 'eth0'
exit 0
