//! Unreachable nodes, and whether a change is possible without them.

use super::connect::Connections;
use super::error::OpsError;
use super::inspect::inspect_new;
use super::look::snapshot_reachable;
use super::planning::Planner;
use super::selection::Loaded;
use super::snapshot::{ClusterSnapshot, Other};
use super::transport::Access;
use super::wanted::fit_profile;
use super::without_them::WithoutThem;
use crate::agent::{AgentError, Observation};
use crate::model::NodeName;
use crate::plan::PlanError;

/// Observes all nodes. If some do not answer, the error says whether the change is possible without them.
pub(super) async fn snapshot_for<'c, P: Planner>(
    access: &Access,
    loaded: &mut Loaded,
    planner: &P,
    connections: &'c Connections<'_>,
    errors: Vec<AgentError>,
) -> Result<ClusterSnapshot<'c>, OpsError> {
    let (mut snapshot, errors) = snapshot_reachable(access, loaded, connections, errors).await?;
    if errors.is_empty() {
        if P::INSPECTS {
            inspect_new(
                &loaded.cluster,
                snapshot.fleet,
                &mut snapshot.seen,
                &mut snapshot.others,
            )
            .await?;
        }
        return Ok(snapshot);
    }
    let is_unreachable = |error: &AgentError| matches!(error, AgentError::Remote(_));
    if !errors.iter().all(is_unreachable) {
        return Err(OpsError::Hosts { errors });
    }
    let without = without(loaded, &mut snapshot, &errors, planner).await;
    Err(OpsError::Unreachable { errors, without })
}

/// The result of changing only the nodes that answer.
async fn without(
    loaded: &mut Loaded,
    snapshot: &mut ClusterSnapshot<'_>,
    errors: &[AgentError],
    planner: &impl Planner,
) -> WithoutThem {
    let down: Vec<NodeName> = errors.iter().map(|error| error.node().clone()).collect();
    loaded.leave_out(&down);
    snapshot
        .others
        .extend(errors.iter().map(|error| Other::Unseen {
            node: error.node().clone(),
            why: error.to_string(),
        }));
    let all = snapshot.all();
    if fit_profile(loaded, &all).is_err() {
        return WithoutThem::Unknown;
    }
    let seen = snapshot.seen.clone();
    match planner.plan(loaded, snapshot, &seen).await {
        Ok(planned) if planned.plan.is_empty() => WithoutThem::NothingToDo,
        Ok(_) => WithoutThem::Possible {
            others: loaded
                .nodes()
                .iter()
                .map(|node| node.name.clone())
                .collect(),
            live: all.iter().filter_map(Observation::generation).max(),
        },
        Err(OpsError::Plan(PlanError::Partial { reason, .. })) => WithoutThem::AllMust { reason },
        Err(_) => WithoutThem::Unknown,
    }
}
