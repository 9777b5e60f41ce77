# A change that all nodes make at once. Nodes that hear each other by the new configuration only must not
# run the old and the new one side by side: each would be an owner. So one of them, the keeper, goes on
# alone. The others stop keepalived; once all of them are known to have, the keeper loads what is new; and
# once it is known to have, they start. The operator, who sees them all, gives these signals: a node that
# receives none stops there. Clocks decide only where there is no operator any more.

timer_again=30 # seconds after which the revert timer calls again

# switch_in TX: this node's part, or nothing.
switch_in() { value_in "$state/tx/$1/switch" role; }

# take_part TX: its part, between the files and what is done to keepalived.
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

# ready TX SECONDS: answered once keepalived is stopped here for the change. Takes no mutex: the activation
# has it.
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

# signal TX go|stop: what an activation that waits is told. It may come before that.
signal() {
    change_id "$1"
    case $2 in go | stop) ;; *) die protocol "no such signal: $2" ;; esac
    [ -d "$state/tx/$1" ] || die not-active "the change is not prepared here"
    printf '%s\n' "$2" | put "$state/tx/$1/signal" || die disk "cannot write in $state: $(space "$state")"
    finish
}

# hush TX: before the keeper goes back the others are silent, as they were before it went on. Answers this
# node's part.
hush() {
    change_id "$1"
    with_mutex
    carry_on
    role=''
    if [ "$(value_in "$state/journal" tx)" = "$1" ] && [ "$(value_in "$state/journal" phase)" != confirmed ]; then
        role=$(switch_in "$1")
        fall_silent "$1"
    fi
    say switch "${role:--}"
    finish
}

# fall_silent TX: from here on the change is being undone.
fall_silent() {
    [ "$role" = silent ] || return 0
    stays_undone "$1"
    systemctl stop keepalived.service 2>/dev/null || die service "systemctl stop keepalived.service failed"
}

# go_back_apart TX: nobody gives signals when the timers end. They end within the patience of each other, and
# nodes that ask the others do so for some peer_grace: the keeper goes back when the others are silent for
# certain, and these when it has gone back. Until then the program ends here, and the timer calls it again: a
# service that runs for longer than systemd's default of 90 s is killed once its unit is removed.
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
        stays_undone "$1"
        if [ "$role" = silent ]; then
            systemctl stop keepalived.service 2>/dev/null || :
            apart=$((2 * apart + 15))
        fi
        until=$(($(uptime_seconds) + apart))
        printf 'role\t%s\npatience\t%s\nuntil\t%s\n' "$role" "$patience" "$until" | put "$part" ||
            # What cannot be kept would begin anew at every call: then all of it passes in this one.
            timer_again=$apart
    fi
    number "$until"
    left=$((until - $(uptime_seconds)))
    [ "$left" -le "$timer_again" ] || exit 0
    # The mutex is not held meanwhile: an operator may come.
    exec 9>&-
    [ "$left" -le 0 ] || sleep "$left"
    with_mutex 600
    [ "$(value_in "$state/journal" tx)" = "$1" ] || exit 0
    # Where a step of the undo fails it is tried again, without all this.
    rm -f "$part"
}
