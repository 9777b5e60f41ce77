//! Inspects hosts before anything is changed there: what preflight asks of each, and whether VRRP passes between them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::clocks::read_clock;
use super::error::OpsError;
use crate::agent::{
    AdvertTest, AdvertTestRequest, Agent, ClockOffset, Observation, ObserveRequest, Preflight,
    Probing, random_bytes,
};
use crate::apply::{Fleet, each};
use crate::drill::Clock;
use crate::model::{Cluster, NodeName};

/// The longest time between two test packets. A cluster with rarer adverts would need minutes for a useful number.
const LONGEST_INTERVAL: Duration = Duration::from_millis(50);

/// How VRRP's way between the hosts is tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestPlan {
    /// How long test packets are sent.
    duration: Duration,
    /// How long hosts listen before and afterwards.
    margin: Duration,
}

impl TestPlan {
    /// Enough to see whether anything arrives.
    const QUICK: Self = Self {
        duration: Duration::from_millis(200),
        margin: Duration::from_millis(250),
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

/// Inspects the hosts, if hactl has never set one of them up.
pub(super) async fn inspect_new(
    cluster: &Cluster,
    fleet: &Fleet,
    seen: &mut [Observation],
) -> Result<(), OpsError> {
    if seen.iter().all(|host| host.recorded.is_some()) {
        return Ok(());
    }
    inspect(cluster, fleet, seen, TestPlan::QUICK).await
}

/// Inspects the hosts. One that no longer answers keeps what was seen of it.
pub(super) async fn inspect(
    cluster: &Cluster,
    fleet: &Fleet,
    seen: &mut [Observation],
    test: TestPlan,
) -> Result<(), OpsError> {
    let clock = Clock::start();
    let nodes: Vec<NodeName> = seen.iter().map(|host| host.node.clone()).collect();
    let answers = each(nodes, seen.len(), |node| {
        let agent = fleet.get(&node);
        let clock = &clock;
        async move { Some((node, ask(agent?, clock).await?)) }
    })
    .await;
    let mut answers: BTreeMap<NodeName, Preflight> = answers.into_iter().flatten().collect();
    let mut adverts = exchange(cluster, fleet, seen, test).await?;
    if is_silent(cluster, &adverts) {
        let again = exchange(cluster, fleet, seen, TestPlan::PATIENT).await?;
        // A long measurement stands, but for the hosts of which it has nothing.
        for (node, heard) in again {
            let missed = adverts.get(&node).map_or(0, |first| first.heard.len());
            if missed < heard.heard.len() || !adverts.contains_key(&node) {
                adverts.insert(node, heard);
            }
        }
    }
    for host in seen {
        let Some(mut preflight) = answers.remove(&host.node) else {
            continue;
        };
        preflight.adverts = adverts.remove(&host.node);
        host.probed.preflight = Some(preflight);
    }
    Ok(())
}

async fn ask(agent: &Agent, clock: &Clock) -> Option<Preflight> {
    let question = ObserveRequest {
        probing: vec![Probing::Preflight],
        ..ObserveRequest::default()
    };
    let mut preflight = agent.observe(&question).await.ok()?.probed.preflight?;
    let estimate = read_clock(agent, clock).await.ok().flatten();
    preflight.clock = estimate.map(|host| ClockOffset {
        ahead: host.offset,
        error: host.error,
    });
    Some(preflight)
}

/// Lets all hosts send test packets to each other at the same time.
async fn exchange(
    cluster: &Cluster,
    fleet: &Fleet,
    seen: &[Observation],
    test: TestPlan,
) -> Result<BTreeMap<NodeName, AdvertTest>, OpsError> {
    let key: [u8; 4] = random_bytes().map_err(OpsError::NoRandomness)?;
    let token = format!("{:08x}", u32::from_be_bytes(key));
    let nodes = seen.iter().filter_map(|host| cluster.node(&host.node));
    let nodes: Vec<_> = nodes.collect();
    let request = |own: IpAddr, interface| AdvertTestRequest {
        address: own,
        interface,
        virtual_router_id: unused_router_id(cluster),
        interval: cluster
            .vrrp
            .advert_interval
            .duration()
            .min(LONGEST_INTERVAL),
        duration: test.duration,
        margin: test.margin,
        token: token.clone(),
        peers: nodes
            .iter()
            .map(|node| node.address)
            .filter(|peer| *peer != own)
            .collect(),
    };
    // All at once, whatever `--parallel` says: one that starts later would miss the others.
    let results = each(nodes.iter(), nodes.len(), |node| {
        let agent = fleet.get(&node.name);
        let request = request(node.address, node.interface.clone());
        async move { Some((node.name.clone(), agent?.test_adverts(&request).await.ok()?)) }
    })
    .await;
    Ok(results.into_iter().flatten().collect())
}

/// A virtual router id that no instance of the cluster has.
fn unused_router_id(cluster: &Cluster) -> u8 {
    let is_used = |id: &u8| {
        let mut instances = cluster.instances.iter();
        instances.any(|instance| instance.virtual_router_id.get() == *id)
    };
    (1..=u8::MAX)
        .rev()
        .find(|id| !is_used(id))
        .unwrap_or(u8::MAX)
}

/// Whether a host that listened heard nothing of a host that sent.
fn is_silent(cluster: &Cluster, tests: &BTreeMap<NodeName, AdvertTest>) -> bool {
    let by = cluster.vrrp.peering;
    let works = |node: &NodeName| tests.get(node).is_some_and(|test| test.failure.is_none());
    tests.keys().filter(|node| works(node)).any(|to| {
        let mut peers = tests.keys().filter(|from| *from != to && works(from));
        peers.any(|from| {
            let from = cluster.node(from).map(|node| node.address);
            from.is_some_and(|from| tests[to].heard_from(from, by).is_none())
        })
    })
}
