#!/bin/sh
# A daemon's own test of its file, which refuses one that is minded.
name=${0##*/}
for word; do
    [ "$word" != -t ] || [ ! -f "/opt/gate/refuse-$name" ] || {
        read -r mark <"/opt/gate/refuse-$name"
        if grep -Eq "$mark" "/etc/$name/$name.conf"; then
            echo "$name: [emerg] something that only this build minds" >&2
            exit 1
        fi
    }
done
exec "/usr/sbin/$name" "$@"
