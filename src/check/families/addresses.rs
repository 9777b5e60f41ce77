//! VIPs and the routes that move with them (KA025, KA026, KA028, KA051).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::evidence::{ClusterEvidence, Stranger};
use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, VrrpInstance};

rules! { RULES:
KA025 {
    Error, [Inventory(taken), Cluster(answered)],
    title: "the VIP is already in use",
    reason: "The VIP is a node's own address, or another host already answers for it (a node probes it by ARP or neighbour discovery). keepalived reports neither.",
    fix: "choose a free address for the VIP",
}
KA026 {
    Warning, [Inventory(outside)],
    title: "the VIP is outside the subnet of the nodes",
    reason: "Neighbours ask for the VIP by ARP only if it is in their own subnet. Elsewhere a router must know a route to it.",
    fix: "choose a VIP in the nodes' subnet, correct its prefix length, or make sure that a route to it exists",
}
KA028 {
    Error, [Inventory(no_host)],
    title: "the VIP is not a host address",
    reason: "It is its subnet's network or broadcast address, or a multicast, loopback or unspecified one. No host answers for such an address.",
    fix: "choose a host address of the subnet",
}
KA051 {
    Warning, [Inventory(default_routes)],
    title: "a second default route",
    reason: "A default route that comes and goes with the VIP competes with the host's own. keepalived cannot track a route that names no interface, as in the samples, and `keepalived -t` fails; hactl renders the interface and no tracking.",
    fix: "remove it; the VIP needs no route of its own to be reached",
}
}

/// Each VIP with its instance and the index of that.
fn each_vip(cluster: &Cluster) -> impl Iterator<Item = (usize, &VrrpInstance, IpNet)> {
    let instances = cluster.instances.iter().enumerate();
    instances.flat_map(|(index, instance)| {
        let vips = instance.addresses.iter();
        vips.map(move |vip| (index, instance, *vip))
    })
}

fn default_routes(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        for (position, route) in instance.routes.iter().enumerate() {
            if route.destination.prefix_len() == 0 {
                let message = format!(
                    "{}: the route {} via {} is a second default route while the VIP is here",
                    instance.name, route.destination, route.via
                );
                let path = places::instance_key(index, "routes").index(position);
                findings.push(Finding::new(&KA051, path, message));
            }
        }
    }
}

fn path(index: usize) -> crate::model::InventoryPath {
    places::instance_key(index, "address")
}

fn taken(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, _, vip) in each_vip(cluster) {
        let nodes = cluster.nodes.iter();
        for node in nodes.filter(|node| node.address == vip.addr()) {
            let message = format!("the VIP {} is {}'s own address", vip.addr(), node.name);
            findings.push(Finding::new(&KA025, path(index), message));
        }
    }
}

/// VIPs for which a machine outside the cluster answers.
fn answered(evidence: &ClusterEvidence<'_>, findings: &mut Vec<Finding>) {
    for stranger in evidence.strangers {
        let Stranger {
            node,
            vip,
            hardware,
        } = stranger;
        let message = format!("{node}: {vip} is already in use: {hardware} answers for it");
        let path = places::vip(evidence.cluster, *vip);
        let finding = Finding::new(&KA025, path, message).on(node).of_vip(*vip);
        findings.push(finding.fix(
            "choose another VIP, or find that host with `ip neigh` and the switch's MAC table",
        ));
    }
}

fn no_host(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, _, vip) in each_vip(cluster) {
        if let Some(kind) = kind_of_no_host(vip) {
            let message = format!("the VIP {vip} is {kind}");
            findings.push(Finding::new(&KA028, path(index), message));
        }
    }
}

/// The kind of address, if no host can have it.
fn kind_of_no_host(vip: IpNet) -> Option<&'static str> {
    let address = vip.addr();
    // A /31 or /32 has no network or broadcast address (RFC 3021), and IPv6 has no broadcast.
    let (is_network, is_broadcast) = match vip {
        IpNet::V4(net) if net.prefix_len() < 31 => {
            (net.network() == net.addr(), net.broadcast() == net.addr())
        }
        IpNet::V4(_) => (false, false),
        IpNet::V6(net) => (net.prefix_len() < 127 && net.network() == net.addr(), false),
    };
    if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if is_network {
        Some("its subnet's network address")
    } else if is_broadcast {
        Some("its subnet's broadcast address")
    } else {
        None
    }
}

fn outside(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance, vip) in each_vip(cluster) {
        outside_of(cluster, index, instance, vip, findings);
    }
}

fn outside_of(
    cluster: &Cluster,
    index: usize,
    instance: &VrrpInstance,
    vip: IpNet,
    findings: &mut Vec<Finding>,
) {
    // A host route tells nothing about the subnet. For another interface, the inventory does not have the nodes'
    // addresses. IPv6 neighbours find a link-local VIP without a common subnet.
    let says_nothing = vip.prefix_len() == vip.max_prefix_len();
    if says_nothing || instance.interface.is_some() {
        return;
    }
    let same_family = |address: &IpAddr| address.is_ipv6() == vip.addr().is_ipv6();
    let outside: Vec<_> = cluster
        .nodes
        .iter()
        .filter(|node| same_family(&node.address) && !vip.contains(&node.address))
        .map(|node| format!("{} ({})", node.name, node.address))
        .collect();
    if outside.is_empty() {
        return;
    }
    let message = format!(
        "the VIP's subnet {} does not contain {}",
        vip.trunc(),
        outside.join(", ")
    );
    findings.push(Finding::new(&KA026, path(index), message));
}
