//! How adverts pass between the hosts, as test packets have shown it (FW003, KA024, KA061, KA062).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::ways::{Way, test_of, ways};
use crate::agent::Observation;
use crate::check::evidence::ClusterEvidence;
use crate::check::places;
use crate::check::rule::{Finding, Findings};
use crate::model::Cluster;

rules! { RULES:
FW003 {
    Warning, [Fitness(untested)],
    title: "it is unknown whether VRRP adverts arrive",
    reason: "hactl tests that with packets of IP protocol 112, which perl or Python sends on the hosts. Without them, a firewall that drops adverts is only noticed when two nodes own the VIP.",
    fix: "install perl or python3 on the node, or make sure that IP protocol 112 passes between the nodes",
}
KA024 {
    Error, [Fitness(spoken)],
    title: "another router uses the virtual_router_id on this network",
    reason: "Virtual routers of one id on one network take each other's adverts for their own: the VIP goes to whoever has the higher priority, and each side logs adverts that do not match.",
    fix: "choose another `virtual_router_id` for the VIP",
}
KA061 {
    Warning, [Fitness(lossy)],
    title: "so many adverts are lost that the VIP will move without need",
    reason: "A backup takes over after `down_timer_adverts` lost adverts in a row. The forecast takes each loss for an independent event; losses in bursts make it worse.",
    fix: "find out what loses packets (`ip -s link`, the switch's port counters), or set a larger `down_timer_adverts` under `vrrp`",
}
KA062 {
    Warning, [Fitness(late)],
    title: "adverts arrive late, compared with the time after which a backup takes over",
    reason: "What counts for a backup is the time without an advert, whether the network or a busy host is the cause. A delay of more than half of what it tolerates leaves no reserve.",
    fix: "find out what delays them (a busy host, or steal time of a virtual machine: `vmstat 1`), or choose a slower profile under `vrrp` (`failover: standard`)",
}
}

/// The least time of sending from which losses and delays are judged.
const ENOUGH: Duration = Duration::from_millis(900);
/// Fewer losses say little about how often there are some.
const SEVERAL: u64 = 3;
const YEAR: Duration = Duration::from_hours(365 * 24);

fn untested(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    if evidence.cluster.nodes.len() < 2 {
        return;
    }
    for host in evidence.seen {
        let Some(failure) = test_of(host).and_then(|test| test.failure.as_ref()) else {
            continue;
        };
        let Some(node) = evidence.cluster.node(&host.node) else {
            continue;
        };
        // Without its interface or its address, that is what has to be corrected.
        let has_interface = host.interfaces.contains_key(node.interface.as_str());
        if !has_interface || !host.holds(node.address) {
            continue;
        }
        let why = match failure.as_str() {
            "" => "it has neither perl nor Python",
            words => words,
        };
        let message = format!("{}: cannot test whether adverts arrive: {why}", node.name);
        let finding = Finding::new(&FW003, node.path.clone(), message).on(&node.name);
        findings.push(match failure.as_str() {
            "" => finding,
            _ => finding.fix("make sure that IP protocol 112 passes between the nodes"),
        });
    }
}

/// Adverts of routers that are no node of the cluster.
fn spoken(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let cluster = evidence.cluster;
    // An IPv6 router's adverts come from its link-local address.
    let has_it = |host: &Observation, address| {
        let mut own = host.addresses.iter();
        own.any(|(_, net)| net.addr() == address)
    };
    let is_own = |address: IpAddr| {
        let mut nodes = cluster.nodes.iter();
        // A node that was not looked at may send from another one of its addresses.
        evidence.seen.len() < cluster.nodes.len()
            || nodes.any(|node| node.address == address)
            || evidence.seen.iter().any(|host| has_it(host, address))
    };
    let heard = || {
        let tests = evidence
            .seen
            .iter()
            .filter_map(|host| Some((host, test_of(host)?)));
        tests.flat_map(|(host, test)| test.routers.iter().map(move |router| (host, router)))
    };
    let used: BTreeSet<u8> = heard()
        .map(|(_, router)| router.virtual_router_id)
        .collect();
    let ipv4 = cluster.nodes.iter().all(|node| node.address.is_ipv4());
    for (index, instance) in cluster.instances.iter().enumerate() {
        // An id of the other family is another router's, and was not listened for.
        if instance.advertises_ipv4(ipv4) != ipv4 {
            continue;
        }
        let id = instance.virtual_router_id.get();
        let mut told = BTreeSet::new();
        for (host, router) in heard() {
            let is_it = router.virtual_router_id == id && !is_own(router.from);
            if !is_it || !told.insert(router.from) {
                continue;
            }
            let message = format!(
                "{}: {} sends adverts of virtual_router_id {id} (VRRPv{}, priority {})",
                host.node, router.from, router.version, router.priority
            );
            let path = places::instance_key(index, "virtual_router_id");
            let finding = Finding::new(&KA024, path, message).on(&host.node);
            findings.push(match free_id(cluster, &used) {
                Some(free) => finding.fix(format!(
                    "set another `virtual_router_id` for that VIP: {free} was not heard here"
                )),
                None => finding,
            });
        }
    }
}

