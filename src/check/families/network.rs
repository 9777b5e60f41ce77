//! What else interferes with VRRP on a node's network (FW001, KA054).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::ways::{Way, ways};
use crate::agent::{Adverts, InstanceState, Observation, VrrpState};
use crate::check::evidence::{ClusterEvidence, HostEvidence};
use crate::check::places;
use crate::check::rule::{Finding, Findings};
use crate::model::{InterfaceName, Node, Peering};

rules! { RULES:
FW001 {
    Error, [Running(dropped), Fitness(blocked)],
    title: "VRRP adverts do not arrive",
    reason: "A node that receives no adverts takes the VIP, too: two owners. `preflight`, and `plan` and `apply` for a host that hactl has never set up, send packets of VRRP's protocol between all nodes, by unicast and by multicast, past the senders' own connection tracking: a firewall that lets in what belongs to a connection would otherwise pass the test, and drop the adverts for a backup, which sends nothing. Of a running cluster hactl reports this only where several nodes are MASTER at the same time, from keepalived's own counters over two seconds: one node sent adverts, and the other neither received nor rejected any. It cannot see what drops them: a firewall on either node, or the network between them.",
    fix: "allow IP protocol 112 between the nodes: check `nft list ruleset` on both, and any firewall between them",
}
KA054 {
    Warning, [Host(networkd_takes_addresses)],
    title: "the VIP may disappear when systemd-networkd starts",
    reason: "Where a link's .network file does not say `KeepConfiguration=`, systemd-networkd removes foreign addresses when it configures the link, for example when an upgrade restarts its service (systemd.network(5); keepalived issues 836 and 1385). keepalived 1.3.9 never notices; later releases do.",
    fix: "set `KeepConfiguration=static` under `[Network]` of that file, or in a drop-in",
}
}

/// keepalived adds addresses without a lifetime, which networkd treats as static.
fn networkd_takes_addresses(evidence: &HostEvidence<'_>, findings: &mut Findings) {
    let HostEvidence {
        cluster,
        node,
        seen,
    } = *evidence;
    let own = cluster
        .instances
        .iter()
        .map(|instance| instance.interface.as_ref().unwrap_or(&node.interface));
    let used: BTreeSet<&str> = own.map(InterfaceName::as_str).collect();
    let managed = &seen.probed.networkd;
    for (interface, networkd) in managed
        .iter()
        .filter(|(name, _)| used.contains(name.as_str()))
    {
        let keeps = networkd.keep.as_deref().map(str::to_ascii_lowercase);
        if matches!(
            keeps.as_deref(),
            Some("static" | "yes" | "true" | "on" | "1" | "y" | "t")
        ) {
            continue;
        }
        let message = format!(
            "{}: systemd-networkd manages {interface} with {}, which does not keep foreign addresses: its next \
             restart may remove the VIP",
            node.name, networkd.file
        );
        findings.push(Finding::new(&KA054, node.path.clone(), message).on(&node.name));
    }
}

/// Fewer may be lost by chance, or come from a node that has just become MASTER.
const ENOUGH: u64 = 2;

fn dropped(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for receiver in evidence.seen {
        for vrrp in masters(receiver) {
            let Some(own) = receiver.probed.adverts.get(&vrrp.instance) else {
                continue;
            };
            if (own.received, own.rejected) != (0, 0) {
                continue;
            }
            let senders = evidence
                .seen
                .iter()
                .filter(|other| other.node != receiver.node);
            let unheard = senders.filter_map(|sender| Some((sender, sent_to(sender, vrrp)?)));
            let unheard: Vec<String> = unheard
                .filter(|(_, adverts)| adverts.sent >= ENOUGH)
                .map(|(sender, adverts)| format!("{} sent {}", sender.node, adverts.sent))
                .collect();
            if unheard.is_empty() {
                continue;
            }
            let message = format!(
                "{}: {} is MASTER and received no advert within two seconds while another MASTER sent some: {}",
                receiver.node,
                vrrp.instance,
                unheard.join(", ")
            );
            let path = places::node(evidence.cluster, &receiver.node);
            findings.push(Finding::new(&FW001, path, message).on(&receiver.node));
        }
    }
}

