//! Nodes that do not answer, and what becomes of a change without them.

use super::change::Planner;
use super::context::{Context, Loaded};
use super::error::OpsError;
use super::survey::{Other, Survey, fit_profile, survey_reachable};
use crate::agent::{AgentError, Observation};
use crate::model::NodeName;
use crate::plan::PlanError;

/// What becomes of a change when nodes that do not answer are left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum WithoutThem {
    /// The others can be changed.
    Possible {
        /// They.
        others: Vec<NodeName>,
        /// Their live generation.
        live: Option<u64>,
    },
    /// The others are as the inventory says.
    NothingToDo,
    /// All must be changed at once.
    AllMust {
        /// What they would disagree on.
        reason: String,
    },
    /// It cannot be told.
    Unknown,
}

impl WithoutThem {
    pub(super) fn hint(&self, errors: &[AgentError]) -> String {
        let down: Vec<_> = errors
            .iter()
            .map(|error| error.node().to_string())
            .collect();
        let down = down.join(", ");
        match self {
            Self::Possible { others, live } => {
                let others: Vec<_> = others.iter().map(NodeName::as_str).collect();
                let kept = live.map_or_else(
                    || "the configuration that it has".to_owned(),
                    |live| format!("generation {live} or an earlier one"),
                );
                format!(
                    "add `--limit {}` to change the others: {down} then keeps {kept}, and is behind until it answers and you apply again",
                    others.join(",")
                )
            }
            Self::NothingToDo => format!("the others need no change: bring {down} back"),
            Self::AllMust { reason } => format!(
                "this change cannot be made without {down}, since {reason}: bring it back, or take it out of the inventory"
            ),
            Self::Unknown => String::new(),
        }
    }
}

/// Looks at all nodes; where some do not answer, the error says what becomes of the change without them.
pub(super) async fn survey_for(
    context: &Context,
    loaded: &mut Loaded,
    planner: &impl Planner,
) -> Result<Survey, OpsError> {
    let (mut survey, errors) = survey_reachable(context, loaded).await?;
    if errors.is_empty() {
        return Ok(survey);
    }
    let is_unreachable = |error: &AgentError| matches!(error, AgentError::Remote(_));
    if !errors.iter().all(is_unreachable) {
        survey.fleet.close().await;
        return Err(OpsError::Hosts { errors });
    }
    let without = without(loaded, &mut survey, &errors, planner).await;
    survey.fleet.close().await;
    Err(OpsError::Unreachable { errors, without })
}

/// What becomes of the change when only the nodes that answer are changed.
async fn without(
    loaded: &mut Loaded,
    survey: &mut Survey,
    errors: &[AgentError],
    planner: &impl Planner,
) -> WithoutThem {
    let down: Vec<NodeName> = errors.iter().map(|error| error.node().clone()).collect();
    loaded.leave_out(&down);
    survey
        .others
        .extend(errors.iter().map(|error| Other::Unseen {
            node: error.node().clone(),
            why: error.to_string(),
        }));
    let all = survey.all();
    if fit_profile(loaded, &all).is_err() {
        return WithoutThem::Unknown;
    }
    let seen = survey.seen.clone();
    match planner.plan(loaded, survey, &seen).await {
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
