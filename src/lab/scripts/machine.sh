# Keeps one machine of a lab running: connects its network, boots it, and starts over when the machine asks for a
# reboot. A machine that powers off takes its network with it, as a real one does. All input comes from the
# environment; its argument only names it in `ps`.
set -eu

# A fresh namespace for each boot: sysctls, firewall rules and addresses of the previous boot are gone, but the
# hardware address stays the same.
plug() {
    unplug
    ip netns add "$NETNS"
    ip link add eth0 address "$MAC" netns "$NETNS" type veth peer name "$PORT" netns "$SWITCH"
    ip -n "$NETNS" -batch - <<END
link set lo up
address add $ADDRESS dev eth0
address add $ADDRESS6 dev eth0 nodad
link set eth0 up
route add default via $GATEWAY
route add default via $GATEWAY6
END
    ip -n "$SWITCH" link set "$PORT" master front
    # A cable that was cut stays cut, whatever the machine does.
    [ -e "$CUT" ] || ip -n "$SWITCH" link set "$PORT" up
}

unplug() {
    ip -n "$SWITCH" link delete "$PORT" 2>/dev/null || :
    ip netns delete "$NETNS" 2>/dev/null || :
}

join() {
    for cgroup in $CGROUPS; do
        echo "$2" >"$cgroup/$1/cgroup.procs"
    done
}

join keeper $$

while :; do
    plug
    status=0
    # The subshell, not this shell, moves to the machine's own group: the machine's systemd owns
    # everything below it, and must not share it with a process that it doesn't know.
    (
        # `set -e` is off on the left of `||`, so a failure must be handled explicitly.
        join machine "$(exec sh -c 'echo $PPID')" || exit 70
        export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
        [ -z "$UNIFIED" ] || export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
        exec systemd-nspawn --quiet --boot --register=no --keep-unit --notify-ready=yes \
            --machine="$MACHINE" --hostname="$NODE" --directory="$ROOT" \
            --network-namespace-path="/run/netns/$NETNS" --capability=all \
            --resolv-conf=off --timezone=off --link-journal=no
    ) || status=$?
    unplug
    # systemd-nspawn exits with 133 if the machine asks for a reboot.
    [ "$status" -eq 133 ] || exit "$status"
done
