//! What operations derive from the inventory alone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::agent::{ListensAt, PeerDoor};
use crate::model::{Cluster, Node, NodeName, UnitId};

pub(super) fn vips(cluster: &Cluster) -> Vec<IpAddr> {
    cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses)
        .map(ipnet::IpNet::addr)
        .collect()
}

pub(super) fn addresses(cluster: &Cluster) -> Vec<(NodeName, IpAddr)> {
    let nodes = cluster.nodes.iter();
    nodes
        .map(|node| (node.name.clone(), node.address))
        .collect()
}

/// Every node's own address with each TCP port on which its nginx listens on all addresses, or on VIPs of that family:
/// what peers can probe regardless of who owns the VIPs. An nginx that hactl shares with others listens on the VIPs
/// only.
pub(super) fn peer_ports(cluster: &Cluster) -> Vec<PeerDoor> {
    let vips = vips(cluster);
    let is_shared = cluster.hosts.shares(UnitId::NGINX);
    let ports = |node: &Node| {
        let mut ports: BTreeMap<u16, ListensAt> = BTreeMap::new();
        for listen in cluster.sites.iter().flat_map(|site| &site.listen) {
            let is_here = |address: &IpAddr| address.is_ipv4() == node.address.is_ipv4();
            let listens = match listen.address {
                None if is_shared && !vips.iter().any(is_here) => continue,
                None if is_shared => ListensAt::Vips,
                None => ListensAt::All,
                Some(address) if !is_here(&address) => continue,
                Some(address) if address.is_unspecified() => ListensAt::All,
                Some(address) if vips.contains(&address) => ListensAt::Vips,
                Some(_) => continue,
            };
            let known = ports.entry(listen.port).or_insert(listens);
            *known = listens.min(*known);
        }
        let streams = cluster.streams.iter().filter(|stream| !stream.udp);
        ports.extend(streams.map(|stream| (stream.port, ListensAt::All)));
        let address = node.address;
        ports.into_iter().map(move |(port, listens)| PeerDoor {
            address,
            port,
            listens,
        })
    };
    cluster.nodes.iter().flat_map(ports).collect()
}

/// Upper bound of an election with every timer of the cluster at its worst, plus some slack.
pub(super) fn owner_patience(cluster: &Cluster) -> Duration {
    let health = cluster.health.interval * (cluster.health.rise + cluster.health.fall);
    election_time(cluster) + health + Duration::from_secs(9)
}

/// Longest time that a backup waits for an advertisement before it takes over: `Active_Down_Interval` of RFC 9568.
pub(super) fn election_time(cluster: &Cluster) -> Duration {
    // keepalived reads its configuration before its timers start.
    let start = Duration::from_secs(1);
    cluster.vrrp.silence() + cluster.vrrp.advert_interval.duration() + start
}
