//! Proof across the cluster: every VIP has exactly one owner, and all nodes reach it there.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::fleet::{Fleet, each};
use super::outside::announce_and_look;
use crate::agent::{Observation, Question};
use crate::health::{self, MustAnswer, Problem, Served};
use crate::model::NodeName;

/// The VIPs, each with its one owner; or what is wrong. Nodes that have not activated the change `tx` yet need
/// not serve what it opens; the client is held to what it was `served` before.
pub(super) async fn one_owner_each(
    engine: &Engine<'_>,
    must: MustAnswer,
    tx: &str,
    served: &Served,
) -> Result<Vec<(IpAddr, NodeName)>, Vec<Problem>> {
    let (fleet, vips) = (engine.fleet, &engine.options.vips);
    let deadline = Instant::now() + engine.options.owner_patience;
    let addresses: Vec<IpAddr> = vips.iter().map(|doors| doors.vip).collect();
    loop {
        let question = Question::default();
        let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
        let seen: Vec<Observation> = seen.into_iter().flatten().collect();
        let owners: Option<Vec<_>> = health::owners(&seen, &addresses)
            .into_iter()
            .map(|vip| Some((vip.address, vip.sole()?.clone())))
            .collect();
        let problems = match &owners {
            Some(_) => {
                let agents: Vec<_> = fleet.agents().collect();
                let looks = announce_and_look(&agents, engine.client, vips, &seen).await;
                let mut problems = health::disagreements(&looks, must);
                served.judge(&mut problems);
                problems.retain(|problem| match problem {
                    Problem::NotServed { node, .. } => has_change(&seen, node, tx),
                    _ => true,
                });
                problems
            }
            None => health::problems(&seen, &addresses),
        };
        match owners {
            Some(owners) if problems.is_empty() => return Ok(owners),
            _ if Instant::now() >= deadline => return Err(problems),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn has_change(seen: &[Observation], node: &NodeName, tx: &str) -> bool {
    let own = seen.iter().find(|seen| seen.node == *node);
    let journal = own.and_then(|seen| seen.journal.as_ref());
    journal.is_some_and(|journal| journal.tx == tx)
}

/// True when each of these nodes is seen to wait for its confirmation of the change `tx`.
pub(super) async fn all_wait(fleet: &Fleet, nodes: &[&NodeName], tx: &str) -> bool {
    let question = Question::default();
    let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
    let seen: Vec<Observation> = seen.into_iter().flatten().collect();
    nodes.iter().all(|node| {
        let own = seen.iter().find(|seen| seen.node == **node);
        let journal = own.and_then(|seen| seen.journal.as_ref());
        journal.is_some_and(|journal| journal.tx == tx && journal.phase == "activated")
    })
}
