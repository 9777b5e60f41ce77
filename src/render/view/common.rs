//! Small conversions that several views share.

use std::time::Duration;

use ipnet::IpNet;

use crate::model::{Cluster, InterfaceName, Node, NodeFacts, OnNginxFailure};

/// The comment at the top of every file. It has no time, so that rendering is reproducible. It names the node only if
/// the file is specific to that node, so that shared files are identical on all nodes.
pub(in crate::render) fn header(cluster: &Cluster, node: Option<&Node>) -> String {
    let node = node
        .map(|node| format!(", node {}", node.name))
        .unwrap_or_default();
    format!(
        "# Managed by hactl: cluster {}{node}.\n# Manual edits are reported as drift by `hactl plan`, \
         and undone by the next `hactl apply`.",
        cluster.name
    )
}

/// `vip` as it is added to `interface`: alone (`/32`, `/128`) if the interface has an address in the VIP's network,
/// else with the prefix length of the inventory, which adds the route to that network. With the same prefix as the
/// host's own address, the VIP could become the primary address of the two, and the kernel removes secondary
/// addresses together with their primary one. If no host was asked, the node's address is assumed to be on the
/// interface.
pub(super) fn on_interface(
    cluster: &Cluster,
    node: &Node,
    facts: &NodeFacts,
    interface: &InterfaceName,
    vip: IpNet,
) -> IpNet {
    let is_virtual = |net: &IpNet| {
        let mut all = cluster.instances.iter().flat_map(|it| &it.addresses);
        all.any(|address| address.addr() == net.addr())
    };
    let has_network = match &facts.addresses {
        Some(own) => own
            .iter()
            .filter(|own| own.interface == interface.as_str() && !is_virtual(&own.net))
            .any(|own| own.net.contains(&vip.addr())),
        None => *interface == node.interface && vip.contains(&node.address),
    };
    if has_network {
        IpNet::from(vip.addr())
    } else {
        vip
    }
}

/// `duration` in nginx's syntax: `10s`, `1500ms`.
pub(super) fn nginx_time(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// `duration` in seconds, with decimals only if needed: `2`, `0.5`, `1.25`.
pub(super) fn decimal_seconds(duration: Duration) -> String {
    let text = format!("{}.{:03}", duration.as_secs(), duration.subsec_millis());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `duration` in whole seconds, rounded up, and at least 1.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    (duration.as_secs() + up).max(1)
}

/// A number of bytes in nginx's syntax: `100m`, `512k`, `1000`.
pub(super) fn nginx_size(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        n if n.is_multiple_of(1 << 20) => format!("{}m", n >> 20),
        n if n.is_multiple_of(1 << 10) => format!("{}k", n >> 10),
        n => n.to_string(),
    }
}

/// The values of the tracked file while nginx is up and while it is down. keepalived adds them to the priority (with
/// `weight` 1), and -254 means FAULT.
pub(super) fn tracked_values(cluster: &Cluster) -> (i16, i16) {
    match cluster.vrrp.on_nginx_failure {
        OnNginxFailure::Fault => (0, -254),
        OnNginxFailure::Weight { weight } => (weight.get().max(0), weight.get().min(0)),
    }
}

/// How many files a worker may need open at once: a proxied request uses two connections.
pub(super) fn file_limit(cluster: &Cluster) -> u64 {
    (u64::from(cluster.nginx.worker_connections) * 2).max(1024)
}

/// A verbatim snippet without its final line break. `None` if it is empty.
pub(super) fn snippet(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim_end().to_owned())
        .filter(|text| !text.is_empty())
}
