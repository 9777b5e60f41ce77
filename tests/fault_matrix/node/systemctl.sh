#!/bin/sh
# Stops before the activation asks the service manager for something, where a test wants that; and is
# the daemon that refuses a configuration, or does not take it.
gate=/opt/gate
case ${HACTL_CALL-}:$1 in
activate:daemon-reload | activate:start | activate:stop | activate:reload | activate:restart)
    [ ! -e "$gate/want" ] || "$gate/stop" "$gate" "activate: $1${2:+ $2}"
    ;;
esac
# FAULT DAEMON...: true when this is about the daemon, and its file is the one that is minded.
minds() {
    [ -f "$gate/$1-$2" ] && read -r mark <"$gate/$1-$2" && grep -Eq "$mark" "/etc/$2/$2.conf"
}
case "$1 ${2-}" in
'reload nginx.service' | 'restart nginx.service' | 'start nginx.service') daemon=nginx ;;
'reload keepalived.service' | 'restart keepalived.service' | 'start keepalived.service') daemon=keepalived ;;
*) exec /usr/bin/systemctl "$@" ;;
esac
if minds refuse "$daemon"; then
    echo "Job for $2 failed because the control process exited with error code." >&2
    exit 1
fi
if [ "$1" = reload ] && minds ignore "$daemon"; then exit 0; fi
exec /usr/bin/systemctl "$@"
