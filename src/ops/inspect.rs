//! Inspects hosts before anything is changed there: what preflight asks of each, and whether VRRP passes between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::clocks::read_clock;
use super::error::OpsError;
use super::snapshot::Other;
use crate::agent::{
    AdvertTest, AdvertTestRequest, Agent, AgentError, ClockOffset, Heard, Observation,
    ObserveRequest, Preflight, Probing, random_bytes,
};
use crate::apply::{Fleet, each};
use crate::drill::Clock;
use crate::model::{Cluster, Node, NodeName};

/// The longest time between two test packets. A cluster with rarer adverts would need minutes for a useful number.
const LONGEST_INTERVAL: Duration = Duration::from_millis(50);

/// A longer test is made of parts, so that hosts do not go on sending for long after hactl was stopped.
const LONGEST_PART: Duration = Duration::from_secs(10);

/// How VRRP's way between the hosts is tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestPlan {
    /// How long test packets are sent.
    duration: Duration,
    /// How long hosts listen before and afterwards.
    margin: Duration,
}

impl TestPlan {
    /// Enough to see whether anything arrives, and to hear a router that sends an advert a second.
    const QUICK: Self = Self {
        duration: Duration::from_millis(200),
        margin: Duration::from_millis(450),
    };
    /// The same for hosts that are slow to start.
    const PATIENT: Self = Self {
        duration: Duration::from_secs(1),
        margin: Duration::from_millis(2500),
    };

    /// Test packets for as long as `duration`.
    pub(super) fn measuring(duration: Duration) -> Self {
        Self {
            duration,
            margin: Duration::from_millis(750),
        }
    }
}

/// Inspects the hosts, if hactl has never set one of them up. `others` take part in the test of adverts.
pub(super) async fn inspect_new(
    cluster: &Cluster,
    fleet: &Fleet,
    seen: &mut [Observation],
    others: &mut [Other],
) -> Result<(), OpsError> {
    if seen.iter().all(|host| host.recorded.is_some()) {
        return Ok(());
    }
    let others = others.iter_mut().filter_map(Other::seen_mut);
    let errors = inspect(
        cluster,
        fleet,
        seen.iter_mut().chain(others),
        TestPlan::QUICK,
    )
    .await?;
    if errors.is_empty() {
        return Ok(());
    }
    Err(OpsError::Hosts { errors })
}

/// Inspects the hosts. Returns the errors of those that did not answer.
pub(super) async fn inspect(
    cluster: &Cluster,
    fleet: &Fleet,
    seen: impl Iterator<Item = &mut Observation>,
    test: TestPlan,
) -> Result<Vec<AgentError>, OpsError> {
    let clock = Clock::start();
    let mut hosts: BTreeMap<NodeName, &mut Observation> =
        seen.map(|host| (host.node.clone(), host)).collect();
    let nodes: Vec<NodeName> = hosts.keys().cloned().collect();
    let answers = each(nodes, hosts.len(), |node| {
        let agent = fleet.get(&node);
        let clock = &clock;
        async move { Some((node, ask(agent?, clock).await)) }
    })
    .await;
    let mut inspected: BTreeMap<NodeName, Preflight> = BTreeMap::new();
    let mut errors = Vec::new();
    for (node, answer) in answers.into_iter().flatten() {
        match answer {
            Ok(preflight) => drop(inspected.insert(node, preflight)),
            Err(error) => errors.push(error),
        }
    }
    let looked_at = hosts.values().map(|host| &**host);
    let exchange = Exchange {
        fleet,
        nodes: inspected
            .keys()
            .filter_map(|node| cluster.node(node))
            .collect(),
        virtual_router_id: unused_router_id(cluster, looked_at),
        interval: cluster
            .vrrp
            .advert_interval
            .duration()
            .min(LONGEST_INTERVAL),
    };
    let mut tests = exchange.all_of(test).await?;
    if is_silent(cluster, &tests) {
        // Only what arrived counts: this test is as short as the hosts are slow.
        for (node, again) in exchange.all_of(TestPlan::PATIENT).await? {
            if let Some(first) = tests.get_mut(&node) {
                let is_missing = |heard: &Heard| first.heard_from(heard.from, heard.by).is_none();
                let missed: Vec<Heard> = again.heard.into_iter().filter(is_missing).collect();
                first.heard.extend(missed);
            }
        }
    }
    for (node, mut preflight) in inspected {
        preflight.adverts = tests.remove(&node);
        if let Some(host) = hosts.get_mut(&node) {
            host.probed.preflight = Some(preflight);
        }
    }
    Ok(errors)
}

