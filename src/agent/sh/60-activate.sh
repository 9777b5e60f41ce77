# Activation: the staged tree goes live, and a timer rolls it back unless it is confirmed.

# journal TX PHASE GENERATION ACTIONS: records each step of the change before it is taken. ACTIONS has a line `UNIT
# ACTION` for each unit that is acted on, so that a rollback can use the same action.
journal() {
    put_text "$state/journal" "tx$tab$1${newline}phase$tab$2${newline}generation$tab$3$newline$4" ||
        die disk "cannot write $state/journal: $(space "$state")"
}

# enter_phase TX PHASE: moves the change in progress to PHASE.
enter_phase() {
    journal "$1" "$2" "$(value_in "$state/journal" generation)" \
        "$(sed "/^tx$tab/d; /^phase$tab/d; /^generation$tab/d" "$state/journal")$newline"
}

# refuse_unfinished: ends the program if there is a journal. Only the journal allows that change to be rolled back, so
# nothing may replace it.
refuse_unfinished() {
    [ ! -f "$state/journal" ] ||
        die unfinished "an earlier change ($(value_in "$state/journal" tx)) is not finished here"
}

# arm TX SECONDS: from now on, this host rolls the change back on its own unless it is confirmed.
arm() {
    # The service of an earlier change only queries its peers, and would keep this one from starting.
    case $(systemctl is-active hactl-revert.service) in
    activating) systemctl stop hactl-revert.service ;;
    esac
    put_text "$state/agent" "$script$newline" || die disk "cannot write $state/agent: $(space "$state")"
    keep_peer_key
    new_units=$(mktemp -d "$unit_dir/.hactl.XXXXXX") || die write "cannot write in $unit_dir"
    new_unit hactl-revert.service "[Unit]
Description=Undo a change of hactl's that was not confirmed
[Service]
Type=oneshot
ExecStart=/bin/sh $state/agent expire $1
"
    new_unit hactl-revert.timer "[Unit]
Description=Time left to confirm a change of hactl's
[Timer]
OnActiveSec=$2
OnUnitInactiveSec=$timer_again
AccuracySec=100ms
"
    new_unit hactl-revert-boot.service "[Unit]
