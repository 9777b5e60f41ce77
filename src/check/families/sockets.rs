//! The sockets that nginx listens on (NG002, NG008 to NG013).

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, InventoryPath, Listen};

rules! { RULES:
NG002 {
    Error, [Inventory(addresses)],
    title: "a listen on the VIP without ip_nonlocal_bind",
    reason: "Only the owner has the VIP, so nginx can neither be tested nor started on the other nodes (measured).",
    fix: "listen on all addresses, or set net.ipv4.ip_nonlocal_bind (net.ipv6.ip_nonlocal_bind) to 1",
}
NG008 {
    Error, [Inventory(addresses)],
    title: "a listen on an address that not every node has",
    reason: "All nodes get the same sites. Where the address is missing, nginx does not start.",
    fix: "listen on all addresses, or on a VIP with ip_nonlocal_bind",
}
NG009 {
    Error, [Inventory(status_port)],
    title: "the status port is taken by a site or a stream",
    reason: "hactl asks nginx on that port which generation it serves, and the health check asks there whether it serves at all.",
    fix: "set another status port, one that nothing else listens on",
}
NG010 {
    Error, [Inventory(streams)],
    title: "two proxies on one port",
    reason: "A stream and a site, or two streams, cannot share a socket: nginx refuses the file, or its bind fails at the reload.",
    fix: "give each a port of its own",
}
NG011 {
    Error, [Inventory(shared)],
    title: "two default servers on one socket",
    reason: "nginx refuses the file: \"a duplicate default server\".",
    fix: "leave `default_server` to one site of the socket",
}
NG012 {
    Warning, [Inventory(shared)],
    title: "the same server name twice on one socket",
    reason: "nginx keeps the first and ignores the second: \"conflicting server name\".",
    fix: "remove the name from one of the sites",
}
NG013 {
    Error, [Inventory(shared)],
    title: "TLS and plain HTTP on one socket",
    reason: "A socket speaks TLS for all sites that share it or for none; sites that expect the other are unreachable.",
    fix: "use one port for TLS and another for plain HTTP",
}
}

/// A site's socket, and its place in the inventory.
struct Socket<'a> {
    site: usize,
    listen: &'a Listen,
    path: InventoryPath,
}

fn sockets(cluster: &Cluster) -> Vec<Socket<'_>> {
    let sites = cluster.sites.iter().enumerate();
    sites
        .flat_map(|(site, value)| {
            value.listen.iter().enumerate().map(move |(index, listen)| {
                let path = places::listen(site, index);
                Socket { site, listen, path }
            })
        })
        .collect()
}

fn addresses(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for socket in &sockets(cluster) {
        address(cluster, socket, findings);
    }
}

fn address(cluster: &Cluster, socket: &Socket<'_>, findings: &mut Vec<Finding>) {
    let Some(address) = socket.listen.address else {
        return;
    };
    if address.is_unspecified() || address.is_loopback() {
        return;
    }
    let key = match address {
        IpAddr::V4(_) => "net.ipv4.ip_nonlocal_bind",
        IpAddr::V6(_) => "net.ipv6.ip_nonlocal_bind",
    };
    let mut sysctls = cluster.sysctls.iter();
    if sysctls.any(|sysctl| sysctl.key.as_str() == key && sysctl.value.as_str() == "1") {
        return;
    }
    let mut vips = cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses);
    if vips.any(|vip| vip.addr() == address) {
        let message = format!(
            "nginx is to listen on the VIP {address}, which backups don't have, and {key} is not 1"
        );
        let fix = format!("listen on all addresses, or set the sysctl {key} to 1");
        findings.push(Finding::new(&NG002, socket.path.clone(), message).fix(fix));
        return;
    }
    let without: Vec<_> = cluster
        .nodes
        .iter()
        .filter(|node| node.address != address)
        .map(|node| node.name.as_str())
        .collect();
    if !without.is_empty() {
        let message = format!(
            "nothing in the inventory says that {} have {address}",
            without.join(", ")
        );
        findings.push(Finding::new(&NG008, socket.path.clone(), message));
    }
}

fn status_port(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let sockets = sockets(cluster);
    let port = cluster.nginx.status_port;
    let sites = sockets
        .iter()
        .filter(|socket| socket.listen.port == port)
        .map(|socket| (&socket.path, "a site"));
    let stream_paths: Vec<_> = cluster
        .streams
        .iter()
        .enumerate()
        .filter(|(_, stream)| !stream.udp && stream.port == port)
        .map(|(index, _)| places::stream(index))
        .collect();
    let streams = stream_paths.iter().map(|path| (path, "a stream"));
    for (path, what) in sites.chain(streams) {
        let message = format!("{what} listens on port {port}, which is nginx's status port");
        findings.push(Finding::new(&NG009, path.clone(), message));
    }
}

fn streams(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let sockets = sockets(cluster);
    for (index, stream) in cluster.streams.iter().enumerate() {
        let protocol = if stream.udp { "UDP" } else { "TCP" };
        let earlier = cluster.streams.iter().take(index);
        let is_same =
            |other: &&crate::model::Stream| (other.udp, other.port) == (stream.udp, stream.port);
        let has_site = || !stream.udp && sockets.iter().any(|s| s.listen.port == stream.port);
        let other = if earlier.filter(is_same).count() > 0 {
            "another stream"
        } else if has_site() {
            "a site"
        } else {
            continue;
        };
        let message = format!("{other} listens on {protocol} port {} too", stream.port);
        findings.push(Finding::new(&NG010, places::stream(index), message));
    }
}

/// Conflicts between sites that share a socket.
fn shared(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let sockets = sockets(cluster);
    let mut by_socket: BTreeMap<(Option<IpAddr>, u16), Vec<&Socket<'_>>> = BTreeMap::new();
    for socket in &sockets {
        let key = (socket.listen.address, socket.listen.port);
        by_socket.entry(key).or_default().push(socket);
    }
    for ((address, port), sharers) in by_socket {
        let at = address.map_or(format!("port {port}"), |ip| format!("{ip} port {port}"));
        let Some((first, rest)) = sharers.split_first() else {
            continue;
        };
        for socket in rest
            .iter()
            .filter(|socket| socket.listen.tls != first.listen.tls)
        {
            let message = format!("{at} speaks TLS for one site and plain HTTP for another");
            findings.push(Finding::new(&NG013, socket.path.clone(), message));
        }
        let defaults = sharers.iter().filter(|socket| socket.listen.default_server);
        for socket in defaults.skip(1) {
            let message = format!("{at} has a default server already");
            findings.push(Finding::new(&NG011, socket.path.clone(), message));
        }
        names(cluster, &at, &sharers, findings);
    }
}

fn names(cluster: &Cluster, at: &str, sharers: &[&Socket<'_>], findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for socket in sharers {
        let names = cluster
            .sites
            .get(socket.site)
            .map(|site| site.names.as_slice());
        for name in names.unwrap_or_default() {
            let owner = *seen.entry(name.as_str()).or_insert(socket.site);
            if owner != socket.site {
                let message = format!("{at}: another site has the name {name} already");
                let path = places::site(socket.site).key("names");
                findings.push(Finding::new(&NG012, path, message));
            }
        }
    }
}
