# A change that is pending confirmation. The node at position 0 decides for all: a change is confirmed there before it
# is confirmed on any other node, and given up there before any node rolls it back. So if two operators confirm and
# cancel at the same time, the first to reach that node wins, whatever happens to either.

# must_be_offered TX: dies if this node decides, the operator has to confirm, and hactl has not yet reported that the
# change is active and works on all nodes.
must_be_offered() {
    [ "$(value_in "$state/journal" phase)" = activated ] || return 0
    staged=$state/tx/$1/new/manifest
    [ "$(value_in "$staged" confirm)" = manual ] && [ "$(value_in "$staged" position)" = 0 ] || return 0
    die not-offered "hactl has not verified this change yet"
}

# offer TX: all nodes have the change, and it works. From now on, any operator may confirm it here.
offer() {
    change_id "$1"
    with_mutex
    [ "$(value_in "$state/journal" tx)" = "$1" ] ||
        die not-active "the change is not active here: $(value_in "$state/outcome" why)"
    case $(value_in "$state/journal" phase) in
    activated)
        enter_phase "$1" offered
        ;;
    offered) ;;
    *) die not-active 'the change has expired or was cancelled' ;;
    esac
    say offered "$(time_left "$1")"
    finish
}

# withdraw TX: from now on, the change cannot be confirmed here, unless it already is; reports which. What was
# activated stays for now.
withdraw() {
    change_id "$1"
    with_mutex
    ignore_hangup
    if is_settled_new "$1"; then
        say settled new
        finish
    fi
    if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
        stop_waiting "$1"
    else
        # It was never activated here, or is rolled back. Now it cannot be activated any more.
        rm -rf "$state/tx/$1/new"
    fi
    say settled old
    finish
}

# time_left TX: prints the seconds until the timer ends, or nothing. After a reboot, the timer starts over.
time_left() {
    [ -f "$state/tx/$1/timeout" ] || return 0
    read -r timeout begun boot <"$state/tx/$1/timeout" || return 0
    [ "$boot" = "$(boot_id)" ] || begun=0
    case $timeout$begun in '' | *[!0-9]*) return 0 ;; esac
    left=$((begun + timeout - $(uptime_seconds)))
    [ "$left" -gt 0 ] || left=0
    printf '%s' "$left"
}

# say_journal: reports the change in progress: id, phase, generation, position among its nodes, their number, who
# confirms it, seconds left, who applied it.
say_journal() {
    under_way='' phase='' number='' place='' of='' by='' confirmed_by=''
    while IFS=$tab read -r key value _; do
        case $key in
        tx) under_way=$value ;;
        phase) phase=$value ;;
        generation) number=$value ;;
        esac
    done <"$state/journal"
    if [ -f "$state/tx/$under_way/new/manifest" ]; then
        while IFS=$tab read -r key value _; do
            case $key in
            position) place=$value ;;
            nodes) of=$value ;;
            confirm) confirmed_by=$value ;;
            applied_by) by=$value ;;
            esac
        done <"$state/tx/$under_way/new/manifest"
    fi
    say journal "$under_way" "$phase" "$number" "$place" "$of" "$confirmed_by" "$(time_left "$under_way")" "$by"
}

# noted TX: records that an operator was told how the change ended, so that hactl does not repeat it.
noted() {
    change_id "$1"
    with_mutex
    if [ "$(value_in "$state/outcome" tx)" = "$1" ] && [ -z "$(value_in "$state/outcome" noted)" ]; then
        { cat "$state/outcome" && printf 'noted\tyes\n'; } | put "$state/outcome" || :
    fi
    finish
}
