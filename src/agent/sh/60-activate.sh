# The change: the staged tree comes alive, and a timer undoes it unless it is confirmed.

# journal TX PHASE GENERATION ACTIONS: what is under way, written before it is done. ACTIONS is a line
# `UNIT ACTION` for each unit that something is done to, so that an undo can do the same.
journal() {
    printf 'tx\t%s\nphase\t%s\ngeneration\t%s\n%s' "$1" "$2" "$3" "$4" | put "$state/journal" ||
        die disk "cannot write $state/journal: $(space "$state")"
}

# enter_phase TX PHASE: the change that is under way gets to it.
enter_phase() {
    journal "$1" "$2" "$(value_in "$state/journal" generation)" \
        "$(sed "/^tx$tab/d; /^phase$tab/d; /^generation$tab/d" "$state/journal")$newline"
}

# refuse_unfinished: a journal is the only way back from what it tells; nothing may replace it.
refuse_unfinished() {
    [ ! -f "$state/journal" ] ||
        die unfinished "an earlier change ($(value_in "$state/journal" tx)) is not finished here"
}

# arm TX SECONDS: from now on this host rolls the change back on its own, unless it is confirmed.
arm() {
    # Of an earlier change, it only asks what others have decided, and would keep this one's from starting.
    case $(systemctl is-active hactl-revert.service) in
    activating) systemctl stop hactl-revert.service ;;
    esac
    printf '%s\n' "$script" | put "$state/agent" || die disk "cannot write $state/agent: $(space "$state")"
    keep_peer_key
    put_unit hactl-revert.service <<END && put_unit hactl-revert.timer <<END2 && put_unit hactl-revert-boot.service <<END3 || die write "cannot write in $unit_dir"
[Unit]
Description=Undo a change of hactl's that was not confirmed
[Service]
Type=oneshot
ExecStart=/bin/sh $state/agent expire $1
END
[Unit]
Description=Time left to confirm a change of hactl's
[Timer]
OnActiveSec=$2
OnUnitInactiveSec=$timer_again
AccuracySec=100ms
END2
[Unit]
Description=Undo a change of hactl's that a reboot interrupted
DefaultDependencies=no
After=local-fs.target
Before=$unit_services systemd-sysctl.service
[Service]
Type=oneshot
ExecStart=/bin/sh $state/agent expire-at-boot $1
[Install]
WantedBy=multi-user.target
END3
    [ -z "$peer_key" ] || peer_units "$1"
    make_dirs "$unit_dir/multi-user.target.wants" &&
        ln -sfn "$unit_dir/hactl-revert-boot.service" "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" ||
        die write "cannot write in $unit_dir"
    # Restarted: a timer that an earlier change left behind would not count from now.
    systemctl daemon-reload && systemctl restart hactl-revert.timer || die service "cannot arm the revert timer"
    # Without it this node cannot answer its peers; it still rolls the change back on its own.
    [ -z "$peer_key" ] || systemctl restart hactl-peer.socket 2>/dev/null || :
}

# put_unit NAME: standard input becomes that unit, whatever lay there.
put_unit() {
    new=$(mktemp "$unit_dir/.hactl.XXXXXX") || return 1
    cat >"$new" && chmod 644 "$new" && sync "$new" && mv -fT -- "$new" "$unit_dir/$1" && return 0
    rm -f -- "$new"
    return 1
}

# disarm: the program itself goes last, since it tells that the rest may not be gone yet.
disarm() {
    # An answer that is still being given would outlive its unit's file, and then fail or never end. It waits
    # for the mutex that is held here, so that it has decided nothing: to who asks, its line is cut.
    systemctl stop hactl-revert.timer hactl-peer.socket 'hactl-peer@*.service' 2>/dev/null
    rm -f "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" "$unit_dir"/hactl-revert* \
        "$unit_dir"/hactl-peer* "$unit_dir"/.hactl.??????
    drop_dirs "$unit_dir/multi-user.target.wants"
    systemctl daemon-reload
    rm -f "$state/peer-key" "$state/agent"
}

# activate TX SECONDS: puts the staged tree in place, brings the daemons to it and proves that they
# run it. Standard input: what lay there when the plan was made, and what each unit needs.
activate() {
    change_id "$1"
    number "$2"
    # systemd ignores a time that it cannot count to, and then nothing would ever undo this.
    [ "${#2}" -le 6 ] || die protocol "$2 seconds are too long for a timer"
    with_mutex
    must_hold "$1"
    refuse_unfinished
    refuse_change_in_drill "$1"
    into=$state/tx/$1
    [ -f "$into/new/manifest" ] || die protocol "nothing is staged"
    generation=$(value_in "$into/new/manifest" generation)
    number "$generation"
    actions='' whole=no peer_key='' peer_address=''
    switch_role='' switch_patience=0
    while IFS=$tab read -r kind a b; do
        case $kind in
        expect) expect_path "$a" "$b" ;;
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
    case $switch_role in '' | silent | keeper) ;; *) die protocol "no such part in a change: $switch_role" ;; esac
    number "$switch_patience"
    case $peer_key in *[!0-9a-f]*) die protocol "this is no key" ;; esac
    [ "${#peer_key}" -ge 32 ] || [ -z "$peer_key" ] || die protocol "this key is too short"
    refuse_tampered "$into/new"
    refuse_untrusted "$into/new/manifest"
    carry_on
    rm -rf "$into/before"
    capture_missing "$into/new/manifest" "$into/before"
    sync "$into" "$state/tx" "$state" || :
    printf '%s %s %s\n' "$2" "$(uptime_seconds)" "$(boot_id)" >"$into/timeout" || die disk "cannot write in $into: $(space "$state")"
    # The timer first: without a journal it finds nothing to undo and removes itself, while a journal
    # without a timer would wait for somebody to come.
    arm "$1" "$2"
    journal "$1" activating "$generation" ''
    place_on_error=die
    let_addresses_go "$into/new" "$into"
    place_tree "$into/new"
    place_sysctls "$into/new"
    [ "$units_changed" = no ] || systemctl daemon-reload
    if [ -f /etc/tmpfiles.d/hactl.conf ]; then systemd-tmpfiles --create /etc/tmpfiles.d/hactl.conf >/dev/null 2>&1; fi
    # An owner whose script is new, or another one, would lose what it answers when a daemon stops.
    prepare_hand_over
    for unit in $units; do
        if is_function "${unit}_before"; then "${unit}_before"; fi
    done
    journal "$1" activating "$generation" "$actions"
    hold_secondaries "$into"
    for unit in $units; do
        # All nodes' elections begin together.
        if [ "$unit" = keepalived ] && [ -n "$switch_role" ]; then take_part "$1"; fi
        run_action "$unit.service" "$(action_of "$unit")"
    done
    prove "$into/new"
    let_secondaries_be "$into"
    take_addresses_up "$into"
    # An owner that stayed one is not announced by keepalived, and another node may have announced itself.
    announce_vips || :
    journal "$1" activated "$generation" "$actions"
    finish
}

