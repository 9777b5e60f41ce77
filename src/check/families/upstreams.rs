//! Upstreams (NG006, NG014 to NG019).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::nginx_snippet;
use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Balance, Cluster, InventoryPath, NodeName, Upstream, UpstreamServer};

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for upstream in &cluster.upstreams {
        in_service(upstream, findings);
        backups(upstream, findings);
        for (index, server) in upstream.servers.iter().enumerate() {
            leads_back(cluster, upstream, index, server, findings);
        }
    }
}

/// Each name once, at the first place that has it, with the nodes that cannot resolve it.
pub(in crate::check) fn names(
    cluster: &Cluster,
    unresolved: &[(NodeName, Vec<String>)],
    findings: &mut Vec<Finding>,
) {
    let mut told = BTreeSet::new();
    for (path, name) in resolved_at_start(cluster) {
        let lacks = |(_, names): &&(NodeName, Vec<String>)| names.contains(&name);
        let nodes: Vec<_> = unresolved
            .iter()
            .filter(lacks)
            .map(|(node, _)| node.as_str())
            .collect();
        if nodes.is_empty() || !told.insert(name.clone()) {
            continue;
        }
        let message = format!(
            "{} cannot resolve {name}: a running nginx keeps the addresses it has, but its next reload \
             or start fails",
            nodes.join(", ")
        );
        findings.push(Finding::new(&registry::NG017, path, message));
    }
}

/// The names that nginx resolves when it starts: servers, and hosts in raw snippets.
pub(in crate::check) fn resolved_at_start(cluster: &Cluster) -> Vec<(InventoryPath, String)> {
    let of_upstream = |upstream: &Upstream| {
        let servers = upstream.servers.iter().enumerate();
        let place = places::servers(&upstream.name);
        let named = servers.filter_map(|(index, server)| {
            Some((place.index(index), server.address.name()?.to_owned()))
        });
        named.collect::<Vec<_>>()
    };
    let mut names: Vec<_> = cluster.upstreams.iter().flat_map(of_upstream).collect();
    names.extend(nginx_snippet::names(cluster));
    names
}

/// A server that a node cannot connect to, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The node.
    pub node: NodeName,
    /// The server's host, an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Why, in words.
    pub cause: String,
}

/// Servers in service that nodes cannot connect to; for nodes that reach none of an upstream, that.
pub(in crate::check) fn connections(
    cluster: &Cluster,
    unreached: &[Unreached],
    findings: &mut Vec<Finding>,
) {
    let is_udp = |upstream: &Upstream| {
        let mut streams = cluster.streams.iter();
        streams.any(|stream| stream.udp && stream.upstream == upstream.name)
    };
    // Nothing can be told of a server that speaks UDP by a TCP connection.
    for upstream in cluster.upstreams.iter().filter(|it| !is_udp(it)) {
        let of = |server: &UpstreamServer| {
            let host = server.address.host().trim_matches(['[', ']']);
            let port = server.address.port();
            let is_it = move |it: &&Unreached| it.host == host && it.port == port;
            unreached.iter().filter(is_it).collect::<Vec<_>>()
        };
        let in_service = upstream.servers.iter().enumerate();
        let in_service: Vec<_> = in_service
            .filter(|(_, server)| !server.down)
            .map(|(index, server)| (index, server, of(server)))
            .collect();
        let lacks_all = |node: &NodeName| {
            let lacks = |missed: &[&Unreached]| missed.iter().any(|it| it.node == *node);
            in_service.iter().all(|(_, _, missed)| lacks(missed))
        };
        let place = places::servers(&upstream.name);
        let first = in_service.first().map(|(_, _, missed)| missed.as_slice());
        let cut_off: Vec<&NodeName> = first
            .unwrap_or_default()
            .iter()
            .map(|it| &it.node)
            .filter(|node| lacks_all(node))
            .collect();
        if !cut_off.is_empty() {
            let servers = in_service.iter().map(|(_, server, missed)| {
                let causes = missed.iter().filter(|it| cut_off.contains(&&it.node));
                let causes: BTreeSet<&str> = causes.map(|it| it.cause.as_str()).collect();
                let causes: Vec<&str> = causes.into_iter().collect();
                format!("{} ({})", server.address, causes.join(", "))
            });
            let message = format!(
                "{} cannot connect to any server of upstream {}: {}",
                join(cut_off.iter().map(|node| node.as_str())),
                upstream.name,
                join(servers)
            );
            findings.push(Finding::new(&registry::NG019, place.clone(), message));
        }
        for (index, server, missed) in &in_service {
            let mut by_cause: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for it in missed.iter().filter(|it| !cut_off.contains(&&it.node)) {
                by_cause
                    .entry(&it.cause)
                    .or_default()
                    .push(it.node.as_str());
            }
            for (cause, nodes) in by_cause {
                let message = format!(
                    "{} cannot connect to {}: {cause}",
                    nodes.join(", "),
                    server.address
                );
                findings.push(Finding::new(&registry::NG018, place.index(*index), message));
            }
        }
    }
}

