# The end of a change: it stays, or the host is brought back. Both may be interrupted and repeated.

# confirm TX: the change stays. The staged tree becomes the live generation.
confirm() {
    change_id "$1"
    with_mutex
    carry_on
    if [ "$(value_in "$state/journal" tx)" != "$1" ]; then
        was_confirmed "$1" || die not-active "the change is not active here: $(value_in "$state/outcome" why)"
        finish
    fi
    generation=$(value_in "$state/journal" generation)
    case $(value_in "$state/journal" phase) in
    asking) die not-active "its time was over, and it asks the other nodes how the change ended" ;;
    undoing) die not-active "it is being undone" ;;
    activated | offered)
        must_be_offered "$1"
        # This decides: a change is undone before it, and carried through after it.
        journal "$1" confirmed "$generation" ''
        ;;
    confirmed) ;;
    *) die not-active "the change did not get as far as being activated" ;;
    esac
    carry_through "$1" hactl 'by hactl'
    say confirmed "$generation"
    finish
}

# was_confirmed TX: true when it ended so.
was_confirmed() {
    [ "$(value_in "$state/live/manifest" tx)" = "$1" ] ||
        [ "$(value_in "$state/outcome" tx)$(value_in "$state/outcome" result)" = "$1confirmed" ]
}

# carry_through TX CAUSE WHY: everything that follows from a confirmation. The journal goes before the timer:
# if we die in between, the timer has nothing to undo and removes itself. With peers, timer and socket
# stay until the operator has seen all of them confirm, or until linger: they may have to ask.
carry_through() {
    into=$state/tx/$1
    number "$generation"
    others=$(peers "$1")
    # Where this is repeated, the staged tree may have become the generation already.
    [ -f "$into/new/manifest" ] || others=$(value_in "$state/generations/$generation/manifest" peers)
    [ "$others" != - ] || others=''
    if [ "$generation" = 0 ]; then
        # From here on nobody goes back: only now the packages that hactl brought may go.
        problems=0
        restore_enablement "$into/new"
        remove_packages "$state/packages"
        rm -f "$state/live"
        rm -rf /run/hactl
    else
        if [ -f "$into/new/manifest" ]; then
            rm -rf "$state/generations/$generation"
            mv -T "$into/new" "$state/generations/$generation" || die disk "cannot keep generation $generation"
        fi
        ln -sfn "generations/$generation" "$state/live.new" && mv -fT "$state/live.new" "$state/live" ||
            die disk "cannot point to generation $generation"
    fi
    record_outcome "$1" confirmed "$2" "$3"
    rm -f "$state/journal"
    [ -n "$others" ] || disarm
    rm -rf "$into" "$state"/*.new
    rmdir "$state/tx" 2>/dev/null || :
}

# record_outcome TX RESULT CAUSE WHY: how it ended. A confirmed node goes on answering its peers (others) until
# their timers, and their asking each other, should be over (linger, by this host's own clock), and
# longer where one of them does not answer: it may be off, and will ask when it is back.
record_outcome() {
    timeout=0
    [ ! -f "$into/timeout" ] || read -r timeout _ <"$into/timeout"
    put_text "$state/outcome" "$(printf 'tx\t%s\nresult\t%s\ncause\t%s\nwhy\t%s\nat\t%s\nboot\t%s\nlinger\t%s\nlasts\t%s\npeers\t%s' "$1" "$2" "$3" "$4" \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(boot_id)" "$(($(uptime_seconds) + timeout + 2 * peer_grace))" \
        "$((timeout + 2 * peer_grace))" "${others-}")$newline"
}

# linger_anew: after a restart, whose clock knows nothing of the time before. The others may have been
# restarted, too, and their timers then begin again.
linger_anew() {
    lasts=$(value_in "$state/outcome" lasts)
    case $lasts in '' | *[!0-9]*) return 0 ;; esac
    text=$(sed "s/^boot$tab.*/boot$tab$(boot_id)/; s/^linger$tab.*/linger$tab$(($(uptime_seconds) + lasts))/" "$state/outcome") &&
        printf '%s\n' "$text" | put "$state/outcome" || rm -f "$state/outcome.new"
}

