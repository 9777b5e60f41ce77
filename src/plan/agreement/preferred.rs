//! Which node owns each VIP after the election, as far as the nodes' own files tell.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::own_file::{keepalived_conf, keepalived_path};
use super::router::{Preemption, Router};
use super::routers;
use crate::agent::{LiveFile, Observation, TrackedKind, UnitAction};
use crate::model::{HostPath, NodeName, UnitId};
use crate::plan::desired::Desired;
use crate::plan::request::LeftOut;
use crate::plan::types::{NodePlan, Plan, Strategy};

/// A node that may own VIPs after the change.
struct Candidate<'a> {
    node: &'a NodeName,
    seen: &'a Observation,
    /// Its virtual routers after the change.
    routers: Vec<Router>,
    /// Nothing keeps it from being elected after the change.
    is_able: bool,
    /// It gives up its VIPs during the change.
    leaves: bool,
}

/// A candidate for one VIP.
struct Stand<'a> {
    node: &'a NodeName,
    priority: u8,
    preemption: Preemption,
    owns: bool,
    leaves: bool,
}

/// The next owner of each VIP, if the change affects the election or its owner gives it up meanwhile. That requires
/// that all nodes can be seen, their files are complete, and only priorities count.
pub(in crate::plan) fn preferred(
    nodes: &[(Desired, Observation)],
    left_out: &[LeftOut],
    vips: &[IpAddr],
    plan: &Plan,
) -> BTreeMap<IpAddr, NodeName> {
    let unknown = BTreeMap::new();
    let counts = |node: &NodePlan| node.changes_election() || node.moves_vip();
    if !plan.nodes.iter().any(counts) {
        return unknown;
    }
    let mut candidates = Vec::new();
    for (desired, seen) in nodes {
        let plan = plan.nodes.iter().find(|plan| plan.node == seen.node);
        // A host that is left as it is has no new file.
        let conf = keepalived_conf(desired).map(|(_, text)| text);
        let conf = conf.or_else(|| live_conf(seen));
        candidates.push(candidate(seen, conf, plan));
    }
    for one in left_out {
        let LeftOut::Seen(node) = one else {
            return unknown;
        };
        let (desired, seen) = &**node;
        let file = keepalived_path(desired).and_then(|path| seen.files.get(path));
        candidates.push(candidate(seen, file.and_then(LiveFile::content), None));
    }
    let Some(candidates) = candidates.into_iter().collect::<Option<Vec<_>>>() else {
        return unknown;
    };
    let is_rolling = plan.strategy == Strategy::Rolling;
    let of_vip = |vip: &IpAddr| Some((*vip, winner(&candidates, *vip, is_rolling)?.clone()));
    vips.iter().filter_map(of_vip).collect()
}

fn live_conf(seen: &Observation) -> Option<&[u8]> {
    let path = HostPath::new("/etc/keepalived/keepalived.conf").ok()?;
    seen.files.get(&path)?.content()
}

/// `None` if its part in the election cannot be predicted.
fn candidate<'a>(
    seen: &'a Observation,
    conf: Option<&[u8]>,
    plan: Option<&NodePlan>,
) -> Option<Candidate<'a>> {
    let action = |of: fn(&NodePlan) -> UnitAction| plan.map_or(UnitAction::None, of);
    let (nginx, keepalived) = (
        action(|plan| plan.unit(UnitId::NGINX)),
        action(|plan| plan.unit(UnitId::KEEPALIVED)),
    );
    let will_run = |unit: UnitId, action: UnitAction| match action {
        UnitAction::None | UnitAction::Reload => seen.service(unit).is_active(),
        UnitAction::Restart | UnitAction::Start => true,
        UnitAction::Stop => false,
    };
    // Other causes of FAULT may outlast the change.
    let is_fixed = nginx == UnitAction::Start && !seen.service(UnitId::NGINX).is_active();
    let is_electable = seen.vrrp.iter().all(|vrrp| vrrp.state.is_electable());
    let is_able = will_run(UnitId::NGINX, nginx)
        && will_run(UnitId::KEEPALIVED, keepalived)
        && (is_electable || is_fixed);
    let conf = routers::read(conf.unwrap_or_default(), seen);
    let is_known = conf.is_whole && (!is_able || is_fixed || !is_held_back(seen));
    is_known.then(|| Candidate {
        node: &seen.node,
        seen,
        routers: conf.routers,
        is_able,
        leaves: plan.is_some_and(NodePlan::moves_vip),
    })
}

