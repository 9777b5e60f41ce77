//! This process's own change, from the lock to the confirmation or the rollback.

use std::time::Instant;

use super::change::Change;
use super::drive::ApplyRun;
use super::event::Step;
use super::options::ApplyOptions;
use super::outcome::{ApplyOutcome, Result as ApplyResult};
use super::phases::{Phases, give_up_prepared};
use super::session::Session;
use crate::plan::{NodePlan, Plan};

pub async fn apply(
    session: &Session<'_>,
    options: &ApplyOptions,
    plan: &Plan,
    tx: &str,
) -> ApplyOutcome {
    let started = Instant::now();
    let outcome = |result| ApplyOutcome {
        result,
        tx: Some(tx.to_owned()),
        elapsed: started.elapsed(),
    };
    if plan.is_empty() {
        return outcome(ApplyResult::NothingToDo);
    }
    let plans: Vec<&NodePlan> = plan.changing().collect();
    let change = Change {
        plan,
        plans: &plans,
        options,
        tx,
    };
    let phases = Phases { session, change };
    let before = match phases.until_validated().await {
        Ok(before) => before,
        Err(failure) => {
            let prepared: &[&NodePlan] = match failure.step {
                Step::Lock => &[],
                _ => &plans,
            };
            let problems = give_up_prepared(session, prepared, tx).await;
            session.unlock_all(tx).await;
            return outcome(if problems.is_empty() {
                ApplyResult::Unchanged(failure)
            } else {
                ApplyResult::Mixed { failure, problems }
            });
        }
    };
    let ended = ApplyRun { session, change }.run(&before).await;
    match &ended.result {
        // A change that is pending confirmation keeps its locks.
        ApplyResult::Waiting { .. } => {}
        _ if ended.is_unsure => {
            session.unlock_but(change.nodes().into_iter(), tx).await;
        }
        _ => session.unlock_all(tx).await,
    }
    outcome(ended.result)
}
