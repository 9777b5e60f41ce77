//! Proof across the cluster: every VIP has exactly one owner, all nodes reach it there, and every node could serve and
//! take over.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::change::Change;
use super::fleet::{Fleet, each};
use super::outside::announce_and_look;
use super::session::Session;
use crate::agent::{Observation, ObserveRequest, Phase};
use crate::health::{self, MustAnswer, Problem, Served};
use crate::model::NodeName;
use crate::plan::Strategy;

/// A change that fixes a node has done so before the node's check has passed often enough.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(5);

/// The evidence that a change works.
pub(super) struct Proof {
    /// The VIPs, each with its sole owner.
    pub(super) owners: Vec<(IpAddr, NodeName)>,
    /// Problems from before the change that persist.
    pub(super) remaining: Vec<Problem>,
}

/// Waits until every VIP has one owner and is reached there, and every node could serve and take over, except for
/// problems from before the change. Otherwise returns the problems. Without that exception no change would get through
/// while a node has an unrelated fault, not even one that fixes half of it.
///
/// Once `change` has reached all of its nodes, waits for VIPs that move to the node that the plan prefers, so that the
/// owner that is proven is the one that users will have. A VIP that stays where it is does not fail the change.
///
/// A node that the change has not reached yet is not judged before, and need not serve what the change opens.
/// Disagreements between nodes count once the change has reached all. The client must be served as it was before, as
/// `served` says.
pub(super) async fn healthy(
    session: &Session<'_>,
    change: &Change<'_>,
    must: MustAnswer,
    served: &Served,
) -> Result<Proof, Vec<Problem>> {
    let (fleet, options, tx) = (session.fleet, change.options, change.tx);
    let (nodes, preferred) = (&change.nodes()[..], &change.plan.preferred);
    let started = Instant::now();
    let heard_by = started + election_time(change);
    // Pass it once, so that there is an observation after the election.
    let deadline = started + session.owner_patience + election_time(change);
    let recovered_by = started + session.owner_patience.min(RECOVERY_PATIENCE);
    let vips = &session.vips;
    let addresses: Vec<IpAddr> = vips.iter().map(|doors| doors.vip).collect();
    let question = ObserveRequest {
        hooks: options.hooks.clone(),
        peers: match must {
            MustAnswer::All => options.peer_ports.clone(),
            MustAnswer::WhatTheOwnerServes => Vec::new(),
        },
        ..ObserveRequest::default()
    };
    loop {
        let looked_at = Instant::now();
        let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
        let seen: Vec<Observation> = seen.into_iter().flatten().collect();
        let owners: Option<Vec<_>> = health::owners(&seen, &addresses)
            .into_iter()
            .map(|vip| Some((vip.address, vip.sole()?.clone())))
            .collect();
        let is_over = nodes.iter().all(|node| has_change(&seen, node, tx));
        let will_move = |(vip, owner): &(IpAddr, NodeName)| {
            preferred.get(vip).is_some_and(|next| next != owner)
        };
        if is_over && owners.iter().flatten().any(will_move) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        let mut problems = health::problems(&seen, &addresses);
        drop_premature(&mut problems, &seen, nodes, tx);
        let (remaining, mut new): (Vec<_>, Vec<_>) = problems
            .into_iter()
            .partition(|problem| problem.is_in(&options.before));
        // If the nodes see a problem of their own, the view from outside follows from it.
        if owners.is_some() && new.is_empty() {
            let agents: Vec<_> = fleet.agents().collect();
            let looks = announce_and_look(&agents, session.client, vips, &seen).await;
            new = health::disagreements(&looks, must);
            served.judge(&mut new);
            new.retain(|problem| match problem {
                // For an earlier generation's listeners, a firewall may have kept users away before, too.
                Problem::NotServed { node, .. } => {
                    must == MustAnswer::All && has_change(&seen, node, tx)
                }
                _ => true,
            });
        }
        match owners {
            Some(owners)
                if new.is_empty()
                    && (remaining.is_empty() || Instant::now() >= recovered_by)
                    && looked_at >= heard_by =>
            {
                return Ok(Proof { owners, remaining });
            }
            _ if Instant::now() >= deadline => return Err(new),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Time until a node that does not hear its peers has become an owner, too. In a rolling change, nodes keep hearing
/// each other.
fn election_time(change: &Change<'_>) -> Duration {
    match change.plan.strategy {
        Strategy::Rolling => Duration::ZERO,
        Strategy::AtOnce { without_owner, .. } => change
            .options
            .election_time
            .max(without_owner.unwrap_or_default()),
    }
}

/// Drops problems of nodes that the change has not reached yet.
fn drop_premature(
    problems: &mut Vec<Problem>,
    seen: &[Observation],
    nodes: &[&NodeName],
    tx: &str,
) {
    let to_come: Vec<&NodeName> = nodes
        .iter()
        .copied()
        .filter(|node| !has_change(seen, node, tx))
        .collect();
    problems.retain(|problem| match problem {
        Problem::Mismatch { .. } => to_come.is_empty(),
        other => other.node().is_none_or(|node| !to_come.contains(&node)),
    });
}

fn has_change(seen: &[Observation], node: &NodeName, tx: &str) -> bool {
    let own = seen.iter().find(|seen| seen.node == *node);
    let journal = own.and_then(|seen| seen.journal.as_ref());
    journal.is_some_and(|journal| journal.tx == tx)
}

/// True if each of these nodes is waiting for its confirmation of the change `tx`.
pub(super) async fn all_wait(fleet: &Fleet, nodes: &[&NodeName], tx: &str) -> bool {
    let question = ObserveRequest::default();
    let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
    let seen: Vec<Observation> = seen.into_iter().flatten().collect();
    nodes.iter().all(|node| {
        let own = seen.iter().find(|seen| seen.node == **node);
        let journal = own.and_then(|seen| seen.journal.as_ref());
        journal.is_some_and(|journal| journal.tx == tx && journal.phase == Phase::Activated)
    })
}
