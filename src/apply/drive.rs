//! From the first activation to the end: carries out what the coordinator orders and tells it what
//! became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::commit::{Coordinator, News, NodeIndex, Order, Side, Verdict};
use super::engine::Engine;
use super::event::{Event, Step};
use super::outcome::{Failure, FailureCause, Result as ApplyResult};
use super::prove::{all_wait, one_owner_each};
use crate::agent::{Activation, Agent, AgentError, LiveFile, Question, sha256_hex};
use crate::model::NodeName;
use crate::plan::{Goal, NodePlan, Plan, Strategy, UnitAction};

/// Between two questions to a node that has not decided yet.
const PAUSE: Duration = Duration::from_millis(500);

/// What one order led to: the news, and why, where it is bad news.
struct Told {
    news: News,
    cause: Option<(Step, FailureCause)>,
}

impl Told {
    fn good(news: News) -> Self {
        Self { news, cause: None }
    }

    fn bad(news: News, step: Step, cause: impl Into<FailureCause>) -> Self {
        Self {
            news,
            cause: Some((step, cause.into())),
        }
    }
}

/// One change, from its first activation on.
pub(super) struct Drive<'a> {
    engine: &'a Engine<'a>,
    plan: &'a Plan,
    plans: &'a [&'a NodePlan],
    tx: &'a str,
    failure: Option<Failure>,
    /// The nodes that could not be undone, and what they said.
    not_undone: BTreeMap<NodeIndex, String>,
    touched: BTreeSet<NodeIndex>,
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
            failure: None,
            not_undone: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Until the coordinator has a verdict.
    pub(super) async fn run(mut self) -> ApplyResult {
        let at_once = matches!(self.plan.strategy, Strategy::AtOnce { .. });
        let mut coordinator = Coordinator::new(self.plans.len(), at_once);
        let (engine, plan, plans, tx) = (self.engine, self.plan, self.plans, self.tx);
        engine.say(Event::StepStarted {
            step: Step::Activate,
            nodes: plans.len(),
        });
        let timeout = engine.options.confirm_timeout;
        let begun = Instant::now();
        // No confirmation may be on its way when the hosts' timers end.
        let too_late = begun + timeout.saturating_sub((timeout / 10).max(Duration::from_secs(2)));
        let gave_up = begun + timeout + engine.options.settle_time;
        let mut is_late = false;
        let mut under_way: FuturesUnordered<Pin<Box<dyn Future<Output = Told> + Send + '_>>> =
            FuturesUnordered::new();
        let verdict = loop {
            for order in coordinator.orders() {
                let why = self
                    .failure
                    .as_ref()
                    .map_or("it was stopped", |failure| failure.step.name());
                if let Order::Activate(index) = order {
                    self.touched.insert(index);
                }
                under_way.push(Box::pin(carry_out(
                    engine,
                    plan,
                    plans,
                    tx,
                    order,
                    why.to_owned(),
                )));
            }
            if let Some(verdict) = coordinator.verdict() {
                break verdict;
            }
            tokio::select! {
                // A wish to stop is heard before anything new is begun.
                biased;
                () = stopped(engine), if self.failure.is_none() && !coordinator.is_past_return() => {
                    engine.say(Event::Interrupted);
                    self.failure = Some(Failure { step: Step::Activate, errors: vec![FailureCause::Interrupted] });
                    coordinator.hear(News::Stop);
                }
                Some(told) = under_way.next(), if !under_way.is_empty() => {
                    self.note(told.cause, &told.news);
                    coordinator.hear(told.news);
                }
                () = tokio::time::sleep_until(too_late), if !is_late => {
                    is_late = true;
                    coordinator.hear(News::TooLate);
                }
                () = tokio::time::sleep_until(gave_up) => coordinator.hear(News::GaveUp),
            }
        };
        drop(under_way);
        self.end(verdict, coordinator.is_past_return()).await
    }

    /// Keeps why it failed: the first step that did, and everything that failed in it.
    fn note(&mut self, cause: Option<(Step, FailureCause)>, news: &News) {
        let Some((step, cause)) = cause else { return };
        if let News::RevertFailed(index) = news {
            let detail = if let FailureCause::Agent(error) = &cause {
                error.detail()
            } else {
                ""
            };
            let said = format!("{cause}\n{detail}").trim_end().to_owned();
            self.not_undone.insert(*index, said);
            return;
        }
        self.engine.say(Event::Failed {
            step,
            message: cause.to_string(),
        });
        let failure = self.failure.get_or_insert_with(|| Failure {
            step,
            errors: Vec::new(),
        });
        if failure.step == step {
            failure.errors.push(cause);
        }
    }

    async fn end(mut self, verdict: Verdict, is_past_return: bool) -> ApplyResult {
        if verdict == Verdict::AllNew {
            let generation = match self.plan.goal {
                Goal::Rollback { to: 0 } => 0,
                _ => self.plan.next_generation,
            };
            return ApplyResult::Applied { generation };
        }
        let failure = self.failure.take().unwrap_or(Failure {
            step: Step::Confirm,
            errors: vec![FailureCause::OutOfTime],
        });
        let mut problems = Vec::new();
        if verdict == Verdict::Mixed && is_past_return {
            problems
                .push("not every node could be seen to have decided for the same side".to_owned());
        }
        for (index, said) in std::mem::take(&mut self.not_undone) {
            if !is_back(self.engine, self.plans[index], self.tx).await {
                problems.push(said);
            }
        }
        let is_untouched = |(index, _): &(NodeIndex, _)| !self.touched.contains(index);
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
        if problems.is_empty() {
            ApplyResult::RolledBack(failure)
        } else {
            ApplyResult::Mixed { failure, problems }
        }
    }
}