hand_over=/etc/keepalived/hand_over.sh

# let_addresses_go DIR INTO: what hand_over.sh keeps on the loopback goes before that file becomes the one in
# DIR, or goes: nobody else knows of it. An owner goes on answering on its interface. INTO keeps the file.
let_addresses_go() {
    addresses_gone=no
    [ -x "$hand_over" ] || return 0
    if [ -f "$1/files$hand_over" ] && [ "$(sha256_of "$1/files$hand_over")" = "$(sha256_of "$hand_over")" ]; then return 0; fi
    addresses_gone=yes
    cp -- "$hand_over" "$2/hand_over.sh" || :
    "$hand_over" end >/dev/null 2>&1 </dev/null || :
}

# take_addresses_up INTO: an owner that stayed one is told nothing by keepalived.
take_addresses_up() {
    # Until its file was another one, keepalived may have called it once more.
    if [ "$addresses_gone" = yes ] && [ -f "$1/hand_over.sh" ]; then
        sh "$1/hand_over.sh" end >/dev/null 2>&1 </dev/null || :
    fi
    prepare_hand_over
}

# prepare_hand_over: what an owner has on its interface is on its loopback, too.
prepare_hand_over() { [ ! -x "$hand_over" ] || "$hand_over" sync >/dev/null 2>&1 </dev/null || :; }

# hold_secondaries DIR: a VIP with the prefix of the host's own address, as earlier versions and other
# people put it there, may be the interface's first address and the host's own the second; the kernel
# takes the second off together with the first, and the host would be gone from the network. While the
# daemons are told to change, the second becomes the first instead. DIR notes where that was set.
hold_secondaries() {
    ip -o -4 address show secondary 2>/dev/null | while read -r _ interface _; do
        setting=/proc/sys/net/ipv4/conf/$interface/promote_secondaries
        [ "$(cat "$setting")" = 0 ] || continue
        printf '%s\n' "$interface" >>"$1/promoting" && echo 1 >"$setting"
    done 2>/dev/null
}

# let_secondaries_be DIR: as the host had it.
let_secondaries_be() {
    [ -f "$1/promoting" ] || return 0
    while read -r interface; do
        echo 0 >"/proc/sys/net/ipv4/conf/$interface/promote_secondaries"
    done <"$1/promoting" 2>/dev/null
    rm -f "$1/promoting"
}

# expect_path HASH PATH: the plan was made for this host as it was; is it still?
expect_path() {
    if [ -f "$2" ] && [ ! -L "$2" ]; then found=$(sha256_of "$2"); else found=-; fi
    [ "$found" = "$1" ] || die moved-on "$2 was changed after the plan was made"
}

# action_of UNIT: what is done to it.
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
        systemctl is-enabled --quiet "$1" 2>/dev/null || systemctl enable "$1" >/dev/null 2>&1
        systemctl reset-failed "$1" 2>/dev/null
        # systemd may be starting it again already, from the file that was there before.
        case $2:$(systemctl is-active "$1" 2>/dev/null) in
        start:active | start:activating) started=early ;;
        *) started=now ;;
        esac
        output=$(systemctl "$2" "$1" 2>&1) &&
            { [ "$started" = now ] || output=$(systemctl reload "$1" 2>&1); } && return 0
        ;;
    esac
    die service "systemctl $2 $1 failed" "${output-}
$(journalctl -u "$1" -n 15 --no-pager -o cat 2>/dev/null)"
}

# prove DIR: the running processes are asked which configuration they have loaded.
prove() {
    port=$(value_in "$1/manifest" status_port)
    for unit in $units; do
        wanted=$(value_in "$1/manifest" "${unit}_id")
        case $wanted in
        '' | -) ;;
        *) prove_unit "$unit" "$wanted" "$port" ;;
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
        if [ "$tries" -ge 10 ]; then complaints=$(complaints_of "$1"); fi
        if [ "$tries" -ge 60 ] || [ -n "$complaints" ]; then
            die stale "$1 was told to load the new configuration and runs ${loaded_id:-none of hactl}" \
                "${complaints:-$(journalctl -u "$1.service" -n 15 --no-pager -o cat 2>/dev/null)}"
        fi
        sleep 0.05
    done
}

# complaints_of UNIT: what it has said of the new configuration, where it says that elsewhere than to systemd.
complaints_of() { if is_function "${1}_complaints"; then "${1}_complaints"; fi; }
