# The end of a change: commit or rollback. Both may be interrupted and repeated.

# confirm TX: commits the change. The staged tree becomes the live generation.
confirm() {
    change_id "$1"
    with_mutex
    ignore_hangup
    if [ "$(value_in "$state/journal" tx)" != "$1" ]; then
        was_confirmed "$1" || die not-active "the change is not active here: $(value_in "$state/outcome" why)"
        finish
    fi
    generation=$(value_in "$state/journal" generation)
    case $(value_in "$state/journal" phase) in
    asking) die not-active "the time to confirm is over, and the node is asking its peers how the change ended" ;;
    undoing) die not-active "the change is being rolled back" ;;
    activated | offered)
        must_be_offered "$1"
        # The commit point: before it, a change is rolled back. After it, the change is completed.
        journal "$1" confirmed "$generation" ''
        ;;
    confirmed) ;;
    *) die not-active "the activation of the change did not finish" ;;
    esac
    finalize_commit "$1" hactl 'by hactl'
    say confirmed "$generation"
    finish
}

# was_confirmed TX: true if the change ended as confirmed.
was_confirmed() {
    [ "$(value_in "$state/live/manifest" tx)" = "$1" ] ||
        [ "$(value_in "$state/outcome" tx)$(value_in "$state/outcome" result)" = "$1confirmed" ]
}

# finalize_commit TX CAUSE WHY: completes a confirmed change. The journal goes before the timer: if the program dies
# in between, the timer finds nothing to roll back and removes itself. With peers, the timer and the socket stay until
# all peers are seen to have decided, or until linger, since they may still ask.
finalize_commit() {
    into=$state/tx/$1
    number "$generation"
    others=$(peers "$1")
    # On a retry, the staged tree may already be the generation.
    [ -f "$into/new/manifest" ] || others=$(value_in "$state/generations/$generation/manifest" peers)
    [ "$others" != - ] || others=''
    if [ "$generation" = 0 ]; then
        # A rollback is impossible from here on, so packages that hactl installed can be removed.
        problems=0
        restore_enablement "$into/new"
        remove_packages "$state/packages"
        rm -f "$state/live"
        rm -rf /run/hactl
    else
        if [ -f "$into/new/manifest" ]; then
            rm -rf "$state/generations/$generation"
            mv -T "$into/new" "$state/generations/$generation" || die disk "cannot save generation $generation"
        fi
        ln -sfn "generations/$generation" "$state/live.new" && mv -fT "$state/live.new" "$state/live" ||
            die disk "cannot switch to generation $generation"
    fi
    record_outcome "$1" confirmed "$2" "$3"
    rm -f "$state/journal"
    [ -n "$others" ] || disarm
    rm -rf "$into" "$state"/*.new
    rmdir "$state/tx" 2>/dev/null || :
}

# record_outcome TX RESULT CAUSE WHY: records how the change ended. A confirmed node goes on answering its peers
# (others) until their timers and their queries to each other should be over (linger, by this host's uptime). It does
# so longer if a peer does not answer: it may be off, and ask when it is back.
record_outcome() {
    timeout=0
    [ ! -f "$into/timeout" ] || read -r timeout _ <"$into/timeout"
    put_text "$state/outcome" "$(printf 'tx\t%s\nresult\t%s\ncause\t%s\nwhy\t%s\nat\t%s\nboot\t%s\nlinger\t%s\nlasts\t%s\npeers\t%s' "$1" "$2" "$3" "$4" \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(boot_id)" "$(($(uptime_seconds) + timeout + 2 * peer_grace))" \
        "$((timeout + 2 * peer_grace))" "${others-}")$newline"
}

# extend_peer_window: restarts the window after a reboot, which resets uptime. The peers may have rebooted as well,
# and their timers then start over.
extend_peer_window() {
    lasts=$(value_in "$state/outcome" lasts)
    case $lasts in '' | *[!0-9]*) return 0 ;; esac
    text=$(sed "s/^boot$tab.*/boot$tab$(boot_id)/; s/^linger$tab.*/linger$tab$(($(uptime_seconds) + lasts))/" "$state/outcome") &&
        printf '%s\n' "$text" | put "$state/outcome" || rm -f "$state/outcome.new"
}

