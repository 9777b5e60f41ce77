# The change itself: lock, prepare, stage, activate, confirm, revert. Everything is under $state:
#   lock        who holds the lock on this host, and until when
#   tx/ID/new   the staged tree            tx/ID/before   the host as it was before activation
#   journal     the change in progress     outcome        how the last one ended
#   generations/N, live -> generations/N   what was applied; 0 is the host before hactl
#   agent       this program, for the revert timer
#   created-dirs, packages                 what hactl created and installed, for generation 0
# The journal's phase decides what happens to an interrupted change, wherever it stopped. Without a journal, nothing
# live has changed. 'activating', 'activated' and 'offered' are rolled back from tx/ID/before. 'confirmed' is
# completed. Every step can be repeated.

unit_dir=/etc/systemd/system

# lock TX HOLDER PID SECONDS ORIGIN: takes the lock, or answers with the current one, so that hactl can name its
# holder. A lock of an earlier boot, or past its deadline, is stale. PID is '-' for a change that is pending
# confirmation, which no process holds. ORIGIN lets hactl tell whether the holder is alive.
lock() {
    change_id "$1"
    number "$4"
    with_mutex
    refuse_change_in_drill "$1"
    read_uptime && read_boot_id
    if [ -f "$state/lock" ] && [ "$(value_in "$state/lock" tx)" != "$1" ]; then
        if [ "$(value_in "$state/lock" boot)" = "$boot_now" ] &&
            [ "$up" -lt "$(value_in "$state/lock" until)" ]; then
            die_locked
        fi
        say stale-lock "$(value_in "$state/lock" holder)" "$(value_in "$state/lock" since)"
    fi
    lock=tx$tab$1$newline
    printable "$2" && lock=${lock}holder$tab$text$newline
    printable "$3" && lock=${lock}pid$tab$text$newline
    printable "${5-}" && lock=${lock}origin$tab$text$newline
    lock=${lock}since$tab$(date -u +%Y-%m-%dT%H:%M:%SZ)$newline
    lock=${lock}boot$tab$boot_now${newline}until$tab$((up + $4))$newline
    put_text "$state/lock" "$lock" || die disk "cannot write $state/lock: $(space "$state")"
    [ ! -f "$state/journal" ] || say_journal
    finish
}

# die_locked: answers with the lock, so that hactl can name its holder.
die_locked() {
    say fail locked "$(uptime_seconds)" "$(boot_id)"
    body "$state/lock"
    say end
    exit 1
}

# break_lock TX idle|anyway: breaks TX's lock, whoever holds it. Live configuration is not touched. Without a change
# in progress, its preparations are removed too. With one, only the lock is, and only with 'anyway'.
break_lock() {
    change_id "$1"
    with_mutex
    held=$(value_in "$state/lock" tx)
    [ -f "$state/lock" ] || finish
    [ "${held:-$1}" = "$1" ] || die moved-on "another operation holds the lock now: $(value_in "$state/lock" holder)"
    if [ -f "$state/journal" ]; then
        [ "$2" = anyway ] || die unfinished "a change ($(value_in "$state/journal" tx)) is in progress here"
    else
        ignore_hangup
        into=$state/tx/$1 problems=0
        sweep_packages
        drop_packages "$into"
        [ "$problems" -eq 0 ] || die revert "the packages that were installed for it could not be removed"
        drop_staged
    fi
    rm -f "$state/lock"
    finish
}

# drop_staged: removes everything that is staged, which is useless without a journal.
drop_staged() {
    for staged in "$state"/tx/*/new/manifest; do sweep "$staged"; done
    rm -rf "$state/tx"
    # A commit or rollback was interrupted after it had removed the journal.
    [ ! -f "$state/agent" ] || disarm
}

# unlock TX: releases the lock, if it is ours. What another change has staged is left alone.
unlock() {
    change_id "$1"
    with_mutex
    held=$(value_in "$state/lock" tx)
    if [ "${held:-$1}" = "$1" ]; then
        sweep_packages
        [ -f "$state/journal" ] || drop_staged
        rm -f "$state/lock" "$state"/*.new
    fi
    finish
}

must_hold() {
    [ "$(value_in "$state/lock" tx)" = "$1" ] || die lock-lost "the lock on this host is no longer ours"
}
