//! Which node has each VIP once the election is over, as far as the nodes' own files tell.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::conf;
use super::router::Router;
use super::{keepalived_conf, keepalived_path};
use crate::agent::{LiveFile, Observation};
use crate::model::NodeName;
use crate::plan::build::{LeftOut, Request};
use crate::plan::types::{NodePlan, UnitAction};

/// A node that may own VIPs after the change.
struct Candidate<'a> {
    node: &'a NodeName,
    seen: &'a Observation,
    /// The routers that it runs then.
    routers: Vec<Router>,
    /// Nothing keeps it from being elected then.
    is_able: bool,
}

/// The owner to come of each VIP where that can be told: a change of the election, among nodes that can all
/// be seen. One that would not take over from another, or only after a delay, is left out.
pub(in crate::plan) fn preferred(
    request: &Request,
    plans: &[NodePlan],
) -> BTreeMap<IpAddr, NodeName> {
    let changes_election =
        |plan: &NodePlan| plan.keepalived != UnitAction::None || plan.nginx == UnitAction::Start;
    if !plans.iter().any(changes_election) {
        return BTreeMap::new();
    }
    let mut candidates = Vec::new();
    for (desired, seen) in &request.nodes {
        let plan = plans.iter().find(|plan| plan.node == seen.node);
        let conf = keepalived_conf(desired).map(|(_, text)| text);
        candidates.push(candidate(seen, conf, plan));
    }
    for left_out in &request.left_out {
        let LeftOut::Seen(node) = left_out else {
            return BTreeMap::new();
        };
        let (desired, seen) = &**node;
        let file = keepalived_path(desired).and_then(|path| seen.files.get(path));
        candidates.push(candidate(seen, file.and_then(LiveFile::content), None));
    }
    let of_vip = |vip: &IpAddr| Some((*vip, winner(&candidates, *vip)?.clone()));
    request.vips.iter().filter_map(of_vip).collect()
}

fn candidate<'a>(
    seen: &'a Observation,
    conf: Option<&[u8]>,
    plan: Option<&NodePlan>,
) -> Candidate<'a> {
    let action = |of: fn(&NodePlan) -> UnitAction| plan.map_or(UnitAction::None, of);
    let (nginx, keepalived) = (action(|plan| plan.nginx), action(|plan| plan.keepalived));
    let will_run = |program: &str, action: UnitAction| match action {
        UnitAction::None | UnitAction::Reload => seen.service(program).is_active(),
        UnitAction::Restart | UnitAction::Start => true,
        UnitAction::Stop => false,
    };
    // What else a node is in FAULT for, the change may not end.
    let is_mended = nginx == UnitAction::Start && !seen.service("nginx").is_active();
    let is_electable = seen.vrrp.iter().all(|vrrp| vrrp.state.is_electable());
    let text = conf.map(String::from_utf8_lossy).unwrap_or_default();
    Candidate {
        node: &seen.node,
        seen,
        routers: conf::read(&text).routers,
        is_able: will_run("nginx", nginx)
            && will_run("keepalived", keepalived)
            && (is_electable || is_mended),
    }
}

fn winner<'a>(candidates: &[Candidate<'a>], vip: IpAddr) -> Option<&'a NodeName> {
    let router = |one: &Candidate<'_>| {
        let own = one
            .routers
            .iter()
            .find(|own| own.vips().any(|it| it == vip));
        own.map(|own| (own.priority, own.yields))
    };
    let able: Vec<_> = candidates
        .iter()
        .filter(|one| one.is_able)
        .filter_map(|one| Some((one, router(one)?)))
        .collect();
    let highest = able.iter().map(|(_, (priority, _))| *priority).max()?;
    let mut best = able
        .iter()
        .filter(|(_, (priority, _))| *priority == highest);
    let (first, (_, yields)) = best.next()?;
    // Among equals the owner stays, or addresses decide.
    if best.next().is_some() {
        return None;
    }
    let may_wait = *yields && !first.seen.holds(vip);
    (!may_wait).then_some(first.node)
}
