//! Whether a cluster could survive a drill now.

use crate::agent::{Agent, AgentError, Observation};
use crate::apply::look;
use crate::health::{self, MustAnswer, Problem};
use crate::ops::cluster::vips;
use crate::ops::error::OpsError;
use crate::ops::planning::make;
use crate::ops::selection::Loaded;
use crate::ops::snapshot::ClusterSnapshot;

fn refuse(reason: String, remedy: &str) -> OpsError {
    OpsError::NotFitForDrill {
        reason,
        remedy: remedy.to_owned(),
    }
}

/// Refuses an unhealthy cluster: a drill would measure something else, or cause an outage.
pub(super) fn refuse_unfit(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
) -> Result<(), OpsError> {
    if let Some(error) = snapshot.seen.iter().find_map(locked) {
        return Err(OpsError::Hosts {
            errors: vec![error],
        });
    }
    let under_way = snapshot.seen.iter().find(|seen| seen.journal.is_some());
    if let Some(seen) = under_way {
        return Err(refuse(
            format!("a change is under way on {}", seen.node),
            "wait until it is confirmed or rolled back; see `hactl status`",
        ));
    }
    let mut drilling = snapshot.seen.iter().filter(|seen| seen.drill.is_some());
    if let (Some(seen), Some(why)) = (drilling.next(), not_healthy(loaded, &snapshot.seen)) {
        return Err(refuse(
            why,
            &format!("wait until {} has ended it; see `hactl status`", seen.node),
        ));
    }
    if let Some(why) = not_healthy(loaded, &snapshot.seen) {
        return Err(refuse(
            why,
            "fix what `hactl status` shows, then run the drill",
        ));
    }
    let plan = make(loaded, snapshot, &snapshot.seen)?.plan;
    let differs = plan.nodes.iter().find(|node| !node.is_empty());
    if let Some(node) = differs {
        return Err(refuse(
            format!("{} differs from the inventory", node.node),
            "see what differs with `hactl plan`, correct it with `hactl apply`, then run the drill",
        ));
    }
    Ok(())
}

/// Refuses a cluster in which a node does not reach a VIP at its owner, since users would not either.
pub(super) async fn refuse_unreached(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
) -> Result<(), OpsError> {
    let agents: Vec<&Agent> = snapshot.fleet.agents().collect();
    let doors = health::doors(&loaded.cluster);
    let looks = look(&agents, snapshot.client, &doors, &snapshot.seen).await;
    let found = health::disagreements(&looks, MustAnswer::WhatTheOwnerServes);
    let (found, _) = health::split_doubtful(found, &looks);
    match found.first() {
        None => Ok(()),
        Some(problem) => Err(refuse(
            problem.to_string(),
            "fix what `hactl status` shows, then run the drill",
        )),
    }
}

/// Set if another operation holds the lock on that host.
fn locked(seen: &Observation) -> Option<AgentError> {
    let lock = seen.lock.as_ref().filter(|lock| !lock.stale)?;
    Some(AgentError::Locked {
        node: seen.node.clone(),
        lock: Box::new(lock.clone()),
    })
}

/// Why the cluster is unhealthy: a drill in progress, a problem of a node or a VIP, or no second node.
pub(super) fn not_healthy(loaded: &Loaded, seen: &[Observation]) -> Option<String> {
    let drilling = seen.iter().find_map(|seen| {
        let drill = seen.drill.as_ref()?;
        Some(format!(
            "the drill {} is under way on {}",
            drill.name, seen.node
        ))
    });
    let problem = || {
        let problems = health::problems(seen, &vips(&loaded.cluster));
        // If a node is in FAULT and a VIP has no owner, the node is the cause.
        let node = problems.iter().find(|problem| problem.node().is_some());
        node.or(problems.first()).map(Problem::to_string)
    };
    let alone = || {
        (seen.len() < 2)
            .then(|| "the cluster has a single node: no other could take over".to_owned())
    };
    drilling.or_else(problem).or_else(alone)
}
