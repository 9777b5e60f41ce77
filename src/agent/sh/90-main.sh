uid='' is_state_trusted=no

# serve: answers one call after another, until standard input ends. A call is a line with the number of its arguments
# and the size of its input in bytes, a line for each argument, and the input. Each has a shell of its own, since it
# may exit, set traps and hold locks; a signal for this shell does not reach that one.
serve() {
    read_uid
    if [ -d "$state" ] && can_trust_state; then is_state_trusted=yes; fi
    while read -r count size; do
        # Out of step, what follows must not be taken for calls.
        case $count:$size in *[!0-9:]* | :* | *:) exit 1 ;; esac
        set --
        while [ $# -lt "$count" ]; do
            IFS= read -r argument || exit 1
            set -- "$@" "$argument"
        done
        # Shows in the environment of each process which call started it.
        HACTL_CALL=${1-}
        export HACTL_CALL
        if [ "$size" -eq 0 ]; then (main "$@") </dev/null; else send_input "$size" | (main "$@"); fi
        code=$?
        # What was killed may have left half a line, and processes that still write.
        printf '\nanswered\t%s\t%s\n' "$HACTL_CALL" "$code"
        [ "$code" -le 128 ] || exit "$code"
    done
}

# send_input SIZE: copies a call's input. If it cannot be read whole, the rest of it must not be taken for calls.
send_input() {
    read_exactly "$1" && return
    # 141: the call has ended without reading it (SIGPIPE).
    [ "$?" -eq 141 ] || kill "$$"
}

# main VERB [ARGUMENT...]
main() {
    case $1 in validate-inside | test-live | peer | ask-peer | drill-*) ;; *) say hactl-agent 1 ;; esac
    [ -n "$uid" ] || read_uid
    [ "$uid" -eq 0 ] || die not-root "this program must run as root: log in as root, or allow sudo"
    # Healing uses /run only, and must work whatever happened to the state folder.
    case $1:$is_state_trusted in
    heal:* | drill-* | *:yes) ;;
    *) can_trust_state || die unsafe-state "$untrusted" ;;
    esac
    case $1 in
    observe) observe ;;
    announce) announce ;;
    reach) reach ;;
    adverts)
        shift
        adverts "$@"
        ;;
    validate) in_private_mounts validate-inside ;;
    validate-staged)
        change_id "$2"
        in_private_mounts validate-inside "$state/tx/$2/new"
        ;;
    test-live) test_live ;;
    validate-inside) validate_inside "${2-}" ;;
    lock) lock "$2" "$3" "$4" "$5" "${6-}" ;;
    unlock) unlock "$2" ;;
    break-lock) break_lock "$2" "$3" ;;
    prepare) prepare "$2" ;;
    stage) stage "$2" ;;
    activate) activate "$2" "$3" ;;
    confirm) confirm "$2" ;;
    offer) offer "$2" ;;
    withdraw) withdraw "$2" ;;
    ready) ready "$2" "$3" ;;
    signal) signal "$2" "$3" ;;
    hush) hush "$2" ;;
    revert) revert "$2" "$3" "$4" ;;
    noted) noted "$2" ;;
    expire) expire "$2" ;;
    peer) answer_peer "$2" ;;
    ask-peer) put_question "$2" "$3" ;;
    expire-at-boot) expire_at_boot "$2" ;;
    watch) watch "$2" "$3" ;;
    watched) watched "$2" "$3" ;;
    glance) glance "${2-}" ;;
    fault) fault "$2" "$3" "$4" ;;
    heal) heal "$2" ;;
    fault-state) fault_state "$2" ;;
    drill-make) drill_make "$2" ;;
    drill-heal)
        ignore_hangup
        # Its output goes to systemd's journal only, and the timer retries.
        heal_now "$2" || printf 'hactl: cannot undo the fault %s: %s\n' "$drill_name" "$problem"
        ;;
    history) history ;;
    generation) generation "$2" ;;
    *) die protocol "no such call: $1" ;;
    esac
}
if [ "${1-}" = serve ]; then serve; else main "$@"; fi