/// True if a failed check lowers its priority, by an amount that its file alone does not tell.
fn is_held_back(seen: &Observation) -> bool {
    seen.tracked.iter().any(|tracked| match tracked.kind {
        TrackedKind::Script { is_failing, .. } => is_failing,
        TrackedKind::File { value, .. } => value != 0,
        TrackedKind::Interface { is_up } => !is_up,
    })
}

fn winner<'a>(candidates: &[Candidate<'a>], vip: IpAddr, is_rolling: bool) -> Option<&'a NodeName> {
    let stand = |one: &Candidate<'a>| {
        let own = one
            .routers
            .iter()
            .find(|own| own.vips().any(|it| it == vip))?;
        Some(Stand {
            node: one.node,
            priority: own.priority,
            preemption: own.preemption,
            owns: one.seen.holds(vip),
            leaves: one.leaves,
        })
    };
    let able: Vec<Stand<'a>> = candidates
        .iter()
        .filter(|one| one.is_able)
        .filter_map(stand)
        .collect();
    let mut owners = able.iter().filter(|one| one.owns);
    match (owners.next(), owners.next()) {
        (Some(owner), None) if owner.leaves => after_its_leave(owner, &able, is_rolling),
        (Some(owner), None) => challenged(owner, &able),
        _ => highest(&able)
            .filter(|best| best.preemption == Preemption::AtOnce)
            .map(|best| best.node),
    }
}

/// `None` on a tie, which addresses decide, or who was first.
fn highest<'a, 's>(all: impl IntoIterator<Item = &'s Stand<'a>>) -> Option<&'s Stand<'a>>
where
    'a: 's,
{
    let all: Vec<_> = all.into_iter().collect();
    let top = all.iter().map(|one| one.priority).max()?;
    let mut best = all.into_iter().filter(|one| one.priority == top);
    best.next().filter(|_| best.next().is_none())
}

/// An owner that stays up keeps the VIP against nodes of the same priority.
fn challenged<'a>(owner: &Stand<'a>, able: &[Stand<'a>]) -> Option<&'a NodeName> {
    let is_rival =
        |one: &&Stand<'_>| one.priority > owner.priority && one.preemption != Preemption::Never;
    let rivals: Vec<_> = able.iter().filter(is_rival).collect();
    if rivals.is_empty() {
        return Some(owner.node);
    }
    let is_prompt = rivals
        .iter()
        .all(|one| one.preemption == Preemption::AtOnce);
    is_prompt.then(|| highest(rivals).map(|one| one.node))?
}

fn after_its_leave<'a>(
    owner: &Stand<'a>,
    able: &[Stand<'a>],
    is_rolling: bool,
) -> Option<&'a NodeName> {
    let others: Vec<_> = able.iter().filter(|one| one.node != owner.node).collect();
    if others.is_empty() {
        return Some(owner.node);
    }
    let next = highest(others)?;
    // If all nodes change at once, the keeper has it first.
    let is_next_certain = next.preemption == Preemption::AtOnce || is_rolling && !next.leaves;
    if owner.priority > next.priority && owner.preemption == Preemption::AtOnce {
        Some(owner.node)
    } else if owner.priority > next.priority && owner.preemption == Preemption::Later {
        None
    } else {
        is_next_certain.then_some(next.node)
    }
}
