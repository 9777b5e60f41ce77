//! Another machine on the same link as a world.

use std::net::IpAddr;

use crate::world::World;

pub(crate) const VIP: &str = "10.9.0.100";
pub(crate) const VIP6: &str = "fd09::100";
pub(crate) const OWN: &str = "02:00:00:00:00:07";
pub(crate) const WRONG: &str = "02:00:00:00:00:99";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Another machine on the same link, in a network namespace of its own.
pub(crate) struct Neighbour<'a> {
    world: &'a World,
    pid: String,
}

impl<'a> Neighbour<'a> {
    pub(crate) fn of(world: &'a World) -> Self {
        world.sh(&format!(
            "ip link set lo up
             ip link add eth0 address {OWN} type veth peer name far0 address 02:00:00:00:00:08
             ip link set eth0 up && ip address add 10.9.0.1/24 dev eth0 && ip address add fd09::1/64 dev eth0 nodad"
        ));
        let started = world.sh("unshare --net /usr/bin/sleep 600 >/dev/null 2>&1 & echo $!");
        let pid = started.trim().to_owned();
        let own = Self { world, pid };
        // Its namespace exists only a moment after the process has started.
        world.sh(&format!(
            "until [ \"$(readlink /proc/{0}/ns/net)\" != \"$(readlink /proc/$$/ns/net)\" ]; do /usr/bin/sleep 0.02; done
             ip link set far0 netns {0}",
            own.pid
        ));
        own.sh("ip link set lo up && ip link set far0 up && ip address add 10.9.0.2/24 dev far0 && ip address add fd09::2/64 dev far0 nodad");
        own
    }

    pub(crate) fn sh(&self, text: &str) -> String {
        let quoted = text.replace('\'', r"'\''");
        let pid = &self.pid;
        self.world.sh(&format!(
            "nsenter --net --target {pid} /usr/bin/bash -c '{quoted}'"
        ))
    }

    /// Makes it take WRONG for the owner of both addresses.
    pub(crate) fn mistakes(&self) {
        for vip in [VIP, VIP6] {
            self.sh(&format!(
                "ip neigh replace {vip} lladdr {WRONG} dev far0 nud stale"
            ));
        }
    }

    /// Waits until it takes `hardware` for the owner of an address.
    pub(crate) fn learns(&self, vip: &str, hardware: &str) {
        self.sh(&format!(
            "for i in {{1..500}}; do ip neigh show to {vip} | grep -q {hardware} && exit 0; /usr/bin/sleep 0.02; done; ip neigh; exit 1"
        ));
    }
}
