//! Places of a cluster's values in the inventory. Only this file knows the inventory's keys.

use std::net::IpAddr;

use crate::model::{Cluster, InventoryPath, NodeName, UpstreamName, VrrpInstance};

/// A setting of the `vrrp` mapping.
pub(in crate::check) fn vrrp(key: &str) -> InventoryPath {
    InventoryPath::root().key("vrrp").key(key)
}

/// The VRRP instance at `index`.
pub(in crate::check) fn instance(index: usize) -> InventoryPath {
    InventoryPath::root().key("vips").index(index)
}

/// A setting of the VRRP instance at `index`.
pub(in crate::check) fn instance_key(index: usize, key: &str) -> InventoryPath {
    instance(index).key(key)
}

/// The list of nodes.
pub(in crate::check) fn nodes() -> InventoryPath {
    InventoryPath::root().key("nodes")
}

/// A setting of the health check.
pub(in crate::check) fn health(key: &str) -> InventoryPath {
    InventoryPath::root().key("health").key(key)
}

/// A setting of nginx.
pub(in crate::check) fn nginx(key: &str) -> InventoryPath {
    InventoryPath::root().key("nginx").key(key)
}

/// A kernel setting.
pub(in crate::check) fn sysctl(key: &str) -> InventoryPath {
    InventoryPath::root().key("sysctl").key(key)
}

/// A raw snippet.
pub(in crate::check) fn raw(key: &str) -> InventoryPath {
    InventoryPath::root().key("raw").key(key)
}

/// An upstream's servers.
pub(in crate::check) fn servers(upstream: &UpstreamName) -> InventoryPath {
    let upstreams = InventoryPath::root().key("upstreams");
    upstreams.key(upstream.as_str()).key("servers")
}

/// The site at `index`.
pub(in crate::check) fn site(index: usize) -> InventoryPath {
    InventoryPath::root().key("sites").index(index)
}

/// A socket of the site at `index`.
pub(in crate::check) fn listen(site_index: usize, index: usize) -> InventoryPath {
    site(site_index).key("listen").index(index)
}

/// The stream at `index`.
pub(in crate::check) fn stream(index: usize) -> InventoryPath {
    InventoryPath::root().key("streams").index(index)
}

/// The address of the instance that has `vip`, or the list of VIPs if none has.
pub(in crate::check) fn vip(cluster: &Cluster, vip: IpAddr) -> InventoryPath {
    let has_it = |instance: &VrrpInstance| instance.addresses.iter().any(|net| net.addr() == vip);
    match cluster.instances.iter().position(has_it) {
        Some(index) => instance_key(index, "address"),
        None => InventoryPath::root().key("vips"),
    }
}

pub(in crate::check) fn node(cluster: &Cluster, name: &NodeName) -> InventoryPath {
    cluster
        .node(name)
        .map_or_else(nodes, |node| node.path.clone())
}
