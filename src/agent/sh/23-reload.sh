# Whether the running keepalived would survive a reload.

# observe_unsure_reload: keepalived remembers an error in its configuration for as long as it runs, even across
# reloads, and exits at the first reload of a file with `reload_check_config` (stop_vrrp in its vrrp_daemon.c, since
# 2.2.0). Reports what keepalived's test says of the live file, and whether that file changed after keepalived
# started, in which case nothing shows what it started with.
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
        # By uptime, since the wall clock may have been set meanwhile.
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

# test_live: in a mount namespace of its own, prints what keepalived's test says of the live file.
test_live() {
    mount -n --make-rprivate / || exit
    private=/mnt
    mount -n -t tmpfs -o mode=0700 hactl "$private" || exit
    private_copy /etc/keepalived
    private_run
    keepalived_test
    printf '%s\n%s\n' "$code" "$output"
    exit
}
