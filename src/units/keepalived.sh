# keepalived, the VRRP daemon: its functions in the program on the host.

# keepalived_version: sets version, from the binary if possible: `keepalived -v` loads forty libraries, which takes
# longer than half of a whole observation.
keepalived_version() {
    version=$(grep -a -m1 -o 'Keepalived v[0-9][0-9.]*' "$(command -v keepalived)" 2>/dev/null) ||
        version=$(keepalived -v 2>&1)
}

# keepalived_test: tests its configuration like every unit's test; fails if there is no file to test.
keepalived_test() {
    [ -f /etc/keepalived/keepalived.conf ] || return 1
    keepalived_version
    about=${version%%"$newline"*}
    output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
    code=$?
    # 2.2.5 to 2.2.7 kill themselves in a test if scripts run as a user other than root. This copy belongs to the
    # test.
    if [ "$code" -eq 143 ] &&
        find /etc/keepalived -type f -exec sed -i 's/^\([[:space:]]*script_user[[:space:]]\).*/\1root/' {} +; then
        output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
        code=$?
    fi
    return 0
}

# keepalived_loaded: sets loaded_id from hactl's mark in keepalived's dump.
keepalived_loaded() {
    # During an observation, systemd's last answer is at hand.
    if [ -n "${services-}" ]; then property keepalived.service MainPID; else value=$(main_pid keepalived.service); fi
    keepalived_dump "${value:-0}"
}

# keepalived_dump PID: has the running keepalived dump its state (SIGUSR1). Sets loaded_id, the configuration that it
# runs, by hactl's mark in it; dump, its VRRP instances without their passwords and what they track; and
# tests_reloads, `yes` if it tests a file before it loads it. keepalived writes to its own /tmp, and the file is
# removed again.
keepalived_dump() {
    dump_dir=/proc/$1/root/tmp
    loaded_id='' dump='' tests_reloads=no asked=0 dump_before=''
    # The PID is 0 while keepalived restarts, and signalling that would hit our own process group.
    [ "${1:-0}" -gt 0 ] || return 0
    # Concurrent calls would remove each other's file. Only root can open this folder, so no other user can hold the
    # lock.
    if [ -d /root ]; then exec 8</root && flock -w 3 8; fi
    forget_dump
    kill -s USR1 "$1" 2>/dev/null || return 0
    # The section after the instances shows that they are complete. What they track follows it at once, and is there
    # when the file no longer grows.
    until [ -n "$dump" ] && [ "$dump" = "$dump_before" ] && dump_is_complete; do
        # A distinct name, because sh variables are global and the caller counts too.
        asked=$((asked + 1))
        [ "$asked" -lt 200 ] || break
        sleep 0.01
        dump_before=$dump
        # If /tmp is shared, another user may have created a file of that name.
        [ ! -L "$dump_dir/keepalived.data" ] && [ -O "$dump_dir/keepalived.data" ] || continue
        # Useful lines from before the instances come first.
        dump=$(sed -n -e '/VRRP Topology/,${/[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]/d;p;d;}' -e '/^ Test config before reload/p' \
            -e '/Smtp HELO name = hactl-/p' "$dump_dir/keepalived.data" 2>/dev/null)
    done
    head=${dump%%------< VRRP Topology*}
    loaded_mark
    case $head in *' Test config before reload'*) tests_reloads=yes ;; esac
    dump=${dump#"$head"}
    forget_dump
    exec 8<&-
}

forget_dump() {
    [ -n "${dump_dir-}" ] || return 0
    for written in "$dump_dir/keepalived.data" "$dump_dir/keepalived_parent.data"; do
        if [ -e "$written" ] || [ -L "$written" ]; then rm -f "$written"; fi
    done
}

# The check script's name in a file that the host's own keepalived.conf includes.
shared_script=hactl_check_nginx

# dump_is_complete: true if it is, including hactl's mark if there is one.
dump_is_complete() {
    case $dump in *'VRRP Sockpool'*) ;; *) return 1 ;; esac
    case $dump in
    *"$shared_script"*"Command = "*hactl-*) ;;
    *"$shared_script"*) return 1 ;;
    esac
}

# loaded_mark: sets loaded_id to the configuration's id: from the global section or, if the host's own keepalived.conf
# includes hactl's file, from the command of the check script.
loaded_mark() {
    case $head in
    *'Smtp HELO name = hactl-'*) mark=${head#*Smtp HELO name = hactl-} ;;
    *)
        mark=$(printf '%s\n' "$dump" | grep -m1 'Command = .*/check_nginx.sh.*hactl-')
        mark=${mark##*hactl-}
        ;;
    esac
    loaded_id=${mark%%[!0-9a-f]*}
}
