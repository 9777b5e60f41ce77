//! The lab's networks: a switch with two segments, the router between them, and the controller.
//!
//! Nodes, controller and router share one segment, backends and router the other, so that traffic
//! between a node and a backend stays off the segment that clients use.

use std::fmt::Write as _;
use std::fs;

use super::addressing::{self, Addresses, ROUTER_BACK, ROUTER_FRONT};
use super::error::LabError;
use super::names::{self, Names, backend_name};
use super::netns::{ip_batch, within};
use super::spec::LabSpec;

/// Creates everything but the nodes' own networks, which are created at each boot.
pub(super) fn make(names: &Names, spec: &LabSpec) -> Result<(), LabError> {
    let switch = names.netns(names::SWITCH);
    let controller = names.netns(names::CONTROLLER);
    let doing = "make the lab's networks";

    let mut all = format!("netns add {switch}\nnetns add {controller}\n");
    let mut ports = String::from("link set ctl master front up\n");
    let cable = |name: &str, netns: &str, addresses: Addresses| {
        let mac = addresses.mac();
        format!(
            "link add eth0 address {mac} netns {netns} type veth peer name {name} netns {switch}\n"
        )
    };
    all.push_str(&cable("ctl", &controller, addressing::CONTROLLER));
    for index in 0..spec.backends {
        let backend = backend_name(index);
        let netns = names.netns(&backend);
        let _ = writeln!(all, "netns add {netns}");
        all.push_str(&cable(&backend, &netns, addressing::backend(index)));
        let _ = writeln!(ports, "link set {backend} master back up");
    }
    ip_batch(names, doing, None, &all)?;

    // With snooping on and no querier, a bridge stops forwarding VRRP's multicast after a while.
    let bridge = "type bridge mcast_snooping 0";
    let (front, back) = (ROUTER_FRONT, ROUTER_BACK);
    let lines = format!(
        "link set lo up\n\
         link add front address {} {bridge}\nlink add back address {} {bridge}\n\
         address add {} dev front\naddress add {} dev front nodad\n\
         address add {} dev back\naddress add {} dev back nodad\n\
         link set front up\nlink set back up\n{ports}",
        front.mac(),
        back.mac(),
        front.cidr4(),
        front.cidr6(),
        back.cidr4(),
        back.cidr6(),
    );
    ip_batch(names, doing, Some(&switch), &lines)?;
    within(&switch, forward)??;

    host(
        names,
        doing,
        &controller,
        addressing::CONTROLLER,
        ROUTER_FRONT,
    )?;
    for index in 0..spec.backends {
        let netns = names.netns(&backend_name(index));
        host(
            names,
            doing,
            &netns,
            addressing::backend(index),
            ROUTER_BACK,
        )?;
    }
    Ok(())
}

/// Configures a namespace's addresses and default routes.
fn host(
    names: &Names,
    doing: &str,
    netns: &str,
    own: Addresses,
    router: Addresses,
) -> Result<(), LabError> {
    let lines = format!(
        "link set lo up\naddress add {} dev eth0\naddress add {} dev eth0 nodad\n\
         link set eth0 up\nroute add default via {}\nroute add default via {}\n",
        own.cidr4(),
        own.cidr6(),
        router.v4,
        router.v6,
    );
    ip_batch(names, doing, Some(netns), &lines)
}

/// Enables IP forwarding in the calling thread's network namespace.
fn forward() -> Result<(), LabError> {
    for path in [
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv6/conf/all/forwarding",
    ] {
        fs::write(path, "1").map_err(LabError::file("write to", path))?;
    }
    Ok(())
}