# revert TX CAUSE WHY: restores the host as it was before activation. Every step is tried, even if others fail. Steps
# that fail are reported as problems.
revert() {
    change_id "$1"
    case $2 in '' | *[!a-z-]*) die protocol "invalid cause: $2" ;; esac
    with_mutex
    ignore_hangup
    # A confirmed node goes on answering its peers: without its answer, a peer would roll back alone.
    if [ ! -f "$state/journal" ] && was_confirmed "$1"; then die confirmed "the change is confirmed on this node"; fi
    undo "$1" reverted "$2" "$3" running
    [ "$confirmed" = no ] || die confirmed "the change is confirmed on this node"
    [ "$problems" -eq 0 ] || die revert "failed rollback steps: $problems"
    say reverted "$1"
    finish
}

# undo TX RESULT CAUSE WHY running|booting: sets problems, the number of steps that failed, and confirmed, if the
# change is committed and stays. Another change's journal and timer are left alone.
undo() {
    into=$state/tx/$1 problems=0 confirmed=no
    under_way=$(value_in "$state/journal" tx)
    if [ -z "$under_way" ] && was_confirmed "$1"; then
        confirmed=yes
    elif [ "$under_way" = "$1" ] && [ "$(value_in "$state/journal" phase)" = confirmed ]; then
        confirmed=yes
        generation=$(value_in "$state/journal" generation)
        if [ "$5" = running ]; then finalize_commit "$1" hactl 'by hactl'; fi
        return
    elif [ "$under_way" = "$1" ]; then
        mark_rolling_back "$1"
        restore_snapshot "$into/before" "$5"
    fi
    if [ "$5" = running ] && [ "$confirmed" = no ]; then
        sweep_packages
        drop_packages "$into"
    fi
    if [ "$problems" -ne 0 ]; then
        record_outcome "$1" incomplete failed "failed rollback steps: $problems"
        return
    fi
    if [ "$under_way" = "$1" ]; then
        record_outcome "$1" "$2" "$3" "$4"
        rm -f "$state/journal"
    fi
    # The journal goes before the timer, as in finalize_commit.
    if [ "$5" = running ] && [ "${under_way:-$1}" = "$1" ]; then disarm; fi
    rm -rf "$into" "$state"/*.new
    rmdir "$state/tx" 2>/dev/null || :
}

# mark_rolling_back TX: once the first file is restored, the change cannot be confirmed any more, and after a reboot
# the rollback continues before the daemons start. A full disk must not prevent a rollback.
mark_rolling_back() {
    (enter_phase "$1" undoing) >/dev/null ||
        rm -f "$state/journal.new"
}

# drop_packages DIR: removes those that were installed for the change.
drop_packages() {
    [ ! -f "$1/packages-before" ] || note_packages "$1"
    remove_packages "$1/packages"
}

# restore_snapshot DIR running|booting: restores files, kernel settings and daemons from that tree. At boot, only the
# files: the kernel and the daemons have yet to read them.
restore_snapshot() {
    place_on_error=note
    if [ ! -f "$1/manifest" ]; then
        note journal "the snapshot in $1 is missing"
        return
    fi
    sweep "$1/manifest"
    [ "$2" = booting ] || release_handover_addresses "$1" "${1%/*}"
    place_tree "$1"
    if [ "$2" = booting ]; then
        restore_enablement "$1"
        return
    fi
    place_sysctls "$1"
    systemctl daemon-reload
    prepare_hand_over
    promote_secondaries "${1%/*}"
    restore_services "$1"
    # keepalived reloads asynchronously, and nothing here proves that it has.
    if [ -x "$hand_over" ] && [ "$addresses_gone" = yes ] || [ -f "${1%/*}/promoting" ]; then sleep 1; fi
    restore_promotion "${1%/*}"
    sync_handover_addresses "${1%/*}"
    announce_vips || :
}

# restore_services DIR: restores the states in the tree's service lines. A daemon that runs keeps running and reloads
# its old file. It restarts if the change needed a restart, since a reload cannot undo what it cannot do.
restore_services() {
    while IFS=$tab read -r kind unit enabled active; do
        [ "$kind" = service ] || continue
        case $active in
        active | reloading | activating)
            if is_active "$unit" && [ "$(value_in "$state/journal" "${unit%.service}")" = restart ]; then
                systemctl restart "$unit" >/dev/null 2>&1 || note service "cannot restart $unit"
            elif is_active "$unit"; then
                systemctl reload "$unit" >/dev/null 2>&1 || systemctl restart "$unit" >/dev/null 2>&1 ||
                    note service "cannot reload or restart $unit"
            else
                systemctl reset-failed "$unit" 2>/dev/null
                systemctl start "$unit" >/dev/null 2>&1 || note service "cannot start $unit again"
            fi
            ;;
        *) systemctl stop "$unit" >/dev/null 2>&1 ;;
        esac
    done <"$1/manifest"
    restore_enablement "$1"
}

# restore_enablement DIR: enables and disables units as in the tree's service lines.
restore_enablement() {
    while IFS=$tab read -r kind unit enabled _; do
        case $kind:$enabled in
        service:enabled) systemctl enable "$unit" >/dev/null 2>&1 ;;
        service:disabled) systemctl disable "$unit" >/dev/null 2>&1 ;;
        esac
    done <"$1/manifest"
}

# expire TX: called by the timer, repeatedly until nothing is left to do.
expire() {
    change_id "$1"
    with_mutex 600
    ignore_hangup
    if peer_window_is_open "$1" || is_awaited "$1"; then
        free_lock "$1"
        exit 0
    fi
    if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
        stop_waiting "$1"
        if [ "$(value_in "$state/journal" phase)" = asking ]; then settle_with_peers "$1"; fi
    fi
    go_back_apart "$1"
    case ${heard-} in
    silent) undo "$1" expired peers-silent 'it was not confirmed in time, and not every other node could be asked' running ;;
    *) undo "$1" expired unconfirmed 'it was not confirmed in time' running ;;
    esac
    [ "$problems" -eq 0 ] || exit 1
    free_lock "$1"
    exec 9>&-
    # The other nodes roll back at about the same time, and may announce themselves until they have.
    for pause in 1 2 4; do
        announce_vips || break
        sleep "$pause"
    done
}

# free_lock TX: removes the change's lock: its time is over, so its holder has nothing left to do here.
free_lock() { [ "$(value_in "$state/lock" tx)" != "$1" ] || rm -f "$state/lock"; }

# peer_window_is_open TX: true if the change is confirmed and its peers may still ask.
peer_window_is_open() {
    [ ! -f "$state/journal" ] && was_confirmed "$1" &&
        [ "$(value_in "$state/outcome" boot)" = "$(boot_id)" ] &&
        [ "$(uptime_seconds)" -lt "$(value_in "$state/outcome" linger)" ]
}

# is_awaited TX: true if the change is confirmed and a peer is not seen to have decided. A peer that is up but does
# not listen has decided.
is_awaited() {
    [ ! -f "$state/journal" ] && was_confirmed "$1" || return 1
    exec 9>&-
    awaited=no
    for address in $(value_in "$state/outcome" peers); do
        said=$(ask_peer "$1" "$address")
        if [ "$said" = refused ]; then
            sleep "$peer_boot"
            said=$(ask_peer "$1" "$address")
        fi
        case $said in confirmed | refused) ;; *) awaited=yes ;; esac
    done
    with_mutex 600
    # Another change may have started meanwhile.
    [ ! -f "$state/journal" ] && was_confirmed "$1" || exit 0
    [ "$awaited" = yes ]
}

# settle_with_peers TX: ends the program if the change stays; returns if it has to be rolled back.
settle_with_peers() {
    exec 9>&-
    ask_peers "$1"
    with_mutex 600
    # The operator may have rolled it back meanwhile.
    [ "$(value_in "$state/journal" tx)" = "$1" ] || exit 0
    if [ "$heard" = confirmed ]; then
        generation=$(value_in "$state/journal" generation)
        journal "$1" confirmed "$generation" ''
        finalize_commit "$1" peer 'by another node, which hactl had confirmed'
        free_lock "$1"
        exit 0
    fi
}

# expire_at_boot TX: runs before the daemons start. A half-activated change is rolled back, for which its files
# suffice. A complete one still waits to be confirmed, and for the network, to ask its peers.
expire_at_boot() {
    change_id "$1"
    with_mutex
    case $(value_in "$state/journal" phase) in
    activated | offered | asking | confirmed) ;;
    *) undo "$1" expired restarted 'the host restarted during activation' booting ;;
    esac
    if [ -f "$state/journal" ] || was_confirmed "$1"; then
        [ -f "$state/journal" ] || extend_peer_window
        # The rest needs a running system.
        systemctl --no-block start hactl-revert.timer hactl-peer.socket
        return
    fi
    rm -f "$unit_dir"/hactl-revert.* "$unit_dir"/hactl-peer* "$unit_dir/hactl-revert-boot.service" \
        "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" \
        "$state/peer-key" "$state/agent"
    rm -rf "$unit_dir"/.hactl.??????
    drop_dirs "$unit_dir/multi-user.target.wants"
}
