//! `hactl status`: the current state of every node, including drift.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::cluster::vips;
use super::connect::{Connections, Hosts};
use super::error::OpsError;
use super::judged::{of_hosts, of_running};
use super::look::snapshot_beside_strangers;
use super::member::{Missing, how_to_take_out, missing_words};
use super::notice::{Notice, notices};
use super::planning::plan_beside;
use super::selection::{Loaded, Selection, load};
use super::transport::Access;
use super::wanted::fit_profile;
use crate::agent::{AgentError, BackendState, Observation, Service, VrrpState};
use crate::apply::look;
use crate::check::{Finding, Severity};
use crate::health::{self, MustAnswer, Problem, VipOwners};
use crate::model::{Cluster, ClusterName, NodeName, UnitId};
use crate::plan::{Cause, NodePlan, Plan, PlanError, RunningDrift, drift};
use crate::units;

/// A managed unit on a node.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct UnitStatus {
    /// Its state in systemd.
    pub service: Service,
    /// Id of the applied configuration.
    pub applied: Option<String>,
    /// Id of the configuration that it reports to have loaded.
    pub loaded: Option<String>,
}

/// The state of one node.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct NodeStatus {
    /// The node.
    pub node: NodeName,
    /// VIPs on its interfaces.
    pub holds: Vec<IpAddr>,
    /// Its VRRP instances, as keepalived reports them.
    pub vrrp: Vec<VrrpState>,
    /// The units that hactl manages.
    pub units: BTreeMap<UnitId, UnitStatus>,
    /// The live generation.
    pub generation: Option<u64>,
    /// The servers behind the proxy, as seen from the node.
    pub backends: Vec<BackendState>,
    /// Server names that it cannot resolve.
    pub unresolved: Vec<String>,
    /// Its nginx is out of connections, open files or CPU time, according to keepalived's check.
    pub overloaded: bool,
    /// Running state that differs from what was applied.
    pub drift: Vec<RunningDrift>,
    /// Files that were changed by hand.
    pub changed_by_hand: Vec<String>,
    /// Files that an apply of the inventory would change.
    pub pending: Vec<String>,
}

/// The state of the cluster.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct StatusReport {
    /// Its name.
    pub cluster: ClusterName,
    /// Its VIPs.
    pub vips: Vec<VipOwners>,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Other problems that keep nodes from serving or taking over.
    pub problems: Vec<Problem>,
    /// What this machine cannot reach, perhaps because of a problem of its own.
    pub from_here: Vec<Problem>,
    /// What hosts report about earlier changes.
    pub notices: Vec<Notice>,
    /// Rules that the hosts and the running cluster violate.
    pub findings: Vec<Finding>,
    /// All nodes to be observed, in the inventory's order.
    #[serde(skip)]
    pub order: Vec<NodeName>,
    /// Nodes that could not be observed.
    pub unreachable: Vec<Unreachable>,
    /// Nodes of the newest generation that the inventory no longer lists.
    pub missing: Vec<Missing>,
    /// Why an apply would be refused, so that its changes are unknown.
    pub refusal: Option<Refusal>,
}

/// Why no plan can be computed.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Refusal {
    /// As one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A node that could not be observed, and why.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Unreachable {
    /// The node.
    pub node: NodeName,
    /// Why, as one sentence.
    pub why: String,
    /// What to do about it.
    pub help: String,
}

impl Unreachable {
    pub(super) fn of(error: &AgentError) -> Self {
        Self {
            node: error.node().clone(),
            why: error.to_string(),
            help: error.hint(),
        }
    }
}

impl StatusReport {
    /// The observations of `cluster`, compared with the plan of an apply, if there is one.
    pub fn new(cluster: &Cluster, plan: Option<&Plan>, seen: &[Observation]) -> Self {
        let vips = vips(cluster);
        let of_node = |seen: &Observation| {
            let plans = plan.iter().flat_map(|plan| &plan.nodes);
            let plan = plans.into_iter().find(|plan| plan.node == seen.node);
            node_status(seen, plan, &vips)
        };
        let (broken, problems) = of_running(cluster, seen, health::problems(seen, &vips));
        Self {
            cluster: cluster.name.clone(),
            vips: health::owners(seen, &vips),
            problems,
            nodes: seen.iter().map(of_node).collect(),
            from_here: Vec::new(),
            notices: notices(seen),
            findings: [broken, of_hosts(cluster, seen)].concat(),
            order: Vec::new(),
            unreachable: Vec::new(),
            missing: Vec::new(),
            refusal: None,
        }
    }

    /// Reasons for which an apply would be refused.
    pub fn refusals(&self) -> Vec<Refusal> {
        let missing = (!self.missing.is_empty()).then(|| Refusal {
            message: missing_words(&self.missing),
            help: Some(how_to_take_out(&self.missing, "apply with")),
        });
        missing.into_iter().chain(self.refusal.clone()).collect()
    }

