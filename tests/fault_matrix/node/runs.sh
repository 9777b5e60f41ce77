#!/bin/sh
# What a node runs: its kernel's settings (their names are the arguments), and the configurations that
# nginx and keepalived say they use.
sysctl "$@"
port=$(sed -n 's/.*listen 127.0.0.1:\([0-9]*\);.*/\1/p' /etc/nginx/nginx.conf | head -n 1)
printf 'nginx %s %s\n' "$(/usr/bin/systemctl is-active nginx)" \
    "$(curl -s --fail --max-time 2 "http://127.0.0.1:$port/generation")"
pid=$(/usr/bin/systemctl show -p MainPID --value keepalived)
loaded=none
if [ "${pid:-0}" -gt 0 ]; then
    # Not while hactl's own program asks the same.
    exec 8</root && flock -w 5 8
    dump=/proc/$pid/root/tmp/keepalived.data
    rm -f "$dump" && kill -s USR1 "$pid"
    tries=0
    until grep -q 'VRRP Sockpool' "$dump" 2>/dev/null || [ "$tries" -ge 100 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    loaded=$(sed -n 's/.*Smtp HELO name = hactl-//p' "$dump")
    rm -f "$dump" "/proc/$pid/root/tmp/keepalived_parent.data"
fi
printf 'keepalived %s %s\n' "$(/usr/bin/systemctl is-active keepalived)" "$loaded"