# revert TX CAUSE WHY: the host as it was before activation. Every step is tried, whatever became of the
# others; what could not be undone is answered as problems.
revert() {
    change_id "$1"
    case $2 in '' | *[!a-z-]*) die protocol "this is no cause: $2" ;; esac
    with_mutex
    carry_on
    # A confirmed node goes on answering its peers: one that it stopped answering would go back alone.
    if [ ! -f "$state/journal" ] && was_confirmed "$1"; then die confirmed "the change is confirmed on this node"; fi
    undo "$1" reverted "$2" "$3" running
    [ "$confirmed" = no ] || die confirmed "the change is confirmed on this node"
    [ "$problems" -eq 0 ] || die revert "$problems steps of the undo failed"
    say reverted "$1"
    finish
}

# undo TX RESULT CAUSE WHY running|booting: sets problems, the number of steps that failed, and confirmed,
# when there is nothing to undo any more. Another change's journal and timer are left alone.
undo() {
    into=$state/tx/$1 problems=0 confirmed=no
    under_way=$(value_in "$state/journal" tx)
    if [ -z "$under_way" ] && was_confirmed "$1"; then
        confirmed=yes
    elif [ "$under_way" = "$1" ] && [ "$(value_in "$state/journal" phase)" = confirmed ]; then
        confirmed=yes
        generation=$(value_in "$state/journal" generation)
        if [ "$5" = running ]; then carry_through "$1" hactl 'by hactl'; fi
        return
    elif [ "$under_way" = "$1" ]; then
        stays_undone "$1"
        bring_back "$into/before" "$5"
    fi
    if [ "$5" = running ] && [ "$confirmed" = no ]; then
        sweep_packages
        drop_packages "$into"
    fi
    if [ "$problems" -ne 0 ]; then
        record_outcome "$1" incomplete failed "$problems steps of the undo failed"
        return
    fi
    if [ "$under_way" = "$1" ]; then
        record_outcome "$1" "$2" "$3" "$4"
        rm -f "$state/journal"
    fi
    # The journal goes before the timer, as in carry_through.
    if [ "$5" = running ] && [ "${under_way:-$1}" = "$1" ]; then disarm; fi
    rm -rf "$into" "$state"/*.new
    rmdir "$state/tx" 2>/dev/null || :
}

# stays_undone TX: from the first file on that goes back, nobody may confirm the change any more, and a
# restart goes on undoing it before the daemons start. A full disk is no reason not to undo.
stays_undone() {
    (enter_phase "$1" undoing) >/dev/null ||
        rm -f "$state/journal.new"
}

# drop_packages DIR: those that were installed for the change.
drop_packages() {
    [ ! -f "$1/packages-before" ] || note_packages "$1"
    remove_packages "$1/packages"
}

# bring_back DIR running|booting: the files, the kernel and the daemons as that tree has them. At boot
# only the files count: the kernel and the daemons will read them.
bring_back() {
    place_on_error=note
    if [ ! -f "$1/manifest" ]; then
        note journal "there is no copy in $1 of what was there before"
        return
    fi
    sweep "$1/manifest"
    [ "$2" = booting ] || let_addresses_go "$1" "${1%/*}"
    place_tree "$1"
    if [ "$2" = booting ]; then
        restore_enablement "$1"
        return
    fi
    place_sysctls "$1"
    systemctl daemon-reload
    prepare_hand_over
    hold_secondaries "${1%/*}"
    restore_services "$1"
    # keepalived reads its file some time after it was told to, and nothing proves here that it has.
    if [ -x "$hand_over" ] && [ "$addresses_gone" = yes ] || [ -f "${1%/*}/promoting" ]; then sleep 1; fi
    let_secondaries_be "${1%/*}"
    take_addresses_up "${1%/*}"
    announce_vips || :
}

# restore_services DIR: as the tree's service lines say. One that ran keeps running and reads its old
# file again, by a restart where the change needed one: what a reload could not do, none can undo.
restore_services() {
    while IFS=$tab read -r kind unit enabled active; do
        [ "$kind" = service ] || continue
        case $active in
        active | reloading | activating)
            if is_active "$unit" && [ "$(value_in "$state/journal" "${unit%.service}")" = restart ]; then
                systemctl restart "$unit" >/dev/null 2>&1 || note service "cannot restart $unit"
            elif is_active "$unit"; then
                systemctl reload "$unit" >/dev/null 2>&1 || systemctl restart "$unit" >/dev/null 2>&1 ||
                    note service "cannot bring $unit back"
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

# restore_enablement DIR: whether units start at boot, as the tree's service lines say.
restore_enablement() {
    while IFS=$tab read -r kind unit enabled _; do
        case $kind:$enabled in
        service:enabled) systemctl enable "$unit" >/dev/null 2>&1 ;;
        service:disabled) systemctl disable "$unit" >/dev/null 2>&1 ;;
        esac
    done <"$1/manifest"
}

# expire TX: the timer's, which calls it again for as long as something is left to do.
expire() {
    change_id "$1"
    with_mutex 600
    carry_on
    if is_lingering "$1" || is_awaited "$1"; then
        free_lock "$1"
        exit 0
    fi
    if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
        stop_waiting "$1"
        if [ "$(value_in "$state/journal" phase)" = asking ]; then settle_with_peers "$1"; fi
    fi
    go_back_apart "$1"
    case ${heard-} in
    silent) undo "$1" expired peers-silent 'nobody confirmed it in time, and not every other node could be asked' running ;;
    *) undo "$1" expired unconfirmed 'nobody confirmed it in time' running ;;
    esac
    [ "$problems" -eq 0 ] || exit 1
    free_lock "$1"
    exec 9>&-
    # The other nodes go back at about the same time, and may announce themselves until they have.
    for pause in 1 2 4; do
        announce_vips || break
        sleep "$pause"
    done
}

# free_lock TX: its time is over, so that whoever held it for this change has nothing left to do here.
free_lock() { [ "$(value_in "$state/lock" tx)" != "$1" ] || rm -f "$state/lock"; }

# is_lingering TX: confirmed, and its peers may still ask.
is_lingering() {
    [ ! -f "$state/journal" ] && was_confirmed "$1" &&
        [ "$(value_in "$state/outcome" boot)" = "$(boot_id)" ] &&
        [ "$(uptime_seconds)" -lt "$(value_in "$state/outcome" linger)" ]
}

# is_awaited TX: confirmed, and a peer is not seen to have decided. One that is up and does not listen has.
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
    # Meanwhile another change may have begun.
    [ ! -f "$state/journal" ] && was_confirmed "$1" || exit 0
    [ "$awaited" = yes ]
}

# settle_with_peers TX: ends the program if the change stays; returns where it has to be undone.
settle_with_peers() {
    exec 9>&-
    ask_peers "$1"
    with_mutex 600
    # Meanwhile the operator may have undone it.
    [ "$(value_in "$state/journal" tx)" = "$1" ] || exit 0
    if [ "$heard" = confirmed ]; then
        generation=$(value_in "$state/journal" generation)
        journal "$1" confirmed "$generation" ''
        carry_through "$1" peer 'by another node, which hactl had confirmed'
        free_lock "$1"
        exit 0
    fi
}

# expire_at_boot TX: before the daemons start. What was half done is undone: only its files count then.
# What was whole waits for its confirmation again, and for the network to ask peers over.
expire_at_boot() {
    change_id "$1"
    with_mutex
    case $(value_in "$state/journal" phase) in
    activated | offered | asking | confirmed) ;;
    *) undo "$1" expired restarted 'the host was restarted while it was being made' booting ;;
    esac
    if [ -f "$state/journal" ] || was_confirmed "$1"; then
        [ -f "$state/journal" ] || linger_anew
        # The rest needs a system that is up.
        systemctl --no-block start hactl-revert.timer hactl-peer.socket
        return
    fi
    rm -f "$unit_dir"/hactl-revert.* "$unit_dir"/hactl-peer* "$unit_dir/hactl-revert-boot.service" \
        "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" \
        "$state/peer-key" "$state/agent"
    rm -rf "$unit_dir"/.hactl.??????
    drop_dirs "$unit_dir/multi-user.target.wants"
}
