//! Computes the plan for observed hosts.

use std::net::IpAddr;

use super::able::refuse_unable;
use super::cluster::{addresses, vips};
use super::error::OpsError;
use super::judged::of_hosts;
use super::selection::{Loaded, refuse_unfit};
use super::snapshot::ClusterSnapshot;
use super::wanted::{desired, left_out};
use crate::agent::{Observation, random_bytes};
use crate::apply::{Fleet, each};
use crate::check::Finding;
use crate::model::NodeName;
use crate::plan::{Goal, LeftOut, NodePlan, Plan, Redactor, Request, behind, build};

/// Computes the plan of an operation for observed hosts.
pub(super) trait Planner {
    /// Whether hosts that hactl has never set up are inspected first.
    const INSPECTS: bool;

    /// The plan for hosts in the state `seen`, which may be ahead of the snapshot's. Asks hosts only for their past
    /// generations.
    fn plan(
        &self,
        loaded: &Loaded,
        snapshot: &ClusterSnapshot<'_>,
        seen: &[Observation],
    ) -> impl Future<Output = Result<Planned, OpsError>>;
}

/// A plan, and findings about the hosts.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) findings: Vec<Finding>,
    /// Nodes that `--limit` excludes and that differ from the inventory, too.
    pub(super) behind: Vec<NodeName>,
    /// The cluster's VIPs afterwards.
    pub(super) vips: Vec<IpAddr>,
}

/// Plans to bring the hosts to what the inventory says.
pub(super) struct ToInventory;

impl Planner for ToInventory {
    const INSPECTS: bool = true;

    async fn plan(
        &self,
        loaded: &Loaded,
        snapshot: &ClusterSnapshot<'_>,
        seen: &[Observation],
    ) -> Result<Planned, OpsError> {
        make(loaded, snapshot, seen)
    }
}

/// The plan for hosts in the state `seen`. Refused if a node could not serve or take over with it.
pub(super) fn make(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
    seen: &[Observation],
) -> Result<Planned, OpsError> {
    let all = of_hosts(&loaded.cluster, &snapshot.with_others(seen));
    let is_selected = |finding: &Finding| {
        let node = finding.node.as_ref();
        node.is_none_or(|node| seen.iter().any(|host| host.node == *node))
    };
    let own = all.into_iter().filter(is_selected).collect();
    let of_hosts = refuse_unfit(own, &loaded.source)?;
    let mut planned = plan_beside(loaded, seen, left_out(loaded, snapshot))?;
    planned.findings.extend(of_hosts);
    let of_plan = refuse_unable(&loaded.cluster, &planned.plan, seen)?;
    planned.findings.extend(of_plan);
    Ok(planned)
}

/// The plan, given the nodes outside the change.
pub(super) fn plan_beside(
    loaded: &Loaded,
    seen: &[Observation],
    left_out: Vec<LeftOut>,
) -> Result<Planned, OpsError> {
    let (desired, findings) = desired(loaded, seen)?;
    let (vips, redactor) = (vips(&loaded.cluster), redactor()?);
    let behind = behind(&left_out, &vips, &redactor);
    let request = Request {
        cluster: loaded.cluster.name.clone(),
        goal: Goal::Apply,
        addresses: addresses(&loaded.cluster),
        vips: vips.clone(),
        left_out,
        nodes: desired.into_iter().zip(seen.iter().cloned()).collect(),
        redactor,
        take_over: loaded.take_over.clone(),
    };
    let plan = build(request).map_err(OpsError::Plan)?;
    Ok(Planned {
        plan,
        findings,
        behind,
        vips,
    })
}

/// Lets the daemons on every node that would change test its files.
pub(super) async fn test_files(
    fleet: &Fleet,
    plan: &mut Plan,
    parallel: usize,
) -> Result<(), OpsError> {
    let changing = plan
        .nodes
        .iter_mut()
        .filter(|node| !node.is_empty() && node.ids.is_some());
    let results = each(changing, parallel, |node: &mut NodePlan| async move {
        let agent = fleet.get(&node.node)?;
        match agent.validate(&node.tree).await {
            Ok(mut tests) => {
                tests.retain(|test| node.can_test(test.unit));
                node.tests = tests;
                None
            }
            Err(error) => Some(error),
        }
    })
    .await;
    let errors: Vec<_> = results.into_iter().flatten().collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Hosts { errors })
    }
}

pub(super) fn redactor() -> Result<Redactor, OpsError> {
    let key = random_bytes().map_err(OpsError::NoRandomness)?;
    Ok(Redactor::new(key))
}
