# A change that waits for the operator. The node in place 0 decides for all: a change is confirmed there
# before it is anywhere else, and given up there before it is undone anywhere. So of two people who
# confirm and cancel at the same time, the first one at that node is right, whatever happens to either.

# must_be_offered TX: dies where this node decides, the operator has to confirm, and the hactl that makes the
# change has not yet said that all nodes have it and that it works.
must_be_offered() {
    [ "$(value_in "$state/journal" phase)" = activated ] || return 0
    staged=$state/tx/$1/new/manifest
    [ "$(value_in "$staged" confirm)" = manual ] && [ "$(value_in "$staged" position)" = 0 ] || return 0
    die not-offered "hactl has not proven this change yet"
}

# offer TX: all nodes have it, and it works; from now on anybody may confirm it here.
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
    *) die not-active 'its time was over, or it was cancelled' ;;
    esac
    say offered "$(time_left "$1")"
    finish
}

# withdraw TX: from now on the change can't be confirmed here, unless it is already; answers which. What
# was activated stays for now.
withdraw() {
    change_id "$1"
    with_mutex
    carry_on
    if is_settled_new "$1"; then
        say settled new
        finish
    fi
    if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
        stop_waiting "$1"
    else
        # It was not activated here, or was undone: nor will it be.
        rm -rf "$state/tx/$1/new"
    fi
    say settled old
    finish
}

# time_left TX: the seconds until the timer ends, or nothing. After a restart it begins anew.
time_left() {
    [ -f "$state/tx/$1/timeout" ] || return 0
    read -r timeout begun boot <"$state/tx/$1/timeout" || return 0
    [ "$boot" = "$(boot_id)" ] || begun=0
    case $timeout$begun in '' | *[!0-9]*) return 0 ;; esac
    left=$((begun + timeout - $(uptime_seconds)))
    [ "$left" -gt 0 ] || left=0
    printf '%s' "$left"
}

# say_journal: the change under way: id, phase, generation, place among its nodes, their number, who
# confirms it, seconds left, who made it.
say_journal() {
    under_way=$(value_in "$state/journal" tx)
    staged=$state/tx/$under_way/new/manifest
    say journal "$under_way" "$(value_in "$state/journal" phase)" "$(value_in "$state/journal" generation)" \
        "$(value_in "$staged" position)" "$(value_in "$staged" nodes)" "$(value_in "$staged" confirm)" \
        "$(time_left "$under_way")" "$(value_in "$staged" applied_by)"
}

# noted TX: somebody was told how it ended; it need not be told again.
noted() {
    change_id "$1"
    with_mutex
    if [ "$(value_in "$state/outcome" tx)" = "$1" ] && [ -z "$(value_in "$state/outcome" noted)" ]; then
        { cat "$state/outcome" && printf 'noted\tyes\n'; } | put "$state/outcome" || :
    fi
    finish
}
