//! VIPs and the routes that move with them (KA025, KA026, KA028, KA051).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, VrrpInstance};

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        for vip in &instance.addresses {
            taken(cluster, index, *vip, findings);
            no_host(index, *vip, findings);
            outside(cluster, index, instance, *vip, findings);
        }
        for (position, route) in instance.routes.iter().enumerate() {
            if route.destination.prefix_len() == 0 {
                let message = format!(
                    "{}: the route {} via {} is a second default route while the VIP is here",
                    instance.name, route.destination, route.via
                );
                let path = places::instance_key(index, "routes").index(position);
                findings.push(Finding::new(&registry::KA051, path, message));
            }
        }
    }
}

fn path(index: usize) -> crate::model::InventoryPath {
    places::instance_key(index, "address")
}

fn taken(cluster: &Cluster, index: usize, vip: IpNet, findings: &mut Vec<Finding>) {
    for node in cluster
        .nodes
        .iter()
        .filter(|node| node.address == vip.addr())
    {
        let message = format!("the VIP {} is {}'s own address", vip.addr(), node.name);
        findings.push(Finding::new(&registry::KA025, path(index), message));
    }
}

fn no_host(index: usize, vip: IpNet, findings: &mut Vec<Finding>) {
    let address = vip.addr();
    // A /31 or /32 has neither a subnet's nor a broadcast address (RFC 3021), and IPv6 no broadcast.
    let (is_network, is_broadcast) = match vip {
        IpNet::V4(net) if net.prefix_len() < 31 => {
            (net.network() == net.addr(), net.broadcast() == net.addr())
        }
        IpNet::V4(_) => (false, false),
        IpNet::V6(net) => (net.prefix_len() < 127 && net.network() == net.addr(), false),
    };
    let kind = if address.is_unspecified() {
        "the unspecified address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.is_multicast() {
        "a multicast address"
    } else if is_network {
        "its subnet's own address"
    } else if is_broadcast {
        "its subnet's broadcast address"
    } else {
        return;
    };
    let message = format!("the VIP {vip} is {kind}");
    findings.push(Finding::new(&registry::KA028, path(index), message));
}

fn outside(
    cluster: &Cluster,
    index: usize,
    instance: &VrrpInstance,
    vip: IpNet,
    findings: &mut Vec<Finding>,
) {
    // A host route says nothing of the subnet; on another interface the nodes' addresses there are
    // not in the inventory; and IPv6 neighbours need no common subnet to find a link-local VIP.
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
        "the VIP's subnet {} does not hold {}",
        vip.trunc(),
        outside.join(", ")
    );
    findings.push(Finding::new(&registry::KA026, path(index), message));
}