/// A virtual router id that neither the cluster nor anybody heard uses.
fn free_id(cluster: &Cluster, heard: &BTreeSet<u8>) -> Option<u8> {
    let is_own = |id: u8| {
        let mut instances = cluster.instances.iter();
        instances.any(|instance| instance.virtual_router_id.get() == id)
    };
    (51..=u8::MAX).find(|id| !heard.contains(id) && !is_own(*id))
}

/// True for a test from which losses and delays can be judged.
fn is_long(way: &Way<'_>) -> bool {
    way.sender.interval * u32::try_from(way.sender.sent).unwrap_or(u32::MAX) >= ENOUGH
}

/// Takeovers a year for no other reason than lost adverts.
fn takeovers_a_year(cluster: &Cluster, lost: f64) -> f64 {
    let adverts = YEAR.as_secs_f64() / cluster.vrrp.advert_interval.duration().as_secs_f64();
    let in_a_row = i32::from(cluster.vrrp.down_timer_adverts.get());
    // A row of losses starts after an advert that arrived.
    adverts * (1.0 - lost) * lost.powi(in_a_row)
}

fn lossy(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let cluster = evidence.cluster;
    for way in ways(evidence).iter().filter(|way| is_long(way)) {
        let Some(heard) = cluster.peering().and_then(|by| way.heard(by)) else {
            continue;
        };
        let lost = heard.of.saturating_sub(heard.received);
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of packets are far below 2^52"
        )]
        let share = lost as f64 / heard.of as f64;
        let a_year = takeovers_a_year(cluster, share);
        if a_year < 1.0 || lost < SEVERAL {
            continue;
        }
        let often = if a_year < 365.0 {
            format!("{a_year:.0} times a year")
        } else {
            format!("{:.0} times a day", a_year / 365.0)
        };
        let message = format!(
            "{}: of {} adverts from {}, {lost} were lost: at that rate a backup takes over without need about {often}",
            way.to.name, heard.of, way.from.name
        );
        let path = places::node(cluster, &way.to.name);
        findings.push(Finding::new(&KA061, path, message).on(&way.to.name));
    }
}

fn late(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let cluster = evidence.cluster;
    let patience = cluster.vrrp.silence();
    for way in ways(evidence).iter().filter(|way| is_long(way)) {
        let Some(heard) = cluster.peering().and_then(|by| way.heard(by)) else {
            continue;
        };
        // What a backup would have seen of adverts in the cluster's own interval.
        let delay = heard.silence.saturating_sub(way.receiver.interval);
        let advert = cluster.vrrp.advert_interval.duration();
        let silence = advert + delay;
        if delay * 2 <= patience.saturating_sub(advert) {
            continue;
        }
        let own = match way.sender.lateness.as_millis() {
            0 => String::new(),
            own => format!(" (which was up to {own} ms late itself)"),
        };
        let message = format!(
            "{}: {} ms passed without an advert from {}{own}, and a backup takes over after {} ms",
            way.to.name,
            silence.as_millis(),
            way.from.name,
            patience.as_millis()
        );
        let path = places::node(cluster, &way.to.name);
        findings.push(Finding::new(&KA062, path, message).on(&way.to.name));
    }
}
