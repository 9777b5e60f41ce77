#!/bin/sh
# hactl's ssh on the controller: stops before a connection is opened, where a test wants that.
for host; do :; done
gate=$HACTL_TEST_GATE/$host
for word; do
    if [ "$word" = -M ] && [ -d "$gate" ]; then
        "$HACTL_TEST_GATE/stop" "$gate" connect
        break
    fi
done
exec /usr/bin/ssh "$@"