Description=Undo a change of hactl's that a reboot interrupted
DefaultDependencies=no
After=local-fs.target
Before=$unit_services systemd-sysctl.service
[Service]
Type=oneshot
ExecStart=/bin/sh $state/agent expire-at-boot $1
[Install]
WantedBy=multi-user.target
"
    [ -z "$peer_key" ] || peer_units "$1"
    { chmod 644 "$new_units"/* && sync "$new_units"/* && mv -f -t "$unit_dir" -- "$new_units"/* && rmdir "$new_units"; } ||
        die write "cannot write in $unit_dir"
    make_dirs "$unit_dir/multi-user.target.wants" &&
        ln -sfn "$unit_dir/hactl-revert-boot.service" "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" ||
        die write "cannot write in $unit_dir"
    # systemd loads unknown units when it starts them. Only units that it already knows, from an earlier change, need
    # a daemon-reload, which takes longer than anything else here.
    sockets=''
    [ -z "$peer_key" ] || sockets=hactl-peer.socket
    start_timer && is_as_written "$1" ||
        { systemctl daemon-reload && start_timer; } || die service "cannot arm the revert timer"
}

# start_timer: restarts it, since a timer left from an earlier change would not count from now.
start_timer() {
    # Without the socket, this node cannot answer its peers, but still rolls the change back on its own.
    # shellcheck disable=SC2086 # a word or none
    systemctl restart hactl-revert.timer $sockets 2>/dev/null || systemctl restart hactl-revert.timer 2>/dev/null
}

# is_as_written TX: true if systemd is seen to have loaded these units as they are on disk. The unit of an earlier
# change would expire that one.
is_as_written() {
    # shellcheck disable=SC2086 # a word or none
    case $(systemctl show hactl-revert.timer hactl-revert.service $sockets -p NeedDaemonReload,ExecStart 2>/dev/null) in
    *NeedDaemonReload=yes*) return 1 ;;
    *" expire $1 "*) ;;
    *) return 1 ;;
    esac
}

# new_unit NAME TEXT: adds it to the units that are installed together.
new_unit() { printf '%s' "$2" >"$new_units/$1" || die write "cannot write in $unit_dir"; }

# disarm: removes the timer and its units. The program goes last, since it shows that the rest may still exist.
disarm() {
    # A service that is still answering a peer would outlive its unit's file, and then fail or never end. It waits for
    # the mutex that is held here, so it has decided nothing. The peer's connection is cut.
    systemctl stop hactl-revert.timer hactl-peer.socket 'hactl-peer@*.service' 2>/dev/null
    rm -rf "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" "$unit_dir"/hactl-revert* \
        "$unit_dir"/hactl-peer* "$unit_dir"/.hactl.??????
    drop_dirs "$unit_dir/multi-user.target.wants"
    # systemd unloads unused units, unless something triggered a daemon-reload meanwhile.
    [ -z "$(systemctl list-units --all --no-legend 'hactl-revert*' 'hactl-peer*' 2>/dev/null)" ] || systemctl daemon-reload
    rm -f "$state/peer-key" "$state/agent"
}

# activate TX SECONDS: installs the staged tree, has the daemons load it and proves that they run it. Standard input:
# the hashes of the files that the plan is based on, and the action for each unit.
activate() {
    change_id "$1"
    number "$2"
    # systemd ignores a time that it cannot represent, and then nothing would ever roll this back.
    [ "${#2}" -le 6 ] || die protocol "$2 s is too long for a timer"
    with_mutex
    must_hold "$1"
    refuse_unfinished
    refuse_change_in_drill "$1"
    into=$state/tx/$1
    [ -f "$into/new/manifest" ] || die protocol "nothing is staged"
    generation=$(value_in "$into/new/manifest" generation)
    number "$generation"
    expected='' actions='' whole=no peer_key='' peer_address=''
    switch_role='' switch_patience=0
    while IFS=$tab read -r kind a b; do
        case $kind in
        expect) expected=$expected$a$tab$b$newline ;;
        peer) peer_key=$a peer_address=$b ;;
        switch) switch_role=$a switch_patience=$b ;;
        action)
            case " $units " in *" $a "*) ;; *) die protocol "no such unit: $a" ;; esac
            actions=$actions$a$tab$b$newline
            ;;
        end)
            whole=yes
            break
            ;;
        esac
    done
    [ "$whole" = yes ] || die protocol "the stream ended early"
    case $switch_role in '' | silent | keeper) ;; *) die protocol "no such role in a change: $switch_role" ;; esac
    number "$switch_patience"
    case $peer_key in *[!0-9a-f]*) die protocol "invalid key" ;; esac
    [ "${#peer_key}" -ge 32 ] || [ -z "$peer_key" ] || die protocol "the key is too short"
    expect_paths
    refuse_tampered "$into/new"
    refuse_untrusted "$into/new/manifest"
    ignore_hangup
    rm -rf "$into/before"
    capture_missing "$into/new/manifest" "$into/before"
    sync "$into" "$state/tx" "$state" || :
    printf '%s %s %s\n' "$2" "$(uptime_seconds)" "$(boot_id)" >"$into/timeout" || die disk "cannot write in $into: $(space "$state")"
    # The timer first: without a journal, it finds nothing to roll back and removes itself. A journal without a timer
    # would need manual intervention.
    arm "$1" "$2"
    journal "$1" activating "$generation" ''
    place_on_error=die
    release_handover_addresses "$into/new" "$into"
    place_tree "$into/new"
    place_sysctls "$into/new"
    # A unit's files may be as they should be, and systemd may not have read them.
    case $services in *NeedDaemonReload=yes*) units_changed=yes ;; esac
    [ "$units_changed" = no ] || systemctl daemon-reload
    if [ -f /etc/tmpfiles.d/hactl.conf ]; then systemd-tmpfiles --create /etc/tmpfiles.d/hactl.conf >/dev/null 2>&1; fi
    # An owner whose script is new or changed would lose the requests in progress when a daemon stops.
    [ "$hand_over_changed" = no ] || prepare_hand_over
    for unit in $units; do
        if is_function "${unit}_before"; then "${unit}_before"; fi
    done
    journal "$1" activating "$generation" "$actions"
    promote_secondaries "$into"
    for unit in $units; do
        # Elections start on all nodes at once.
        if [ "$unit" = keepalived ] && [ -n "$switch_role" ]; then take_part "$1"; fi
        run_action "$unit.service" "$(action_of "$unit")"
    done
    # systemd's earlier answer is out of date.
    services=''
    prove "$into/new"
    restore_promotion "$into"
    sync_handover_addresses "$into"
    # keepalived does not announce an owner that remains the owner, and another node may have announced itself.
    announce_vips || :
    journal "$1" activated "$generation" "$actions"
    finish
}

hand_over=/etc/keepalived/hand_over.sh

# release_handover_addresses DIR INTO: removes the addresses that hand_over.sh keeps on the loopback, before that file
# is removed or replaced with the one in DIR: nothing else knows about them. An owner still answers on its interface.
# INTO keeps the file.
release_handover_addresses() {
    addresses_gone=no
    [ -x "$hand_over" ] || return 0
    if [ -f "$1/files$hand_over" ] && [ "$(sha256_of "$1/files$hand_over")" = "$(sha256_of "$hand_over")" ]; then return 0; fi
    addresses_gone=yes
    cp -- "$hand_over" "$2/hand_over.sh" || :
    "$hand_over" end >/dev/null 2>&1 </dev/null || :
}

# sync_handover_addresses INTO: updates the loopback, since keepalived does not notify an owner that remains the
# owner.
sync_handover_addresses() {
    # keepalived may have called the old script once more before it was replaced.
    if [ "$addresses_gone" = yes ] && [ -f "$1/hand_over.sh" ]; then
        sh "$1/hand_over.sh" end >/dev/null 2>&1 </dev/null || :
    fi
    prepare_hand_over
}

# prepare_hand_over: copies the addresses that an owner has on its interface to its loopback.
prepare_hand_over() { [ ! -x "$hand_over" ] || "$hand_over" sync >/dev/null 2>&1 </dev/null || :; }

# promote_secondaries DIR: a VIP with the prefix length of the host's own address, as earlier versions or an admin may
# have added it, can be the interface's primary address, and the host's own a secondary one. The kernel removes
# secondary addresses together with their primary, which would take the host off the network. While the daemons
# change, the secondary is promoted instead. DIR records where that was set.
promote_secondaries() {
    ip -o -4 address show secondary 2>/dev/null | while read -r _ interface _; do
        setting=/proc/sys/net/ipv4/conf/$interface/promote_secondaries
        [ "$(cat "$setting")" = 0 ] || continue
        printf '%s\n' "$interface" >>"$1/promoting" && echo 1 >"$setting"
    done 2>/dev/null
}

# restore_promotion DIR: restores the host's setting.
restore_promotion() {
    [ -f "$1/promoting" ] || return 0
    while read -r interface; do
        echo 0 >"/proc/sys/net/ipv4/conf/$interface/promote_secondaries"
    done <"$1/promoting" 2>/dev/null
    rm -f "$1/promoting"
}

# expect_paths: ends the program if a file was changed after the plan was made.
expect_paths() {
    set --
    while IFS=$tab read -r _ path; do
        if [ -f "$path" ] && [ ! -L "$path" ]; then set -- "$@" "$path"; fi
    done <<END
$expected
END
    note_sums "$@"
    while IFS=$tab read -r planned path; do
        [ -n "$path" ] || continue
        if [ -f "$path" ] && [ ! -L "$path" ]; then known_sum "$path"; else sum=-; fi
        [ "$sum" = "$planned" ] || die moved-on "$path was changed after the plan was made"
    done <<END
$expected
END
}

# action_of UNIT: prints the action for it.
action_of() {
    of_unit=$newline$actions
    case $of_unit in
    *"$newline$1$tab"*)
        of_unit=${of_unit#*"$newline$1$tab"}
        printf '%s' "${of_unit%%"$newline"*}"
        ;;
    *) printf none ;;
    esac
}

run_action() {
    case $2 in
    none) return 0 ;;
    stop) systemctl disable --now "$1" >/dev/null 2>&1 && return 0 ;;
    reload | restart | start)
        property "$1" UnitFileState
        [ "$value" = enabled ] || systemctl is-enabled --quiet "$1" 2>/dev/null || systemctl enable "$1" >/dev/null 2>&1
        started=now
        if [ "$2" != reload ]; then systemctl reset-failed "$1" 2>/dev/null; fi
        # systemd may already be restarting it with the old file.
        if [ "$2" = start ]; then
            case $(systemctl is-active "$1" 2>/dev/null) in active | activating) started=early ;; esac
        fi
        output=$(systemctl "$2" "$1" 2>&1) &&
            { [ "$started" = now ] || output=$(systemctl reload "$1" 2>&1); } && return 0
        ;;
    esac
    die service "systemctl $2 $1 failed" "${output-}
$(journalctl -u "$1" -n 15 --no-pager -o cat 2>/dev/null)"
}

# prove DIR: checks which configuration each running daemon has loaded.
prove() {
    read_value "$1/manifest" status_port
    port=$value backwards=''
    for unit in $units; do backwards="$unit $backwards"; done
    # nginx, which comes first, keeps its old workers for 100 ms after a reload (ngx_master_process_cycle).
    for unit in $backwards; do
        read_value "$1/manifest" "${unit}_id"
        case $value in
        '' | -) ;;
        *) prove_unit "$unit" "$value" "$port" ;;
        esac
    done
}

# prove_unit UNIT ID PORT
prove_unit() {
    tries=0
    while :; do
        loaded_id=''
        "${1}_loaded" "$3"
        [ "$loaded_id" != "$2" ] || return 0
        tries=$((tries + 1))
        complaints=''
        if [ "$tries" -ge 20 ]; then complaints=$(complaints_of "$1"); fi
        # One that does not answer was waited for.
        [ -n "$loaded_id" ] || tries=$((tries + 2))
        if [ "$tries" -ge 150 ] || [ -n "$complaints" ]; then
            die stale "$1 was told to load the new configuration but runs ${loaded_id:-another one}" \
                "${complaints:-$(journalctl -u "$1.service" -n 15 --no-pager -o cat 2>/dev/null)}"
        fi
        sleep 0.02
    done
}

# complaints_of UNIT: prints what it reported about the new configuration, if it does not report that to systemd.
complaints_of() { if is_function "${1}_complaints"; then "${1}_complaints"; fi; }
