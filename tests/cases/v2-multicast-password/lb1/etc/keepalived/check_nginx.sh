#!/bin/sh
# Managed by hactl: cluster old.
# Manual edits are reported as drift by `hactl plan`, and undone by the next `hactl apply`.
#
# Asks the nginx of this host whether it serves: exit 0 if it answers 200 in time, 1 if not, and then
# a line on standard error says why. It only reads: it starts nothing, and healing nginx is the job of
# systemd (`Restart=` in nginx.service.d). Run it by hand as often as you like.
set -u

fail() {
    printf 'check_nginx: %s\n' "$1" >&2
    exit 1
}

# bash is the one HTTP client that every supported distribution has.
# shellcheck disable=SC2016 # the inner bash expands these, not this shell
answer=$(timeout 0.5 bash --norc -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3 || exit 1
    IFS= read -r line <&3 || exit 1
    printf "%s" "$line"
' bash 8081 2>/dev/null)
status=$?

case $status in
    0) ;;
    124) fail 'nginx did not answer on 127.0.0.1:8081 within 0.5 s' ;;
    126 | 127) fail 'bash and timeout are needed, and one of them is missing' ;;
    *) fail 'nginx refused or dropped a connection to 127.0.0.1:8081' ;;
esac
case $answer in
    'HTTP/1.'[01]' 200'*) exit 0 ;;
    *) fail 'nginx answered /health on 127.0.0.1:8081 with something other than 200' ;;
esac
