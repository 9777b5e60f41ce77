# Faults, for drills. Each ends on this host even if its caller is gone: its undo is armed before it is made.
# Everything is in /run, so that a reboot ends it too:
#   armed     the fault in progress: id, name, since, hold, until; from before it is made until it is healed
#   agent     this program, for the units        given    the fault's parameters
#   before/   the network as it was              events   exact times; kept until the next fault
# hactl-drill.service makes the fault, waits and heals it. If it fails to, hactl-heal.timer heals the fault, and
# retries until it succeeds.

drill=/run/hactl-drill
fault_delay=0.2   # seconds from the answer to the fault, so that the answer gets out even if the link goes down
heal_margin=3     # seconds that hactl-drill.service has before hactl-heal.timer steps in
longest_hold=600000

# fault ID NAME HOLD_MS: arms the undo, schedules the fault and answers at once. Standard input: the fault's
# parameters. A fault that usually heals without an undo gets one after HOLD_MS.
fault() {
    change_id "$1"
    number "$3"
    case $3 in
    0* | ???????*) die protocol "invalid hold time: $3 ms" ;;
    esac
    [ "$3" -le "$longest_hold" ] || die protocol "the hold time exceeds $longest_hold ms"
    read_given
    with_mutex
    refuse_unfinished
    refuse_foreign_lock "$1"
    mkdir -p "$drill" || die write "cannot write in $drill: $(space /run)"
    drill_mutex
    refuse_drilling
    # Leftovers of a drill that was killed while it ended.
    end_drill
    systemctl stop hactl-drill.service hactl-heal.service 2>/dev/null
    is_possible "$2"
    printf '%s' "$given" | put "$drill/given" && printf '%s\n' "$script" | put "$drill/agent" && : >"$drill/events" ||
        die disk "cannot write in $drill: $(space "$drill")"
    [ "$2" != link-down ] || save_network "$(parameter interface)"
    hold_seconds=$((($3 + 999) / 1000))
    # The timer starts before the record exists: if nothing is armed, it only removes itself.
    transient hactl-heal --on-active=$((hold_seconds + 1 + heal_margin)) --on-unit-inactive=5 \
        --timer-property=AccuracySec=100ms /bin/sh "$drill/agent" drill-heal "$1"
    printf 'id\t%s\nname\t%s\nsince\t%s\nhold\t%s\nuntil\t%s\n' "$1" "$2" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        "$3" "$(($(uptime_seconds) + hold_seconds + 2 + heal_margin))" | put "$drill/armed" ||
        die disk "cannot write $drill/armed: $(space "$drill")"
    transient hactl-drill /bin/sh "$drill/agent" drill-make "$1"
    observe_drill
    finish
}

# transient UNIT OPTION... PROGRAM...: starts a unit that exists in systemd's memory only.
transient() {
    unit=$1
    shift
    tries=0
    # A unit of this name that has just ended may still be loaded.
    until output=$(systemd-run --unit="$unit" "$@" 2>&1); do
        tries=$((tries + 1))
        if [ "$tries" -ge 20 ]; then
            rm -f "$drill/armed"
            end_drill
            die service "cannot start $unit, so no fault was made" "$output"
        fi
        sleep 0.05
    done
}

# read_given: sets given to the validated parameters: interface, vip (an address), target (host, port), percent, port
# (nginx's own, on loopback), connections (the limit of one nginx worker).
read_given() {
    given='' whole=no
    while IFS=$tab read -r what a b; do
        case $what in
        interface) case $a in '' | . | .. | -* | *[!A-Za-z0-9._:@-]*) die protocol "invalid interface: $a" ;; esac ;;
        vip) case $a in '' | *[!0-9A-Fa-f:.]*) die protocol "invalid address: $a" ;; esac ;;
        target)
            case $a in '' | -* | *[!A-Za-z0-9:._-]*) die protocol "invalid host: $a" ;; esac
            case $b in '' | 0* | ??????* | *[!0-9]*) die protocol "invalid port: $b" ;; esac
            ;;
        percent) case $a in [1-9] | [1-9][0-9] | 100) ;; *) die protocol "invalid share of packets: $a %" ;; esac ;;
        port) case $a in '' | 0* | ??????* | *[!0-9]*) die protocol "invalid port: $a" ;; esac ;;
        connections) case $a in '' | 0* | ????????* | *[!0-9]*) die protocol "invalid number of connections: $a" ;; esac ;;
        end)
            whole=yes
            break
            ;;
        *) die protocol "no such parameter: $what" ;;
        esac
        given="$given$what$tab$a$tab$b
"
    done
    [ "$whole" = yes ] || die protocol "the stream ended early"
}

# parameter KEY: prints its first value, for the fault that is armed or being armed.
parameter() {
    printf '%s\n' "${given-$(cat "$drill/given" 2>/dev/null)}" | while IFS=$tab read -r what known _; do
        if [ "$what" = "$1" ]; then
            printf '%s' "$known"
            break
        fi
    done
}

drill_mutex() {
    exec 7>>"$drill/mutex"
    flock -w 60 7 || die busy "another hactl call is working on the drill on this host"
}

# refuse_foreign_lock ID: ends the program if another operation holds the lock: a drill and a change would mistake
# each other's effects for failures.
refuse_foreign_lock() {
    [ -f "$state/lock" ] && [ "$(value_in "$state/lock" tx)" != "$1" ] || return 0
    if [ "$(value_in "$state/lock" boot)" = "$(boot_id)" ] &&
        [ "$(uptime_seconds)" -lt "$(value_in "$state/lock" until)" ]; then
        die_locked
    fi
}

