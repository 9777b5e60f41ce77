//! Upstream servers as the nodes reach them (NG017 to NG019).

use std::collections::{BTreeMap, BTreeSet};

use super::nginx_snippet;
use crate::agent::{NoConnection, Observation};
use crate::check::evidence::{ClusterEvidence, PlanEvidence};
use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, InventoryPath, NodeName, Upstream, UpstreamServer};

rules! { RULES:
NG017 {
    Error, [Plan(unresolved_in_plan), Cluster(unresolved)],
    title: "a node cannot resolve a server's name",
    reason: "nginx resolves server names, including those in raw snippets, only when it starts or reloads. A name that stops resolving does not affect the running nginx, but every reload is refused and the next start fails on each node that cannot resolve it (measured).",
    fix: "make the name resolve there, by DNS or /etc/hosts, or use the server's address; nginx 1.27.3 and later can look names up at run time, with `resolve` and a `resolver` in an upstream of your own in `nginx.raw_http`",
}
NG018 {
    Warning, [Cluster(unreached)],
    title: "a node cannot connect to a server",
    reason: "nginx uses the remaining servers but keeps retrying this one, and each retry costs a client up to the connect timeout. A mistyped address, a firewall and a server that is not up yet look the same from here.",
    fix: "start the server or correct its address; if it is down on purpose, set `down: true`",
}
NG019 {
    Warning, [Cluster(unreached)],
    title: "a node cannot connect to any server of an upstream",
    reason: "The node answers every request for this upstream with 502, and it may own the VIP. plan and apply report it before they ask, and status for as long as it lasts. It does not fail a change: a rollback would not bring the servers back, and a proxy may be set up before its servers.",
    fix: "start the servers, or correct their addresses or the route from this node to them",
}
}

fn unresolved(evidence: &ClusterEvidence<'_>, findings: &mut Vec<Finding>) {
    names(evidence.cluster, evidence.seen, findings);
}

fn unresolved_in_plan(evidence: &PlanEvidence<'_>, findings: &mut Vec<Finding>) {
    names(evidence.cluster, evidence.seen, findings);
}

/// Reports each name once, at its first place, with the nodes that cannot resolve it.
fn names(cluster: &Cluster, seen: &[Observation], findings: &mut Vec<Finding>) {
    let unresolved: Vec<(&NodeName, Vec<String>)> = seen
        .iter()
        .map(|host| (&host.node, host.unresolved()))
        .collect();
    let mut told = BTreeSet::new();
    for (path, name) in resolved_at_start(cluster) {
        let lacks = |(_, names): &&(&NodeName, Vec<String>)| names.contains(&name);
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
        findings.push(Finding::new(&NG017, path, message));
    }
}

/// Names that nginx resolves when it starts: servers, and hosts in raw snippets.
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
struct Unreached {
    node: NodeName,
    /// An IPv6 address without brackets.
    host: String,
    port: u16,
    cause: String,
}

/// Leaves out names that do not resolve, which have a rule of their own.
fn unreached_by(seen: &[Observation]) -> Vec<Unreached> {
    let of_host = |host: &Observation| {
        let node = host.node.clone();
        let unreached = host.backends.iter().filter_map(|server| {
            let cause = server
                .cause
                .filter(|cause| *cause != NoConnection::NoName)?;
            Some(Unreached {
                node: node.clone(),
                host: server.host.clone(),
                port: server.port,
                cause: cause.to_string(),
            })
        });
        unreached.collect::<Vec<_>>()
    };
    seen.iter().flat_map(of_host).collect()
}

/// Servers in service that nodes cannot connect to. If a node reaches none of an upstream, that is reported instead.
fn unreached(evidence: &ClusterEvidence<'_>, findings: &mut Vec<Finding>) {
    let (cluster, unreached) = (evidence.cluster, unreached_by(evidence.seen));
    let is_udp = |upstream: &Upstream| {
        let mut streams = cluster.streams.iter();
        streams.any(|stream| stream.udp && stream.upstream == upstream.name)
    };
    // A TCP connection tells nothing about a server that speaks UDP.
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
            findings.push(Finding::new(&NG019, place.clone(), message));
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
                findings.push(Finding::new(&NG018, place.index(*index), message));
            }
        }
    }
}

fn join(words: impl Iterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<String> = words.map(|word| word.as_ref().to_owned()).collect();
    words.join(", ")
}
