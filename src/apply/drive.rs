//! From the first activation to the end of one's own change.

use std::time::Duration;

use tokio::time::Instant;

use super::commit::{Coordinator, NodeIndex, Verdict};
use super::conduct::{Conducted, Moments, conduct};
use super::engine::{Confirmation, Engine};
use super::event::{Event, Step};
use super::orders::{Hands, fresh, undo_again};
use super::outcome::{Failure, FailureCause, Result as ApplyResult};
use super::outside::{Outside, is_reached_again};
use super::switch::{APART, Switchboard};
use crate::agent::{AgentError, LiveFile, Question, Reason, sha256_hex};
use crate::health::Problem;
use crate::plan::{NodePlan, Plan, Strategy};

/// How a change ended.
pub(super) struct Ended {
    pub(super) result: ApplyResult,
    /// Some node may be confirmed and another one not, for all that is known.
    pub(super) is_unsure: bool,
}

/// One change, from its first activation on.
pub(super) struct Drive<'a> {
    engine: &'a Engine<'a>,
    plan: &'a Plan,
    plans: &'a [&'a NodePlan],
    tx: &'a str,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        engine: &'a Engine<'a>,
        plan: &'a Plan,
        plans: &'a [&'a NodePlan],
        tx: &'a str,
    ) -> Self {
        Self {
            engine,
            plan,
            plans,
            tx,
        }
    }

    /// Until all is decided, or left to a person.
    ///
    /// An undo is held to what was seen `before` from outside.
    pub(super) async fn run(self, before: &Outside) -> Ended {
        let engine = self.engine;
        let at_once = matches!(self.plan.strategy, Strategy::AtOnce { .. });
        let manual = engine.options.confirm == Confirmation::Manual;
        let coordinator = Coordinator::new(self.plans.len(), at_once, manual);
        engine.say(Event::StepStarted {
            step: Step::Activate,
            nodes: self.plans.len(),
        });
        let timeout = engine.options.confirm_timeout;
        let begun = Instant::now();
        let moments = Moments {
            // No confirmation may be on its way when the hosts' timers end.
            too_late: begun + timeout.saturating_sub((timeout / 10).max(Duration::from_secs(2))),
            gave_up: begun
                + timeout
                + engine.options.settle_time
                + if at_once { APART } else { Duration::ZERO },
        };
        let hands = Hands {
            engine,
            change: Some((self.plan, self.plans)),
            nodes: self.plans.iter().map(|plan| plan.node.clone()).collect(),
            tx: self.tx,
            served: before.served.clone(),
            switchboard: Switchboard::new(Some((self.plan, self.plans))),
        };
        let end = conduct(
            &hands,
            coordinator,
            moments,
            &Reason::failed("it was stopped"),
        )
        .await;
        let is_unsure = end.is_unsure && end.verdict == Verdict::Mixed;
        Ended {
            result: self.end(end, before).await,
            is_unsure,
        }
    }

    async fn end(self, end: Conducted, before: &Outside) -> ApplyResult {
        let generation = self.plan.generation_to_come();
        if end.verdict == Verdict::AllNew {
            return ApplyResult::Applied { generation };
        }
        if end.verdict == Verdict::Waiting {
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
        if end.verdict == Verdict::Mixed && end.is_unsure {
            problems
                .push("not every node could be seen to have decided for the same side".to_owned());
        }
        // The last first, as before. Where it went on alone the others are not undone without it.
        let mut is_alone = false;
        for (index, said) in end.not_undone.into_iter().rev() {
            let plan = self.plans[index];
            if is_alone || !is_back(self.engine, plan, self.tx).await {
                problems.push(said);
                is_alone |= self.plan.keeper() == Some(&plan.node);
            }
        }
        let is_untouched = |(index, _): &(NodeIndex, _)| !end.touched.contains(index);
        let untouched = self.plans.iter().copied().enumerate();
        let untouched: Vec<&NodePlan> = untouched
            .filter(is_untouched)
            .map(|(_, plan)| plan)
            .collect();
        let left = self.engine.give_up_prepared(&untouched, self.tx).await;
        problems.extend(left);
        for plan in self.plans {
            problems.extend(differences(self.engine, plan).await);
        }
        let outside = is_reached_again(self.engine, Some(before)).await;
        problems.extend(outside.iter().map(Problem::to_string));
        if problems.is_empty() {
            ApplyResult::RolledBack(failure)
        } else {
            ApplyResult::Mixed { failure, problems }
        }
    }
}

/// A second look at a node that could not be undone: meanwhile it may have come back, and then it is told
/// again; or it cannot undo, such as with a file system that has become read-only, and needs not, since it
/// never got as far as changing anything.
async fn is_back(engine: &Engine<'_>, plan: &NodePlan, tx: &str) -> bool {
    match undo_again(engine, &plan.node, tx).await {
        Ok(()) => true,
        // Without a journal nothing live has changed, or all of it was undone; of packages it says nothing.
        Err(AgentError::Failed { .. }) => {
            let is_as_before =
                plan.install.is_empty() && differences(engine, plan).await.is_empty();
            if is_as_before {
                engine.say(Event::Reverted {
                    node: plan.node.clone(),
                });
            }
            is_as_before
        }
        Err(_) => false,
    }
}

/// What on a node is not as it was when the plan was made.
async fn differences(engine: &Engine<'_>, plan: &NodePlan) -> Vec<String> {
    let question = Question {
        paths: plan.expected.keys().cloned().collect(),
        ..Question::default()
    };
    let seen = match fresh(engine, &plan.node).await {
        Ok(agent) => {
            let seen = agent.observe(&question).await;
            agent.close().await;
            seen
        }
        Err(error) => Err(error),
    };
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return vec![format!("cannot see how {} is now: {error}", plan.node)],
    };
    let mut found = Vec::new();
    for (path, expected) in &plan.expected {
        let now = seen
            .files
            .get(path)
            .and_then(LiveFile::content)
            .map(sha256_hex);
        if now != *expected {
            found.push(format!("{}: {path} is not as it was", plan.node));
        }
    }
    if seen.journal.is_some() {
        found.push(format!("{}: the change is still in its journal", plan.node));
    }
    found
}
