# A change that all nodes make at once. Nodes that hear each other only under the new configuration must not run the
# old and the new one side by side: each would become an owner. So one node, the keeper, carries on alone. The others
# stop keepalived. Once all of them are known to have stopped, the keeper loads the new configuration, and once it is
# known to have, they start. The operator, who sees all nodes, gives these signals, and a node that receives none goes
# no further. Clocks decide only if there is no operator any more.

timer_again=30 # seconds between two calls of the revert timer

# switch_in TX: prints this node's role, or nothing.
switch_in() { value_in "$state/tx/$1/switch" role; }

# take_part TX: performs this node's role, after its files are installed and before keepalived is acted on.
take_part() {
    printf 'role\t%s\npatience\t%s\n' "$switch_role" "$switch_patience" | put "$into/switch" ||
        die disk "cannot write in $into: $(space "$state")"
    if [ "$switch_role" = silent ]; then
        systemctl stop keepalived.service 2>/dev/null || die service "systemctl stop keepalived.service failed"
        : | put "$into/silent" || die disk "cannot write in $into: $(space "$state")"
    fi
    since=$(uptime_seconds)
    while :; do
        case $(cat "$into/signal" 2>/dev/null) in
        go) return 0 ;;
        stop) die called-off "another node could not take its part in the change" ;;
        esac
        [ "$(uptime_seconds)" -le $((since + switch_patience)) ] ||
            die late "the other nodes were not ready within $switch_patience s"
        sleep 0.05
    done
}

# ready TX SECONDS: answers once keepalived is stopped here for the change. Does not take the mutex, which the
# activation holds.
ready() {
    change_id "$1"
    number "$2"
    since=$(uptime_seconds)
    until [ -f "$state/tx/$1/silent" ]; do
        [ "$(uptime_seconds)" -le $((since + $2)) ] || die late "keepalived was not stopped within $2 s"
        sleep 0.05
    done
    finish
}

# signal TX go|stop: signals a waiting activation. The signal may arrive before it waits.
signal() {
    change_id "$1"
    case $2 in go | stop) ;; *) die protocol "no such signal: $2" ;; esac
    [ -d "$state/tx/$1" ] || die not-active "the change is not prepared here"
    printf '%s\n' "$2" | put "$state/tx/$1/signal" || die disk "cannot write in $state: $(space "$state")"
    finish
}

# hush TX: before the keeper rolls back, the other nodes must be silent, as they were before it activated. Reports
# this node's role.
hush() {
    change_id "$1"
    with_mutex
    ignore_hangup
    role=''
    if [ "$(value_in "$state/journal" tx)" = "$1" ] && [ "$(value_in "$state/journal" phase)" != confirmed ]; then
        role=$(switch_in "$1")
        fall_silent "$1"
    fi
    say switch "${role:--}"
    finish
}

# fall_silent TX: marks the change as rolling back and stops keepalived, if this node is a silent one.
fall_silent() {
    [ "$role" = silent ] || return 0
    mark_rolling_back "$1"
    systemctl stop keepalived.service 2>/dev/null || die service "systemctl stop keepalived.service failed"
}

# go_back_apart TX: without an operator, orders the rollbacks when the timers end. These end within `patience` of each
# other, and nodes query their peers for some peer_grace. The keeper rolls back once the others are certainly silent,
# and they do once it has. Until then, the program ends here, and the timer calls it again: a service that runs for
# longer than systemd's default of 90 s is killed once its unit is removed.
go_back_apart() {
    role=$(switch_in "$1")
    case $(value_in "$state/journal" phase) in '' | confirmed) return 0 ;; esac
    [ -n "$role" ] || return 0
    part=$state/tx/$1/switch
    patience=$(value_in "$part" patience)
    until=$(value_in "$part" until)
    if [ -z "$until" ]; then
        number "$patience"
        apart=$((patience + peer_grace + 15))
        mark_rolling_back "$1"
        if [ "$role" = silent ]; then
            systemctl stop keepalived.service 2>/dev/null || :
            apart=$((2 * apart + 15))
        fi
        until=$(($(uptime_seconds) + apart))
        printf 'role\t%s\npatience\t%s\nuntil\t%s\n' "$role" "$patience" "$until" | put "$part" ||
            # If the deadline cannot be stored, each call would start over, so this one waits it out.
            timer_again=$apart
    fi
    number "$until"
    left=$((until - $(uptime_seconds)))
    [ "$left" -le "$timer_again" ] || exit 0
    # Release the mutex, so that an operator can act meanwhile.
    exec 9>&-
    [ "$left" -le 0 ] || sleep "$left"
    with_mutex 600
    [ "$(value_in "$state/journal" tx)" = "$1" ] || exit 0
    # If a step of the rollback fails, its retry skips all this.
    rm -f "$part"
}
