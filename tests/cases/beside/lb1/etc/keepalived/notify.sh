#!/bin/sh
# Managed by hactl: cluster web.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# keepalived runs this when a VRRP instance changes its state:
#     notify.sh INSTANCE NAME MASTER|BACKUP|FAULT
# It logs the change, and keeps the last one in /run/hactl/vrrp.NAME.
set -u
umask 022

if [ $# -lt 3 ]; then
    printf 'usage: notify.sh INSTANCE NAME MASTER|BACKUP|FAULT\n' >&2
    exit 64
fi
kind=$1 name=$2 state=$3
case $name in
    '' | .* | *[!A-Za-z0-9_.-]*)
        printf 'notify.sh: no instance name: %s\n' "$name" >&2
        exit 64
        ;;
esac

log() {
    if command -v logger >/dev/null 2>&1 && logger -t hactl-notify -p "daemon.$1" -- "$2" 2>/dev/null; then
        return
    fi
    if command -v systemd-cat >/dev/null 2>&1 && printf '%s\n' "$2" | systemd-cat -t hactl-notify -p "$1" 2>/dev/null; then
        return
    fi
    printf 'hactl-notify: %s\n' "$2" >&2
}

case $state in
    MASTER) log notice "$name is MASTER: this node now owns its addresses" ;;
    BACKUP) log notice "$name is BACKUP: another node owns its addresses" ;;
    FAULT) log warning "$name is in FAULT: this node can't own its addresses" ;;
    *) log notice "$name is $state" ;;
esac

# A reader sees the old state or the new one, never half of it.
mkdir -p /run/hactl
if temporary=$(mktemp /run/hactl/.vrrp.XXXXXX) && printf '%s\n' "$state" > "$temporary" &&
    chmod 644 "$temporary" && mv -f "$temporary" "/run/hactl/vrrp.$name"; then
    :
else
    rm -f "${temporary:-}"
    log warning "failed to write /run/hactl/vrrp.$name"
fi

# What arrives here while the addresses come and go is answered. In the background, where it waits: the
# hook, and keepalived's stop, need not.
if [ "$state" = MASTER ]; then /etc/keepalived/hand_over.sh sync; else /etc/keepalived/hand_over.sh later & fi

# No hook is set; with one, it would get the kind as well.
: "$kind"