fn masters(seen: &Observation) -> impl Iterator<Item = &VrrpState> {
    let all = seen.vrrp.iter();
    all.filter(|vrrp| vrrp.state == InstanceState::Master)
}

/// The adverts that `sender` sent for the instance `to` of another node. `None` if their configuration keeps the two
/// from hearing each other (KA020), or if that is unknown.
fn sent_to<'a>(sender: &'a Observation, to: &VrrpState) -> Option<&'a Adverts> {
    let from = masters(sender).find(|vrrp| vrrp.instance == to.instance)?;
    let is_one_router =
        from.wire.router_id? == to.wire.router_id? && from.wire.version? == to.wire.version?;
    let is_multicast = from.wire.peers.is_empty() && to.wire.peers.is_empty();
    let are_peers = || {
        let (one, other) = (from.wire.source?, to.wire.source?);
        Some(from.wire.peers.contains(&other) && to.wire.peers.contains(&one))
    };
    let is_heard = is_one_router && (is_multicast || are_peers() == Some(true));
    is_heard.then(|| sender.probed.adverts.get(&to.instance))?
}

fn word(by: Peering) -> &'static str {
    match by {
        Peering::Unicast => "unicast",
        Peering::Multicast => "multicast",
    }
}

/// Ways on which nothing arrives. A node that hears nobody, or that nobody hears, is told once.
fn blocked(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let cluster = evidence.cluster;
    let Some(by) = cluster.peering() else {
        return;
    };
    let other = match by {
        Peering::Unicast => Peering::Multicast,
        Peering::Multicast => Peering::Unicast,
    };
    let ways = ways(evidence);
    let open_otherwise = ways.iter().all(|way| way.heard(other).is_some());
    let mut receivers: Vec<&Node> = ways.iter().map(|way| way.to).collect();
    receivers.dedup_by_key(|node| &node.name);
    for to in receivers {
        let is_silent = |way: &&Way<'_>| way.to.name == to.name && way.heard(by).is_none();
        let silent: Vec<&Way<'_>> = ways.iter().filter(is_silent).collect();
        if silent.is_empty() {
            continue;
        }
        let senders: Vec<String> = silent
            .iter()
            .map(|way| format!("{} ({} sent)", way.from.name, way.sender.sent))
            .collect();
        let kind = word(by);
        let mut message = format!(
            "{}: no {kind} advert arrives from {}",
            to.name,
            senders.join(", ")
        );
        for way in &silent {
            if let Some(error) = way.sender.unsent_to(to.address, by) {
                message = format!("{message}; {} cannot send: {error}", way.from.name);
            }
        }
        let peers: Vec<IpAddr> = silent.iter().map(|way| way.from.address).collect();
        // `vrrp_strict` leaves no choice.
        let fix = if open_otherwise && !cluster.vrrp.strict {
            format!(
                "set `peering: {}` under `vrrp`: those adverts pass between all nodes; or find out what drops {kind} between them",
                word(other)
            )
        } else {
            opening(
                evidence.seen.iter().find(|host| host.node == to.name),
                &peers,
            )
        };
        let path = places::node(cluster, &to.name);
        findings.push(Finding::new(&FW001, path, message).on(&to.name).fix(fix));
    }
}

/// How adverts of `peers` are let in on a host, with the firewall that it has.
fn opening(host: Option<&Observation>, peers: &[IpAddr]) -> String {
    let preflight = host.and_then(|host| host.probed.preflight.as_ref());
    let has = |unit| preflight.is_some_and(|preflight| preflight.runs(unit));
    if has("firewalld.service") {
        return "let them in on that node: `firewall-cmd --permanent --add-rich-rule='rule protocol value=\"vrrp\" accept' && firewall-cmd --reload`".to_owned();
    }
    if preflight.is_some_and(|preflight| preflight.ufw_is_enabled) {
        let rules: Vec<String> = peers
            .iter()
            .map(|peer| format!("`ufw allow proto vrrp from {peer}`"))
            .collect();
        return format!("let them in on that node: {}", rules.join(", "));
    }
    FW001.fix.to_owned()
}
