//! Kernel settings that nginx depends on (SY001 to SY003). Only values in the inventory are judged, not those that a
//! host has besides.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, InterfaceName};

rules! { RULES:
SY001 {
    Warning, [Inventory(port_range)],
    title: "the ephemeral port range covers a port that nginx listens on",
    reason: "An outgoing connection can take the port before nginx does, and nginx then does not start.",
    fix: "reserve the port in net.ipv4.ip_local_reserved_ports, or narrow net.ipv4.ip_local_port_range",
}
SY002 {
    Warning, [Inventory(backlog)],
    title: "nginx's backlog is larger than the kernel allows",
    reason: "listen(2) silently cuts the backlog to net.core.somaxconn.",
    fix: "raise net.core.somaxconn to the backlog, or lower the backlog",
}
SY003 {
    Error, [Inventory(arp)],
    title: "ARP settings of an interface that has a VIP",
    reason: "While a node owns a VIP, hand_over.sh also keeps it on the loopback, with arp_ignore at 1 and arp_announce at 2 on the interface. If the inventory set them as well, the owner would differ from the inventory, and hand_over.sh would take the inventory's values for the host's own.",
    fix: "remove the setting",
}
}

const PORT_RANGE: &str = "net.ipv4.ip_local_port_range";
const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";
const SOMAXCONN: &str = "net.core.somaxconn";

fn value<'a>(cluster: &'a Cluster, key: &str) -> Option<&'a str> {
    let mut sysctls = cluster.sysctls.iter();
    sysctls
        .find(|sysctl| sysctl.key.as_str() == key)
        .map(|sysctl| sysctl.value.as_str())
}

fn port_range(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let bounds = value(cluster, PORT_RANGE).and_then(|text| text.split_once(' '));
    let Some((Ok(low), Ok(high))) = bounds.map(|(low, high)| (low.parse(), high.parse())) else {
        return;
    };
    let ephemeral: RangeInclusive<u16> = low..=high;
    let reserved = value(cluster, RESERVED).map(ranges).unwrap_or_default();
    let sites = cluster
        .sites
        .iter()
        .flat_map(|site| &site.listen)
        .map(|listen| listen.port);
    let streams = cluster.streams.iter().map(|stream| stream.port);
    let listened: BTreeSet<u16> = sites
        .chain(streams)
        .chain([cluster.nginx.status_port])
        .collect();
    let covered: Vec<_> = listened
        .into_iter()
        .filter(|port| ephemeral.contains(port))
        .filter(|port| !reserved.iter().any(|range| range.contains(port)))
        .map(|port| port.to_string())
        .collect();
    if covered.is_empty() {
        return;
    }
    let ports = covered.join(",");
    let message = format!("outgoing connections may take {ports}, which nginx listens on");
    let fix = format!("set {RESERVED} to {ports}, or narrow the range");
    findings.push(Finding::new(&SY001, places::sysctl(PORT_RANGE), message).fix(fix));
}

/// Ports and ranges as the kernel writes them: `8080,9000-9005`.
fn ranges(text: &str) -> Vec<RangeInclusive<u16>> {
    let parse = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.parse().ok()?..=high.parse().ok()?)
    };
    text.split(',').filter_map(parse).collect()
}

fn backlog(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let backlog = cluster.nginx.backlog;
    let Some(Ok(limit)) = value(cluster, SOMAXCONN).map(str::parse::<u32>) else {
        return;
    };
    if backlog > limit {
        let message = format!("nginx asks for a backlog of {backlog}, and {SOMAXCONN} is {limit}");
        findings.push(Finding::new(&SY002, places::nginx("backlog"), message));
    }
}

/// Settings that `hand_over.sh` manages.
fn arp(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let everywhere = cluster.instances.iter().flat_map(|instance| {
        let own = instance.interface.iter();
        let nodes = cluster.nodes.iter().map(|node| &node.interface);
        own.chain(nodes.filter(|_| instance.interface.is_none()))
    });
    let interfaces: BTreeSet<&str> = everywhere.map(InterfaceName::as_str).collect();
    // A key for an interface with a dot in its name has a slash for that dot, or slashes for all other dots.
    let plain = |text: &str| text.replace('/', ".");
    for sysctl in &cluster.sysctls {
        let key = plain(sysctl.key.as_str());
        let is_of = |interface: &&str| {
            ["arp_ignore", "arp_announce"]
                .map(|setting| format!("net.ipv4.conf.{}.{setting}", plain(interface)))
                .contains(&key)
        };
        if let Some(interface) = interfaces.iter().copied().find(|own| is_of(own)) {
            let message = format!("hand_over.sh sets this while a node owns a VIP on {interface}");
            let place = places::sysctl(sysctl.key.as_str());
            findings.push(Finding::new(&SY003, place, message));
        }
    }
}