# drill_left: prints the seconds until the fault's deadline. A fault that is still armed then could not be healed.
drill_left() {
    left=$(($(value_in "$drill/armed" until) - $(uptime_seconds)))
    [ "$left" -gt 0 ] || left=0
    printf '%s' "$left"
}

# refuse_drilling: ends the program if a fault is armed: one at a time, and no change meanwhile.
refuse_drilling() {
    [ ! -f "$drill/armed" ] ||
        die drilling "the drill $(value_in "$drill/armed" name) ($(value_in "$drill/armed" id)) has been running here since $(value_in "$drill/armed" since); this host ends it on its own in $(drill_left) s at the latest"
}

# refuse_change_in_drill ID: the same for a change, unless the fault is past its deadline: it could not be healed, and
# the change may undo it. A drill's own lock is not a change.
refuse_change_in_drill() {
    if [ -f "$drill/armed" ] && [ "$(value_in "$drill/armed" id)" != "$1" ] && [ "$(drill_left)" -gt 0 ]; then
        refuse_drilling
    fi
}

# observe_drill: reports the fault in progress, if any.
observe_drill() {
    [ -f "$drill/armed" ] || return 0
    say drill "$(value_in "$drill/armed" id)" "$(value_in "$drill/armed" name)" "$(value_in "$drill/armed" since)" "$(drill_left)"
}

# drill_event WHAT [DETAIL]: logs begun (a fault is about to hit), made, ending (its undo begins), healed or failed.
drill_event() {
    printf '%s\t%s\t%s\t%s\t%s\n' "$(date +%s.%N)" "$1" "$drill_id" "$drill_name" \
        "$(printf '%s' "${2:--}" | tr -c '[:print:]' ' ')" >>"$drill/events"
}

# say_drill_events ID: reports the events of that fault.
say_drill_events() {
    [ -f "$drill/events" ] || return 0
    while IFS=$tab read -r at what id name detail; do
        [ "$id" != "$1" ] || say drill-event "$at" "$what" "$name" "$detail"
    done <"$drill/events"
}

# fault_state ID: reports the armed fault, and the events of that one.
fault_state() {
    change_id "$1"
    observe_drill
    say_drill_events "$1"
    finish
}

# is_armed ID: true if that fault is armed; sets the variables that hactl-drill.service and heal use.
is_armed() {
    drill_id=$(value_in "$drill/armed" id)
    [ "$drill_id" = "$1" ] || return 1
    drill_name=$(value_in "$drill/armed" name)
    hold=$(value_in "$drill/armed" hold)
    unset given
}

# drill_make ID: runs as hactl-drill.service.
drill_make() {
    change_id "$1"
    sleep "$fault_delay"
    drill_mutex
    is_armed "$1" || exit 0
    problem='' was_pid=0 heals_itself=no
    drill_event begun
    make_fault "$drill_name"
    if [ -z "$problem" ]; then
        drill_event made
        # Release the mutex, so that heal does not wait while the fault is held.
        exec 7>&-
        hold_fault
        drill_mutex
        is_armed "$1" || exit 0
    else
        drill_event failed "$problem"
    fi
    heal_armed
}

# hold_fault: waits until the fault's time is over, or it has healed.
hold_fault() {
    if [ "$heals_itself" = no ]; then
        sleep "$((hold / 1000)).$(printf %03d $((hold % 1000)))"
        return
    fi
    # Each check takes time on top of the sleep, and hactl-heal.timer does not wait for it.
    looks=$((hold / 50))
    until has_healed || [ "$looks" -le 0 ]; do
        looks=$((looks - 1))
        sleep 0.05
    done
}

# heal_armed: undoes the fault. If that fails, it stays armed for the timer to try again.
heal_armed() {
    problem=''
    [ "${heals_itself-no}" = yes ] && has_healed || drill_event ending
    undo_fault "$drill_name"
    if [ -n "$problem" ]; then
        drill_event failed "$problem"
        return 1
    fi
    drill_event healed
    rm -f "$drill/armed"
    end_drill
}

# end_drill: removes what exists only during a fault. The caller holds the mutex, and nothing is armed.
end_drill() {
    systemctl stop hactl-heal.timer 2>/dev/null
    systemctl reset-failed hactl-drill.service hactl-heal.service 2>/dev/null
    rm -rf "$drill/before" "$drill/given" "$drill/agent" "$drill"/*.new
}

# heal ID: undoes the fault now, if it is armed, and reports when it was made and healed.
heal() {
    change_id "$1"
    ignore_hangup
    if [ -d "$drill" ]; then
        heal_now "$1" || die heal "cannot undo the fault $drill_name: $problem"
        under_way=$(value_in "$drill/armed" id)
        [ -z "$under_way" ] || refuse_drilling
        say_drill_events "$1"
    fi
    finish
}

# heal_now ID: undoes the fault. Also runs as hactl-heal.service, which has no caller to report to.
heal_now() {
    change_id "$1"
    # The service may be making another fault, which must go on.
    [ "$(value_in "$drill/armed" id)" != "$1" ] || systemctl stop hactl-drill.service 2>/dev/null
    drill_mutex
    if is_armed "$1"; then
        heal_armed
    elif [ ! -f "$drill/armed" ]; then
        end_drill
    fi
}
