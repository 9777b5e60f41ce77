#!/bin/sh
# sshd's ForceCommand: runs what was asked for, and stops between the end of a call of hactl's and the
# end of its answer, where a test wants that.
gate=/opt/gate
[ -n "${SSH_ORIGINAL_COMMAND-}" ] || exec "${SHELL:-/bin/sh}"
eval "set -- $SSH_ORIGINAL_COMMAND"
call='' one='' two=''
for word; do
    [ "$two" != hactl-agent ] || [ -n "$call" ] || call=$word
    two=$one one=$word
done
[ -n "$call" ] || exec "$@"
(
    if [ -e "$gate/clock" ]; then
        # The program and everything that it starts sees another time of day from here on.
        read -r FAKETIME <"$gate/clock"
        LD_PRELOAD=/opt/gate/libfaketime.so.1 FAKETIME_DONT_FAKE_MONOTONIC=1
        export LD_PRELOAD FAKETIME FAKETIME_DONT_FAKE_MONOTONIC
    fi
    GATE_CALL=$call
    export GATE_CALL
    exec "$@"
)
code=$?
[ ! -e "$gate/want" ] || "$gate/stop" "$gate" "$call"
exit "$code"
