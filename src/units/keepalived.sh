# keepalived, which speaks VRRP. Its own functions in the program on the host.

# keepalived_version: sets version to what it says of itself. It loads forty libraries to print it, which takes longer
# than half of all that a host is asked.
keepalived_version() {
    version=$(grep -a -m1 -o 'Keepalived v[0-9][0-9.]*' "$(command -v keepalived)" 2>/dev/null) ||
        version=$(keepalived -v 2>&1)
}

# keepalived_test: as every unit's test; fails where there is no file to test.
keepalived_test() {
    [ -f /etc/keepalived/keepalived.conf ] || return 1
    about=$(keepalived -v 2>&1)
    about=${about%%"$newline"*}
    output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
    code=$?
    # 2.2.5 to 2.2.7 kill themselves in a test where scripts run as another user than root. This copy is
    # the test's own.
    if [ "$code" -eq 143 ] &&
        find /etc/keepalived -type f -exec sed -i 's/^\([[:space:]]*script_user[[:space:]]\).*/\1root/' {} +; then
        output=$(keepalived -t -f /etc/keepalived/keepalived.conf 2>&1)
        code=$?
    fi
    return 0
}

# keepalived_loaded: by hactl's mark in what it says of itself.
keepalived_loaded() {
    # While a host is looked at, systemd has just said it.
    if [ -n "${services-}" ]; then property keepalived.service MainPID; else value=$(main_pid keepalived.service); fi
    keepalived_dump "${value:-0}"
}

# keepalived_dump PID: asks the running keepalived for its state (SIGUSR1): sets loaded_id, the
# configuration it runs by hactl's mark in it, dump, its VRRP instances without their passwords and what
# they track, and tests_reloads, `yes` where it tests a file before it loads it.
# It writes to its own /tmp; what it wrote is removed again.
keepalived_dump() {
    dump_dir=/proc/$1/root/tmp
    loaded_id='' dump='' tests_reloads=no asked=0 dump_before=''
    # To process 0, which it is while keepalived restarts, a signal would be one to all of us.
    [ "${1:-0}" -gt 0 ] || return 0
    # Two that ask at the same time would remove each other's answers. Only root can open this folder,
    # so that nobody else can make us wait.
    if [ -d /root ]; then exec 8</root && flock -w 3 8; fi
    forget_dump
    kill -s USR1 "$1" 2>/dev/null || return 0
    # The section after the instances tells that they are complete; what they track follows it at once, and
    # is there when the file no longer grows.
    until [ -n "$dump" ] && [ "$dump" = "$dump_before" ] && dump_is_complete; do
        # A name of its own: the variables of a function are its caller's too, and that one counts as well.
        asked=$((asked + 1))
        [ "$asked" -lt 200 ] || break
        sleep 0.01
        dump_before=$dump
        # Where /tmp is everybody's, another user may have put a file of that name there.
        [ ! -L "$dump_dir/keepalived.data" ] && [ -O "$dump_dir/keepalived.data" ] || continue
        # What stands before the instances, and is of use, comes first.
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

forget_dump() { [ -z "${dump_dir-}" ] || rm -f "$dump_dir/keepalived.data" "$dump_dir/keepalived_parent.data"; }

# The check script's name in a file that a keepalived.conf of somebody else's includes.
shared_script=hactl_check_nginx

# dump_is_complete: with hactl's mark, if there is one.
dump_is_complete() {
    case $dump in *'VRRP Sockpool'*) ;; *) return 1 ;; esac
    case $dump in
    *"$shared_script"*"Command = "*hactl-*) ;;
    *"$shared_script"*) return 1 ;;
    esac
}

# loaded_mark: sets loaded_id to the configuration's identity: in the global section or, beside others, what stands
# behind the check script.
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
