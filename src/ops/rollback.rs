//! `hactl rollback`: a generation that was live before, with the same plan, order and proof as apply.

use std::collections::BTreeMap;

use super::apply::{ApplyReport, ApplyRequest, carry_out, recover};
use super::context::{Context, Loaded, load};
use super::error::OpsError;
use super::plan::{PlanReport, test_files};
use super::survey::{Survey, redactor, survey, vips};
use crate::agent::{Agent, AgentError, Manifest};
use crate::apply::each;
use crate::model::HostPath;
use crate::plan::{Desired, Goal, Plan, Request, build};

/// Which generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RollbackRequest {
    /// Its number; `None` for the one before the live one.
    pub to: Option<u64>,
}

/// What a rollback would do; changes nothing.
pub async fn rollback_plan(
    context: &Context,
    request: RollbackRequest,
) -> Result<PlanReport, OpsError> {
    let loaded = load(context)?;
    let survey = survey(context, &loaded).await?;
    let planned = make(&loaded, &survey, request, context.parallel).await;
    let mut plan = match planned {
        Ok(plan) => plan,
        Err(error) => {
            survey.fleet.close().await;
            return Err(error);
        }
    };
    let tested = test_files(&survey.fleet, &mut plan, context.parallel).await;
    let notices = super::notice::notices(&survey.seen);
    survey.fleet.close().await;
    tested?;
    Ok(PlanReport {
        loaded,
        plan,
        notices,
    })
}

/// Plans, asks, and carries the plan out.
pub async fn rollback(
    context: &Context,
    request: RollbackRequest,
    how: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let loaded = load(context)?;
    let survey = recover(context, &loaded, survey(context, &loaded).await?).await?;
    match make(&loaded, &survey, request, context.parallel).await {
        Ok(plan) => Ok(carry_out(context, &loaded, survey, plan, how).await),
        Err(error) => {
            survey.fleet.close().await;
            Err(error)
        }
    }
}

async fn make(
    loaded: &Loaded,
    survey: &Survey,
    request: RollbackRequest,
    parallel: usize,
) -> Result<Plan, OpsError> {
    let live = survey
        .seen
        .iter()
        .filter_map(crate::agent::Observation::generation)
        .max();
    let to = match (request.to, live) {
        (Some(to), _) => to,
        (None, Some(live)) => live - 1,
        (None, None) => {
            return Err(OpsError::NoGeneration {
                reason: "hactl has applied nothing to these nodes yet".to_owned(),
            });
        }
    };
    let fetched = each(survey.fleet.agents(), parallel, |agent| fetch(agent, to)).await;
    let mut desired = BTreeMap::new();
    let mut errors = Vec::new();
    for (agent, fetched) in survey.fleet.agents().zip(fetched) {
        match fetched {
            Ok(Some((manifest, contents))) => {
                let node = agent.node();
                let whole =
                    Desired::from_generation(node, manifest, contents).ok_or_else(|| {
                        OpsError::NoGeneration {
                            reason: format!("{node}'s copy of generation {to} is damaged"),
                        }
                    })?;
                desired.insert(node.clone(), whole);
            }
            Ok(None) => {
                let reason = format!(
                    "{} has no generation {to}, nor an earlier one",
                    agent.node()
                );
                return Err(OpsError::NoGeneration { reason });
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    let nodes = survey
        .seen
        .iter()
        .filter_map(|seen| Some((desired.remove(&seen.node)?, seen.clone())))
        .collect();
    build(Request {
        cluster: loaded.cluster.name.clone(),
        goal: Goal::Rollback { to },
        vips: vips(&loaded.cluster),
        nodes,
        redactor: redactor(),
    })
    .map_err(OpsError::Plan)
}

type Generation = (Manifest, BTreeMap<HostPath, Vec<u8>>);

/// What was live on this node when the cluster was at generation `to`: a node that a change did not
/// concern has no generation of that number, but an earlier one.
async fn fetch(agent: &Agent, to: u64) -> Result<Option<Generation>, AgentError> {
    let (manifests, _) = agent.history().await?;
    let numbers = manifests.iter().filter_map(Manifest::generation);
    match numbers
        .filter(|number| *number <= to && (to == 0 || *number > 0))
        .max()
    {
        Some(number) => agent.generation(number).await.map(Some),
        None => Ok(None),
    }
}
