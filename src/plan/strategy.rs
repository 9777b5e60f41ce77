//! The order in which a plan changes the nodes, and the cost of it.

use std::net::IpAddr;
use std::time::Duration;

use super::agreement::{Strictness, disagreement, pending_disagreement, without_owner};
use super::beside::shares;
use super::desired::Desired;
use super::request::{LeftOut, PlanError, Request};
use super::serving::Beside;
use super::types::{NodePlan, Plan, Strategy};
use crate::agent::{Observation, TreeFile, UnitAction};
use crate::model::{FileRole, NodeName, UnitId};

/// If all nodes change at once, all but the keeper stop keepalived before the keeper loads the new configuration,
/// and start it afterwards.
pub(super) fn be_silent_meanwhile(plan: &mut Plan, nodes: &[(Desired, Observation)]) {
    let Some(keeper) = plan.keeper().cloned() else {
        return;
    };
    let time = time_without_owner(plan, &keeper, nodes);
    if let Strategy::AtOnce { without_owner, .. } = &mut plan.strategy {
        *without_owner = time;
    }
    for node in plan.nodes.iter_mut().filter(|node| node.node != keeper) {
        if node.unit(UnitId::KEEPALIVED) == UnitAction::Reload {
            node.restart(UnitId::KEEPALIVED, "all nodes change at once");
            node.displaces = nodes
                .iter()
                .find(|(_, seen)| seen.node == node.node)
                .map_or_else(Vec::new, |(desired, seen)| vips_of_others(desired, seen));
        }
    }
}

/// The VIPs on a node that do not belong to hactl.
fn vips_of_others(desired: &Desired, seen: &Observation) -> Vec<IpAddr> {
    let file = |file: &&TreeFile| file.role == FileRole::KeepalivedConf;
    let own = desired.tree.files.iter().find(file);
    let (Some(own), Some(serving)) = (own, &seen.serving) else {
        return Vec::new();
    };
    if !shares(&desired.tree.manifest, UnitId::KEEPALIVED) {
        return Vec::new();
    }
    let others = Beside::of(&desired.tree, serving, own.path.as_str()).others_instances;
    let addresses = others.into_iter().flat_map(|instance| instance.addresses);
    addresses.filter(|vip| seen.holds(*vip)).collect()
}

fn time_without_owner(
    plan: &Plan,
    keeper: &NodeName,
    nodes: &[(Desired, Observation)],
) -> Option<Duration> {
    let held: Vec<(IpAddr, bool)> = plan
        .nodes
        .iter()
        .flat_map(|node| node.holds.iter().map(|vip| (*vip, node.node == *keeper)))
        .collect();
    let own = plan.nodes.iter().find(|node| node.node == *keeper)?;
    let (desired, seen) = nodes.iter().find(|(_, seen)| seen.node == *keeper)?;
    // A keepalived that restarts gives up its VIPs, and one that did not run has none. Without nginx it is in FAULT,
    // and the timers of the checks count too.
    let is_timed = own.unit(UnitId::KEEPALIVED) == UnitAction::Reload
        && own.unit(UnitId::NGINX) != UnitAction::Restart;
    is_timed.then(|| without_owner(desired, seen, &held))?
}

pub(super) fn strictness(request: &Request) -> Strictness {
    let left_out = request
        .left_out
        .iter()
        .filter_map(|left_out| match left_out {
            LeftOut::Seen(node) => Some(&node.1),
            LeftOut::Unseen(_) => None,
        });
    Strictness::of(request.nodes.iter().map(|(_, seen)| seen).chain(left_out))
}

pub(super) fn strategy(request: &Request, strictness: Strictness) -> Strategy {
    let is_alone = request.nodes.len() + request.left_out.len() < 2;
    let found: Vec<_> = request
        .nodes
        .iter()
        .filter_map(|(desired, seen)| disagreement(desired, seen, strictness))
        .collect();
    match found.first() {
        Some(first) if !is_alone => Strategy::AtOnce {
            reason: first.to_string(),
            without_owner: None,
        },
        _ => Strategy::Rolling,
    }
}

/// Nodes that are left out must agree with those that change. For a node that cannot be seen, that fails if the
/// change is one that all must agree on. For one that can be seen, it fails if it needs such a change itself.
pub(super) fn refuse_partial(
    left_out: &[LeftOut],
    strategy: &Strategy,
    nodes: &[NodePlan],
    strictness: Strictness,
) -> Result<(), PlanError> {
    if nodes
        .iter()
        .all(|node| node.unit_change(UnitId::KEEPALIVED).is_none())
    {
        return Ok(());
    }
    for one in left_out {
        match (one, strategy) {
            (LeftOut::Unseen(node), Strategy::AtOnce { reason, .. }) => {
                return Err(PlanError::Partial {
                    reason: reason.clone(),
                    without: node.clone(),
                });
            }
            (LeftOut::Unseen(_), Strategy::Rolling) => {}
            (LeftOut::Seen(node), _) => {
                let (desired, seen) = &**node;
                if let Some(found) = pending_disagreement(desired, seen, strictness) {
                    return Err(PlanError::Partial {
                        reason: found.to_string(),
                        without: seen.node.clone(),
                    });
                }
            }
        }
    }
    Ok(())
}