    /// True if every node answers and could serve, every VIP has one owner, nothing differs from what was applied, no
    /// rule of severity error is violated, and no change or drill is in progress.
    pub fn is_healthy(&self) -> bool {
        let as_applied = self
            .nodes
            .iter()
            .all(|node| node.drift.is_empty() && node.changed_by_hand.is_empty());
        let settled = !self.notices.iter().any(|notice| {
            matches!(
                notice,
                Notice::Unfinished { .. }
                    | Notice::Waiting { .. }
                    | Notice::Incomplete { .. }
                    | Notice::Behind { .. }
                    | Notice::Drilling { .. }
            )
        });
        let is_error = |finding: &Finding| finding.severity() == Severity::Error;
        let rules = !self.findings.iter().any(is_error);
        let is_complete = self.unreachable.is_empty() && self.missing.is_empty();
        self.problems.is_empty()
            && as_applied
            && settled
            && rules
            && is_complete
            && self.refusal.is_none()
    }
}

/// Observes every node. Unreachable nodes are no error: when one is down, the rest matters most.
pub async fn status(selection: &Selection, access: &Access) -> Result<StatusReport, OpsError> {
    let loaded = load(selection)?;
    Hosts::of(access, &loaded.cluster)
        .with(async |connections, errors| look_at_all(access, loaded, &connections, errors).await)
        .await
}

async fn look_at_all(
    access: &Access,
    mut loaded: Loaded,
    connections: &Connections<'_>,
    errors: Vec<AgentError>,
) -> Result<StatusReport, OpsError> {
    let (snapshot, errors, strangers) =
        snapshot_beside_strangers(access, &loaded, connections, errors).await?;
    let agents: Vec<_> = snapshot.fleet.agents().collect();
    let doors = health::doors(&loaded.cluster);
    // A VIP may be on a node that was not selected.
    let all = snapshot.all();
    let looks = look(&agents, snapshot.client, &doors, &all).await;
    let notices = snapshot.notices();
    let unreachable: Vec<Unreachable> = errors.iter().map(Unreachable::of).collect();
    let down: Vec<NodeName> = unreachable.iter().map(|it| it.node.clone()).collect();
    let order = loaded
        .nodes()
        .iter()
        .map(|node| node.name.clone())
        .collect();
    loaded.leave_out(&down);
    fit_profile(&mut loaded, &all)?;
    let (plan, refusal) = match plan_beside(&loaded, &snapshot.seen, Vec::new()) {
        Ok(planned) => (Some(planned.plan), None),
        Err(error @ OpsError::Plan(PlanError::Beside(_) | PlanError::Obstacle { .. })) => {
            let refusal = Refusal {
                message: error.to_string(),
                help: error.hint(),
            };
            (None, Some(refusal))
        }
        Err(error) => return Err(error),
    };
    let taken = strangers.first().map(|problem| Refusal {
        message: problem.to_string(),
        help: Some(problem.hint()),
    });
    let refusal = refusal.or(taken);
    let vips = vips(&loaded.cluster);
    let mut problems = health::problems(&all, &vips);
    let outside = health::disagreements(&looks, MustAnswer::WhatTheOwnerServes);
    let (outside, from_here) = health::split_doubtful(outside, &looks);
    problems.extend(outside);
    let (broken, problems) = of_running(&loaded.cluster, &all, problems);
    let report = StatusReport::new(&loaded.cluster, plan.as_ref(), &snapshot.seen);
    Ok(StatusReport {
        vips: health::owners(&all, &vips),
        problems,
        findings: [broken, of_hosts(&loaded.cluster, &snapshot.seen)].concat(),
        from_here,
        notices,
        order,
        unreachable,
        missing: snapshot.missing,
        refusal,
        ..report
    })
}

fn node_status(seen: &Observation, plan: Option<&NodePlan>, vips: &[IpAddr]) -> NodeStatus {
    // Files of a change in progress are reported as such, and are not drift.
    let is_settled = seen.journal.is_none();
    let by_hand = |cause| is_settled && matches!(cause, Cause::Hand | Cause::InventoryAndHand);
    let drift = drift(seen).into_iter().filter(|drift| {
        is_settled
            || matches!(
                drift,
                RunningDrift::Down { .. } | RunningDrift::NotEnabled { .. }
            )
    });
    let files = || plan.into_iter().flat_map(NodePlan::files);
    let changed = files().filter(|file| by_hand(file.cause));
    let pending = files().filter(|file| file.cause != Cause::Hand);
    NodeStatus {
        node: seen.node.clone(),
        holds: vips
            .iter()
            .copied()
            .filter(|vip| seen.holds(*vip))
            .collect(),
        vrrp: seen.vrrp.clone(),
        units: units::ids()
            .map(|unit| (unit, unit_status(seen, unit)))
            .collect(),
        generation: seen.generation(),
        backends: seen.backends.clone(),
        unresolved: seen.unresolved(),
        overloaded: seen.is_overloaded,
        drift: drift.collect(),
        changed_by_hand: changed.map(|file| file.path.to_string()).collect(),
        pending: pending.map(|file| file.path.to_string()).collect(),
    }
}

fn unit_status(seen: &Observation, unit: UnitId) -> UnitStatus {
    let recorded = seen.recorded.as_ref();
    UnitStatus {
        service: seen.service(unit),
        applied: recorded
            .and_then(|it| it.facts.id_of(unit))
            .map(str::to_owned),
        loaded: seen.loaded(unit).map(str::to_owned),
    }
}
