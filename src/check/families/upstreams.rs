//! Upstreams (NG006, NG014 to NG017).

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Balance, Cluster, NodeName, Upstream, UpstreamServer};

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for upstream in &cluster.upstreams {
        in_service(upstream, findings);
        backups(upstream, findings);
        for (index, server) in upstream.servers.iter().enumerate() {
            leads_back(cluster, upstream, index, server, findings);
        }
    }
}

/// Each name once, at the first server that has it, with the nodes that cannot resolve it.
pub(in crate::check) fn names(
    cluster: &Cluster,
    unresolved: &[(NodeName, Vec<String>)],
    findings: &mut Vec<Finding>,
) {
    let mut told = BTreeSet::new();
    for upstream in &cluster.upstreams {
        for (index, server) in upstream.servers.iter().enumerate() {
            let Some(name) = server.address.name().filter(|name| told.insert(*name)) else {
                continue;
            };
            let lacks = |(_, names): &&(NodeName, Vec<String>)| names.iter().any(|own| own == name);
            let nodes: Vec<_> = unresolved
                .iter()
                .filter(lacks)
                .map(|(node, _)| node.as_str())
                .collect();
            if nodes.is_empty() {
                continue;
            }
            let message = format!(
                "{} cannot resolve {name}: a running nginx keeps the addresses it has, but its next reload \
                 or start fails",
                nodes.join(", ")
            );
            let path = places::servers(&upstream.name).index(index);
            findings.push(Finding::new(&registry::NG017, path, message));
        }
    }
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
