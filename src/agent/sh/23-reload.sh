# Whether the running keepalived would outlive a reload.

# observe_unsure_reload: a keepalived that met an error in its file remembers it for as long as it runs, also
# over reloads, and ends at the first one to a file with `reload_check_config` (stop_vrrp in its
# vrrp_daemon.c, since 2.2.0). So: what its test says of the file that it runs, and whether that file was
# changed after it had started, when nothing tells any more what it started with.
observe_unsure_reload() {
    conf=/etc/keepalived/keepalived.conf
    [ -f "$conf" ] && command -v unshare >/dev/null 2>&1 || return 0
    tested=$(in_private_mounts test-live </dev/null 2>/dev/null)
    code=${tested%%
*}
    case $code in '' | *[!0-9]*) return 0 ;; esac
    edited=no
    began=$(systemctl show -p ExecMainStartTimestampMonotonic --value keepalived.service 2>/dev/null)
    case $began in
    '' | *[!0-9]*) ;;
    *)
        changed=$(stat -c %Y -- "$conf")
        # By the clock since boot: the other one may have been set meanwhile.
        ran=$(($(uptime_seconds) - began / 1000000))
        [ $(($(date +%s) - changed + 1)) -ge "$ran" ] || edited=yes
        ;;
    esac
    say unsure_reload "$code" "$edited"
    case $tested in
    *"
"*) body_text "${tested#*
}" ;;
    *) body_text '' ;;
    esac
}

# test_live: within a mount namespace of its own, what keepalived's test says of the file that is live.
test_live() {
    mount -n --make-rprivate / || exit
    private=/mnt
    mount -n -t tmpfs -o mode=0700 hactl "$private" || exit
    own_copy /etc/keepalived
    own_run
    keepalived_test
    printf '%s\n%s\n' "$code" "$output"
    exit
}