/// Ends when the user wants to stop.
async fn stopped(engine: &Engine<'_>) {
    while !engine.options.stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn carry_out(
    engine: &Engine<'_>,
    plan: &Plan,
    plans: &[&NodePlan],
    tx: &str,
    order: Order,
    why: String,
) -> Told {
    match order {
        Order::Activate(index) => activate(engine, plan, plans[index], index, tx).await,
        Order::Prove => prove(engine, plan, plans, tx).await,
        Order::Confirm(index) => confirm(engine, plans[index], index, tx).await,
        Order::Revert(index) => revert(engine, &plans[index].node, index, tx, &why).await,
        Order::Ask(index) => ask(engine, plans[index], index, tx).await,
    }
}

async fn activate(
    engine: &Engine<'_>,
    plan: &Plan,
    node: &NodePlan,
    index: NodeIndex,
    tx: &str,
) -> Told {
    let name = node.node.clone();
    engine.say(Event::Activating {
        node: name.clone(),
        holds: node.holds.clone(),
    });
    let Some(agent) = engine.fleet.get(&name) else {
        return Told::good(News::ActivationFailed(index));
    };
    // A package that was just installed has brought files of its own.
    let expected = if node.install.is_empty() {
        node.expected.clone()
    } else {
        [].into()
    };
    let activation = Activation {
        expected,
        nginx: node.nginx.word(),
        keepalived: node.keepalived.word(),
        revert_after: engine.options.confirm_timeout,
        peer: engine.peer_side(node, plan),
    };
    match agent.activate(tx, &activation).await {
        Ok(()) => {
            engine.say(Event::NodeDone {
                step: Step::Activate,
                node: name,
                note: None,
            });
            Told::good(News::Activated(index))
        }
        Err(error) => Told::bad(News::ActivationFailed(index), Step::Activate, error),
    }
}

/// One owner of every VIP, unless neither daemon was touched, or they go back to what they were
/// before hactl, which is not hactl's to judge.
///
/// Where all nodes are activated at once, one whose time was over early may have asked the first one
/// before that was active, and gone back; the first one would not know, and could be confirmed. Nodes
/// that are all still waiting now have asked nobody. `tests/commit_model.rs` found it.
async fn prove(engine: &Engine<'_>, plan: &Plan, plans: &[&NodePlan], tx: &str) -> Told {
    if matches!(plan.strategy, Strategy::AtOnce { .. }) {
        let nodes: Vec<&NodeName> = plans.iter().map(|plan| &plan.node).collect();
        if !all_wait(engine.fleet, &nodes, tx).await {
            return Told::bad(News::NotProved, Step::Prove, FailureCause::OutOfTime);
        }
    }
    let untouched = plans
        .iter()
        .all(|node| node.keepalived == UnitAction::None && node.nginx == UnitAction::None);
    if untouched || matches!(plan.goal, Goal::Rollback { to: 0 }) {
        return Told::good(News::Proved);
    }
    let options = &engine.options;
    match one_owner_each(engine.fleet, &options.vips, options.owner_patience).await {
        Ok(owners) => {
            engine.say(Event::OwnersSeen { owners });
            Told::good(News::Proved)
        }
        Err(seen) => Told::bad(News::NotProved, Step::Prove, FailureCause::Owners { seen }),
    }
}

/// A connection of its own: a change that cuts new ones off must not be confirmed by an old one.
async fn fresh(engine: &Engine<'_>, name: &NodeName) -> Result<Agent, AgentError> {
    let node = engine.nodes.iter().find(|node| node.name == *name);
    match node {
        Some(node) => Ok(Agent::new(engine.connector.connect(node).await?)),
        None => Err(AgentError::Protocol {
            node: name.clone(),
            label: "connect".to_owned(),
            detail: "the inventory has no such node".to_owned(),
        }),
    }
}

async fn confirm(engine: &Engine<'_>, plan: &NodePlan, index: NodeIndex, tx: &str) -> Told {
    if index == 0 {
        engine.say(Event::StepStarted {
            step: Step::Confirm,
            nodes: engine.fleet.agents().count(),
        });
    }
    let agent = match fresh(engine, &plan.node).await {
        Ok(agent) => agent,
        Err(error) => {
            tokio::time::sleep(PAUSE).await;
            return Told::bad(News::Unreachable(index), Step::Confirm, error);
        }
    };
    let answer = agent.confirm(tx).await;
    agent.close().await;
    match answer {
        Ok(()) => {
            engine.say(Event::NodeDone {
                step: Step::Confirm,
                node: plan.node.clone(),
                note: None,
            });
            Told::good(News::Confirmed(index))
        }
        Err(error) if error.code() == "not-active" => {
            Told::bad(News::Refused(index), Step::Confirm, error)
        }
        Err(error) => {
            tracing::warn!(node = %plan.node, %error, "a confirmation was lost; asking");
            Told::good(News::ConfirmationLost(index))
        }
    }
}

async fn revert(
    engine: &Engine<'_>,
    name: &NodeName,
    index: NodeIndex,
    tx: &str,
    why: &str,
) -> Told {
    engine.say(Event::Reverting { node: name.clone() });
    let why = format!("the {why} step failed");
    let Some(agent) = engine.fleet.get(name) else {
        return Told::good(News::RevertFailed(index));
    };
    let mut answer = agent.revert(tx, &why).await;
    // The connection may be what the failure was about; a fresh one may come through.
    if let Err(AgentError::Remote(_)) = &answer
        && let Ok(agent) = fresh(engine, name).await
    {
        answer = agent.revert(tx, &why).await;
        agent.close().await;
    }
    match answer {
        Ok(()) => {
            engine.say(Event::Reverted { node: name.clone() });
            Told::good(News::Reverted(index))
        }
        Err(error) => {
            engine.say(Event::RevertFailed {
                node: name.clone(),
                message: error.to_string(),
            });
            Told::bad(News::RevertFailed(index), Step::Activate, error)
        }
    }
}

/// A second look at a node that could not be undone: meanwhile it may have come back, and then it is told
/// again; or it cannot undo, such as with a file system that has become read-only, and needs not, since it
/// never got as far as changing anything.
async fn is_back(engine: &Engine<'_>, plan: &NodePlan, tx: &str) -> bool {
    let Ok(agent) = fresh(engine, &plan.node).await else {
        return false;
    };
    let answer = agent.revert(tx, "it could not be undone at once").await;
    agent.close().await;
    let is_back = match answer {
        Ok(()) => true,
        // Without a journal nothing live has changed, or all of it was undone; of packages it says nothing.
        Err(AgentError::Failed { .. }) => {
            plan.install.is_empty() && differences(engine, plan).await.is_empty()
        }
        Err(_) => false,
    };
    if is_back {
        engine.say(Event::Reverted {
            node: plan.node.clone(),
        });
    }
    is_back
}

/// On which side a node is, by its own records.
async fn ask(engine: &Engine<'_>, plan: &NodePlan, index: NodeIndex, tx: &str) -> Told {
    tokio::time::sleep(PAUSE).await;
    let Ok(agent) = fresh(engine, &plan.node).await else {
        return Told::good(News::Silent(index));
    };
    let seen = agent.observe(&Question::default()).await;
    agent.close().await;
    let Ok(seen) = seen else {
        return Told::good(News::Silent(index));
    };
    let is_ours = |id: Option<&str>| id == Some(tx);
    let outcome = seen
        .outcome
        .as_ref()
        .filter(|outcome| is_ours(Some(&outcome.tx)));
    let side = if is_ours(seen.journal.as_ref().map(|journal| journal.tx.as_str())) {
        Side::Undecided
    } else if outcome.is_some_and(|outcome| outcome.result == "confirmed") {
        engine.say(Event::NodeDone {
            step: Step::Confirm,
            node: plan.node.clone(),
            note: None,
        });
        Side::New
    } else {
        Side::Old
    };
    Told::good(News::Is(index, side))
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
