#!/bin/sh
# Stops before the activation puts a file in place, where a test wants that.
if [ "${HACTL_CALL-}" != activate ] || [ ! -e /opt/gate/want ]; then exec /usr/bin/mv "$@"; fi
for last; do :; done
case $last in
/var/lib/hactl/journal) /opt/gate/stop /opt/gate 'activate: journal' ;;
/etc/systemd/system/hactl-* | /etc/systemd/system/.hactl.*) /opt/gate/stop /opt/gate 'activate: unit' ;;
/etc/*) /opt/gate/stop /opt/gate 'activate: file' ;;
esac
exec /usr/bin/mv "$@"