async fn ask(agent: &Agent, clock: &Clock) -> Result<Preflight, AgentError> {
    let question = ObserveRequest {
        probing: vec![Probing::Preflight],
        ..ObserveRequest::default()
    };
    let answer = agent.observe(&question).await?;
    let mut preflight = answer.probed.preflight.unwrap_or_default();
    // The clock is asked over a session of its own, which a host may refuse.
    let estimate = read_clock(agent, clock).await.ok().flatten();
    preflight.clock = estimate.map(|host| ClockOffset {
        ahead: host.offset,
        error: host.error,
    });
    Ok(preflight)
}

/// Hosts that send test packets to each other at the same time.
struct Exchange<'a> {
    fleet: &'a Fleet,
    nodes: Vec<&'a Node>,
    virtual_router_id: u8,
    interval: Duration,
}

impl Exchange<'_> {
    /// The whole test, one part after the other.
    async fn all_of(&self, test: TestPlan) -> Result<BTreeMap<NodeName, AdvertTest>, OpsError> {
        let mut tests: BTreeMap<NodeName, AdvertTest> = BTreeMap::new();
        let mut left = test.duration;
        while !left.is_zero() {
            let duration = left.min(LONGEST_PART);
            left -= duration;
            let mut parts = self.part(TestPlan { duration, ..test }).await?;
            let sent = parts.iter().filter_map(|(node, part)| {
                let own = self.nodes.iter().find(|own| own.name == *node)?;
                Some((own.address, part.sent))
            });
            let sent: BTreeMap<IpAddr, u64> = sent.collect();
            for heard in parts.iter_mut().flat_map(|(_, part)| &mut part.heard) {
                heard.of = sent.get(&heard.from).copied().unwrap_or(heard.received);
            }
            for (node, part) in parts {
                match tests.get_mut(&node) {
                    Some(test) => test.add(part),
                    None => drop(tests.insert(node, part)),
                }
            }
        }
        Ok(tests)
    }

    async fn part(&self, test: TestPlan) -> Result<Vec<(NodeName, AdvertTest)>, OpsError> {
        let key: [u8; 4] = random_bytes().map_err(OpsError::NoRandomness)?;
        let token = format!("{:08x}", u32::from_be_bytes(key));
        let request = |node: &Node| {
            let peers = self.nodes.iter().map(|node| node.address);
            AdvertTestRequest {
                address: node.address,
                interface: node.interface.clone(),
                virtual_router_id: self.virtual_router_id,
                interval: self.interval,
                duration: test.duration,
                margin: test.margin,
                token: token.clone(),
                peers: peers.filter(|peer| *peer != node.address).collect(),
            }
        };
        // All at once, whatever `--parallel` says: one that starts later would miss the others.
        let results = each(self.nodes.iter(), self.nodes.len(), |node| {
            let agent = self.fleet.get(&node.name);
            let request = request(node);
            async move {
                let test = agent?.test_adverts(&request).await;
                let failed = |error: AgentError| AdvertTest {
                    failure: Some(error.to_string()),
                    ..AdvertTest::default()
                };
                Some((node.name.clone(), test.unwrap_or_else(failed)))
            }
        })
        .await;
        Ok(results.into_iter().flatten().collect())
    }
}

/// A virtual router id that neither the cluster has, nor anything that runs on the hosts.
fn unused_router_id<'a>(cluster: &Cluster, seen: impl Iterator<Item = &'a Observation>) -> u8 {
    let own = cluster.instances.iter();
    let own = own.map(|instance| instance.virtual_router_id.get());
    let running = seen.flat_map(|host| &host.vrrp);
    let running = running.filter_map(|vrrp| vrrp.wire.router_id);
    let used: BTreeSet<u8> = own.chain(running).collect();
    (1..=u8::MAX)
        .rev()
        .find(|id| !used.contains(id))
        .unwrap_or(u8::MAX)
}

/// Whether a host that listened heard nothing of a host that sent.
fn is_silent(cluster: &Cluster, tests: &BTreeMap<NodeName, AdvertTest>) -> bool {
    let Some(by) = cluster.peering() else {
        return false;
    };
    let works = |node: &NodeName| tests.get(node).is_some_and(|test| test.failure.is_none());
    tests
        .iter()
        .filter(|(node, _)| works(node))
        .any(|(to, test)| {
            let mut peers = tests.keys().filter(|from| *from != to && works(from));
            peers.any(|from| {
                let from = cluster.node(from).map(|node| node.address);
                let to = cluster.node(to).map(|node| node.address);
                let is_one_family = from
                    .zip(to)
                    .is_some_and(|(from, to)| from.is_ipv4() == to.is_ipv4());
                is_one_family && from.is_some_and(|from| test.heard_from(from, by).is_none())
            })
        })
}
