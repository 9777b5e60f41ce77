#!/bin/sh
# sshd's ForceCommand: runs what was asked for, and stops between the end of a call of hactl's and the
# end of its answer, where a test wants that.
gate=/opt/gate tab=$(printf '\t')
[ -n "${SSH_ORIGINAL_COMMAND-}" ] || exec "${SHELL:-/bin/sh}"
eval "set -- $SSH_ORIGINAL_COMMAND"
case " $* " in *' hactl-agent '*) ;; *) exec "$@" ;; esac
[ -e "$gate/want" ] || [ -e "$gate/clock" ] || exec "$@"
# The programs that it starts see another time of day as soon as there is a file.
LD_PRELOAD=/opt/gate/libfaketime.so.1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 \
    FAKETIME_TIMESTAMP_FILE=$gate/clock "$@" |
    while IFS= read -r line; do
        case $line in
        "answered$tab"*)
            call=${line#*"$tab"}
            [ ! -e "$gate/want" ] || "$gate/stop" "$gate" "${call%%"$tab"*}"
            ;;
        esac
        printf '%s\n' "$line" || exit
    done
