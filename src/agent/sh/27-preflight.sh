# Probes of preflight: whether a host is fit to join the cluster. They start processes, so no other verb asks for them.

# systemd notes here in what kind of container it runs (systemd-detect-virt(1)).
container_mark=/run/systemd/container

# probe_space: reports the free KiB and inodes where hactl keeps its state, where the configuration goes and where
# packages go, and whether these can be written. A file system that creates inodes as needed reports none at all, and is left out.
probe_space() {
    set -- /etc /usr /var/lib
    [ ! -d "$state" ] || set -- /etc /usr "$state"
    for folder; do
        # shellcheck disable=SC2046 # columns are words
        set -- $(df -Pk "$folder" 2>/dev/null | tail -n 1)
        [ $# -ge 6 ] || continue
        kib=$4
        # shellcheck disable=SC2046
        set -- $(df -Pi "$folder" 2>/dev/null | tail -n 1)
        inodes=''
        case ${2:-0} in 0 | -) ;; *) inodes=$4 ;; esac
        access=read-only
        [ ! -w "$folder" ] || access=writable
        say space "$folder" "$kib" "$inodes" "$access"
    done
}

# probe_clock_sync: reports whether the kernel's clock is synchronised, as systemd-timedated knows it. A container has
# the clock of its host, and cannot synchronise it.
probe_clock_sync() {
    [ ! -e "$container_mark" ] || return 0
    synchronised=$(timedatectl show -p NTPSynchronized --value 2>/dev/null) || {
        # Before systemd 239 there is no `show`.
        case $(timedatectl 2>/dev/null) in
        *'NTP synchronized: yes'*) synchronised=yes ;;
        *'NTP synchronized: no'*) synchronised=no ;;
        *) synchronised='' ;;
        esac
    }
    say clock_sync "$synchronised"
}

# probe_listeners: reports all listening sockets, with the programs that own them.
probe_listeners() {
    say listeners
    body_text "$(ss -Hltnup 2>/dev/null)"
}

# probe_active_units: reports the services and timers that run.
probe_active_units() {
    say active_units
    body_text "$(systemctl list-units --type=service,timer --state=active --plain --no-legend --no-pager 2>/dev/null)"
}

# probe_ufw: reports whether ufw is enabled. Its unit is active in either case.
probe_ufw() {
    if grep -qi '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null; then say ufw enabled; fi
}

# probe_selinux: reports SELinux's mode, and the booleans that decide whether nginx may connect to its upstream servers.
probe_selinux() {
    command -v getenforce >/dev/null 2>&1 || return 0
    say selinux "$(getenforce 2>/dev/null)"
    for boolean in httpd_can_network_connect httpd_can_network_relay; do
        setting=$(getsebool "$boolean" 2>/dev/null) || continue
        say sebool "$boolean" "${setting##* }"
    done
}
