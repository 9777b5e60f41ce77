//! This process's own change, from the first activation to the end.

use std::time::Duration;

use tokio::time::Instant;

use super::change::Change;
use super::driver::{Deadlines, ProtocolRun, run_protocol};
use super::event::{Event, Step};
use super::executor::CommandExecutor;
use super::fleet::Preopened;
use super::options::Confirmation;
use super::outcome::{Failure, FailureCause, Result as ApplyResult};
use super::outside::{Outside, is_reached_again};
use super::phases::give_up_prepared;
use super::protocol::{Coordinator, NodeIndex, ProtocolResult};
use super::session::Session;
use super::switch::{APART, Switchboard};
use crate::agent::{AgentError, LiveFile, Observation, ObserveRequest, Reason, sha256_hex};
use crate::health::Problem;
use crate::model::NodeName;
use crate::plan::{NodePlan, Strategy};

/// The end of a change.
pub(super) struct ApplyEnd {
    pub(super) result: ApplyResult,
    /// Whether one node may be confirmed and another not.
    pub(super) is_unsure: bool,
}

/// One change, from its first activation on.
pub(super) struct ApplyRun<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) change: Change<'a>,
}

impl ApplyRun<'_> {
    /// Runs until all is decided, or left to the operator.
    ///
    /// After a rollback, VIPs must be reachable from outside as they were `before`.
    pub(super) async fn run(self, before: &Outside) -> ApplyEnd {
        let (session, change) = (self.session, self.change);
        let at_once = matches!(change.plan.strategy, Strategy::AtOnce { .. });
        let manual = change.options.confirm == Confirmation::Manual;
        let coordinator = Coordinator::new(change.plans.len(), at_once, manual);
        session.emit(Event::StepStarted {
            step: Step::Activate,
            nodes: change.plans.len(),
        });
        let timeout = change.options.confirm_timeout;
        let begun = Instant::now();
        let deadlines = Deadlines {
            // No confirmation may be in flight when the hosts' timers fire.
            confirm_by: begun + timeout.saturating_sub((timeout / 10).max(Duration::from_secs(2))),
            give_up_at: begun
                + timeout
                + change.options.settle_time
                + if at_once { APART } else { Duration::ZERO },
        };
        let why = Reason::failed("it was stopped");
        let end = Preopened::with(async |preopened| {
            let executor = CommandExecutor {
                session,
                change: Some(change),
                nodes: change.nodes().into_iter().cloned().collect(),
                tx: change.tx,
                served: before.served.clone(),
                switchboard: Switchboard::new(Some((change.plan, change.plans))),
                preopened,
            };
            run_protocol(&executor, coordinator, deadlines, &why).await
        })
        .await;
        let is_unsure = end.is_unsure && end.result == ProtocolResult::Diverged;
        ApplyEnd {
            result: self.end(end, before).await,
            is_unsure,
        }
    }

    async fn end(self, end: ProtocolRun, before: &Outside) -> ApplyResult {
        let session = self.session;
        let Change {
            plan, plans, tx, ..
        } = self.change;
        let generation = plan.generation;
        if end.result == ProtocolResult::Committed {
            return ApplyResult::Applied { generation };
        }
        if end.result == ProtocolResult::Pending {
            return ApplyResult::Waiting {
                generation,
                deadline: end.waits.unwrap_or_default(),
            };
        }
        let failure = end.failure.unwrap_or(Failure {
            step: Step::Confirm,
            errors: vec![FailureCause::OutOfTime],
        });
        let mut problems = Vec::new();
        if end.result == ProtocolResult::Diverged && end.is_unsure {
            problems.push("could not verify that all nodes ended in the same state".to_owned());
        }
        // The last node first, as before. If the keeper went on alone, the rest cannot be rolled back without it.
        let mut is_alone = false;
        for (index, said) in end.not_undone.into_iter().rev() {
            let own = plans[index];
            if is_alone || !is_back(session, own, tx).await {
                problems.push(said);
                is_alone |= plan.keeper() == Some(&own.node);
            }
        }
        let is_untouched = |(index, _): &(NodeIndex, _)| !end.touched.contains(index);
        let untouched = plans.iter().copied().enumerate();
        let untouched: Vec<&NodePlan> = untouched
            .filter(is_untouched)
            .map(|(_, plan)| plan)
            .collect();
        let left = give_up_prepared(session, &untouched, tx).await;
        problems.extend(left);
        for plan in plans {
            problems.extend(differences(session, plan).await);
        }
        let outside = is_reached_again(session, Some(before)).await;
        problems.extend(outside.iter().map(Problem::to_string));
        if problems.is_empty() {
            ApplyResult::RolledBack(failure)
        } else {
            ApplyResult::Mixed { failure, problems }
        }
    }
}

/// Checks once more on a node that could not be rolled back. It may be reachable again, and is asked again. Or it
/// cannot roll back, for example because its file system has become read-only, and need not, because it never changed
/// anything.
async fn is_back(session: &Session<'_>, plan: &NodePlan, tx: &str) -> bool {
    match session.retry_rollback(&plan.node, tx).await {
        Ok(()) => true,
        // Without a journal, nothing live has changed or all of it was rolled back. That does not cover packages.
        Err(AgentError::Failed { .. }) => {
            let is_as_before =
                plan.packages().is_empty() && differences(session, plan).await.is_empty();
            if is_as_before {
                session.emit(Event::Reverted {
                    node: plan.node.clone(),
                });
            }
            is_as_before
        }
        Err(_) => false,
    }
}

/// The state of a node, over a fresh connection if one can be opened. Where sshd no longer runs, the one that was open
/// all along is as good.
async fn observed(
    session: &Session<'_>,
    node: &NodeName,
    question: &ObserveRequest,
) -> Result<Observation, AgentError> {
    let fresh = session.afresh(node, async |agent| agent.observe(question).await);
    match (fresh.await.flatten(), session.fleet.get(node)) {
        (Err(error @ AgentError::Remote(_)), Some(agent)) => {
            agent.observe(question).await.map_err(|_| error)
        }
        (seen, _) => seen,
    }
}

/// What differs on a node from when the plan was made.
async fn differences(session: &Session<'_>, plan: &NodePlan) -> Vec<String> {
    let question = ObserveRequest {
        paths: plan.expected.keys().cloned().collect(),
        ..ObserveRequest::default()
    };
    let seen = match observed(session, &plan.node, &question).await {
        Ok(seen) => seen,
        Err(error) => return vec![format!("cannot read the state of {}: {error}", plan.node)],
    };
    let mut found = Vec::new();
    for (path, expected) in &plan.expected {
        let now = seen
            .files
            .get(path)
            .and_then(LiveFile::content)
            .map(sha256_hex);
        if now != *expected {
            found.push(format!(
                "{}: {path} differs from before the change",
                plan.node
            ));
        }
    }
    if seen.journal.is_some() {
        found.push(format!("{}: the change is still in its journal", plan.node));
    }
    found
}