fn join(words: impl Iterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<String> = words.map(|word| word.as_ref().to_owned()).collect();
    words.join(", ")
}

fn in_service(upstream: &Upstream, findings: &mut Vec<Finding>) {
    let name = &upstream.name;
    let mut serving = upstream.servers.iter().filter(|server| !server.down);
    match (serving.next(), serving.next()) {
        (None, _) => {
            let message =
                format!("all servers of upstream {name} are down: every request gets 502");
            findings.push(Finding::new(
                &registry::NG014,
                places::servers(name),
                message,
            ));
        }
        (Some(only), None) => {
            let alone = upstream.servers.len() == 1;
            let message = if alone && only.max_fails > 0 {
                format!(
                    "upstream {name} has one server, {}, whose max_fails nginx ignores",
                    only.address
                )
            } else {
                format!(
                    "upstream {name} has one server in service, {}",
                    only.address
                )
            };
            findings.push(Finding::new(
                &registry::NG006,
                places::servers(name),
                message,
            ));
        }
        (Some(_), Some(_)) => {}
    }
}

fn backups(upstream: &Upstream, findings: &mut Vec<Finding>) {
    let method = match upstream.balance {
        Balance::IpHash => "ip_hash",
        Balance::Random => "random",
        Balance::RoundRobin | Balance::LeastConn => return,
    };
    for (index, server) in upstream
        .servers
        .iter()
        .enumerate()
        .filter(|(_, s)| s.backup)
    {
        let message = format!("nginx refuses `backup` on {} with {method}", server.address);
        let path = places::servers(&upstream.name).index(index);
        findings.push(Finding::new(&registry::NG015, path, message));
    }
}

fn leads_back(
    cluster: &Cluster,
    upstream: &Upstream,
    index: usize,
    server: &UpstreamServer,
    findings: &mut Vec<Finding>,
) {
    let host = server.address.host().trim_matches(['[', ']']);
    let Ok(address) = host.parse::<IpAddr>() else {
        return;
    };
    let vips = cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses);
    let nodes = cluster.nodes.iter().map(|node| node.address);
    let mut ours = vips.map(ipnet::IpNet::addr).chain(nodes);
    if !address.is_loopback() && !ours.any(|ours| ours == address) {
        return;
    }
    let port = server.address.port();
    let site_ports = cluster
        .sites
        .iter()
        .flat_map(|site| &site.listen)
        .filter_map(|listen| {
            let here = listen.address.is_none_or(|listened| listened == address);
            here.then_some(listen.port)
        });
    let stream_ports = cluster.streams.iter().map(|stream| stream.port);
    if !site_ports.chain(stream_ports).any(|ours| ours == port) {
        return;
    }
    let message = format!(
        "upstream {}: {} is the proxy itself, which listens on port {port}",
        upstream.name, server.address
    );
    let path = places::servers(&upstream.name).index(index);
    findings.push(Finding::new(&registry::NG016, path, message));
}
