//! The coordinator's orders, carried out on the hosts: what each led to.

use std::time::Duration;

use super::commit::{News, NodeIndex, Order, Side};
use super::engine::Engine;
use super::event::{Event, Step};
use super::fleet::each;
use super::outcome::FailureCause;
use super::prove::{all_wait, whole};
use super::switch::Switchboard;
use crate::agent::{
    Activation, Agent, AgentError, Deadline, FailureCode, LockRequest, Question, Reason,
};
use crate::health::{MustAnswer, Served};
use crate::model::NodeName;
use crate::plan::{Goal, NodePlan, Plan, Strategy, UnitAction};

/// Between two questions to a node that has not decided yet.
const PAUSE: Duration = Duration::from_millis(500);

/// What one order led to: the news, and why, where it is bad news.
pub(super) struct Told {
    pub(super) news: News,
    pub(super) cause: Option<(Step, FailureCause)>,
    /// Until when a change that was offered waits.
    pub(super) waits: Option<Deadline>,
}

impl Told {
    fn good(news: News) -> Self {
        Self {
            news,
            cause: None,
            waits: None,
        }
    }

    fn bad(news: News, step: Step, cause: impl Into<FailureCause>) -> Self {
        Self {
            news,
            cause: Some((step, cause.into())),
            waits: None,
        }
    }
}

/// One change, and what carries out the orders for it.
pub(super) struct Hands<'a> {
    pub(super) engine: &'a Engine<'a>,
    /// What is to be activated and proven; none for a change that somebody else has made.
    pub(super) change: Option<(&'a Plan, &'a [&'a NodePlan])>,
    /// Its nodes, in its order.
    pub(super) nodes: Vec<NodeName>,
    pub(super) tx: &'a str,
    /// What the client was served before.
    pub(super) served: Served,
    /// For a change that all nodes make at once.
    pub(super) switchboard: Switchboard,
}

impl Hands<'_> {
    /// `why` is what a node that is undone is told.
    pub(super) async fn carry_out(&self, order: Order, why: Reason) -> Told {
        let (engine, tx) = (self.engine, self.tx);
        match order {
            Order::Activate(index) => match self.change {
                Some((plan, plans)) => activate(self, plan, plans[index], index).await,
                None => Told::good(News::ActivationFailed(index)),
            },
            Order::Prove => match self.change {
                Some((plan, plans)) => prove(engine, plan, plans, tx, &self.served).await,
                None => Told::good(News::NotProved),
            },
            Order::Confirm(index) => {
                if index == 0 {
                    engine.say(Event::StepStarted {
                        step: Step::Confirm,
                        nodes: self.nodes.len(),
                    });
                }
                confirm(engine, &self.nodes[index], index, tx).await
            }
            Order::Offer(index) => offer(engine, &self.nodes[index], index, tx).await,
            Order::Withdraw(index) => withdraw(engine, &self.nodes[index], index, tx).await,
            Order::Revert(index) => revert(self, &self.nodes[index], index, &why).await,
            Order::Ask(index) => ask(engine, &self.nodes[index], index, tx).await,
        }
    }
}

/// Lets a person confirm. First the locks learn that no process holds them from now on, but the change
/// itself; one that does not frees itself a little early.
async fn offer(engine: &Engine<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    let request = LockRequest {
        pid: None,
        ..engine.lock_request(tx)
    };
    let locked = each(engine.fleet.agents(), usize::MAX, |agent| {
        agent.lock(&request)
    });
    for error in locked.await.into_iter().filter_map(Result::err) {
        engine.say(Event::LockNotHandedOver {
            node: error.node().clone(),
            message: error.to_string(),
        });
    }
    let agent = match fresh(engine, name).await {
        Ok(agent) => agent,
        Err(error) => return Told::bad(News::OfferFailed(index), Step::Confirm, error),
    };
    let answer = agent.offer(tx).await;
    agent.close().await;
    match answer {
        Ok(deadline) => Told {
            waits: Some(deadline),
            ..Told::good(News::Offered(index))
        },
        Err(error) => Told::bad(News::OfferFailed(index), Step::Confirm, error),
    }
}

/// Asks the node that decides to take no confirmation any more.
async fn withdraw(engine: &Engine<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    let answer = match fresh(engine, name).await {
        Ok(agent) => {
            let answer = agent.withdraw(tx).await;
            agent.close().await;
            answer
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(true) => Told::good(News::Is(index, Side::New)),
        Ok(false) => Told::good(News::Withdrawn(index)),
        Err(error) => {
            tracing::warn!(node = %name, %error, "failed to withdraw the change; trying again");
            tokio::time::sleep(PAUSE).await;
            Told::good(News::WithdrawalLost(index))
        }
    }
}

async fn activate(hands: &Hands<'_>, plan: &Plan, node: &NodePlan, index: NodeIndex) -> Told {
    let (engine, tx) = (hands.engine, hands.tx);
    let name = node.node.clone();
    engine.say(Event::Activating {
        node: name.clone(),
        holds: node.holds.clone(),
    });
    let Some(agent) = engine.fleet.get(&name) else {
        return Told::good(News::ActivationFailed(index));
    };
    let expected = node.expected_after_installation();
    let timeout = engine.options.confirm_timeout;
    let switch = hands.switchboard.switch(&name, timeout);
    let activation = Activation {
        expected,
        nginx: node.nginx.word(),
        keepalived: node.keepalived.word(),
        revert_after: timeout,
        peer: engine.peer_side(node, plan),
        switch,
    };
    let activated = agent.activate(tx, &activation);
    let switchboard = &hands.switchboard;
    match switchboard.conduct(agent, tx, switch, activated).await {
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

/// A whole cluster, as far as it was one before, unless neither a daemon nor a script of keepalived's was
/// touched, or they go back to what they were before hactl, which is not hactl's to judge.
///
/// Where all nodes are activated at once, one whose time was over early may have asked the first one
/// before that was active, and gone back; the first one would not know, and could be confirmed. Nodes
/// that are all still waiting now have asked nobody. `tests/commit_model.rs` found it.
async fn prove(
    engine: &Engine<'_>,
    plan: &Plan,
    plans: &[&NodePlan],
    tx: &str,
    served: &Served,
) -> Told {
    if matches!(plan.strategy, Strategy::AtOnce { .. }) {
        let nodes: Vec<&NodeName> = plans.iter().map(|plan| &plan.node).collect();
        if !all_wait(engine.fleet, &nodes, tx).await {
            return Told::bad(News::NotProved, Step::Prove, FailureCause::OutOfTime);
        }
    }
    let is_untouched = |node: &&NodePlan| {
        let mut scripts = node.files.iter().filter(|file| file.role.is_script());
        (node.keepalived, node.nginx) == (UnitAction::None, UnitAction::None)
            && scripts.next().is_none()
    };
    if plans.iter().all(is_untouched) || matches!(plan.goal, Goal::Rollback { to: 0 }) {
        return Told::good(News::Proved);
    }
    // What an earlier generation listened on is not the inventory's to say.
    let must = match plan.goal {
        Goal::Apply => MustAnswer::All,
        Goal::Rollback { .. } => MustAnswer::WhatTheOwnerServes,
    };
    let nodes: Vec<&NodeName> = plans.iter().map(|plan| &plan.node).collect();
    match whole(engine, &nodes, must, tx, served, &plan.preferred).await {
        Ok(proof) => {
            engine.say(Event::OwnersSeen {
                owners: proof.owners,
            });
            if !proof.remaining.is_empty() {
                engine.say(Event::ProblemsRemain {
                    problems: proof.remaining,
                });
            }
            Told::good(News::Proved)
        }
        Err(problems) => Told::bad(
            News::NotProved,
            Step::Prove,
            FailureCause::NotProven { problems },
        ),
    }
}

/// A connection of its own: a change that cuts new ones off must not be confirmed by an old one.
pub(super) async fn fresh(engine: &Engine<'_>, name: &NodeName) -> Result<Agent, AgentError> {
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

async fn confirm(engine: &Engine<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    let agent = match fresh(engine, name).await {
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
                node: name.clone(),
                note: None,
            });
            Told::good(News::Confirmed(index))
        }
        Err(error) if error.code() == Some(FailureCode::NotActive) => {
            Told::bad(News::Refused(index), Step::Confirm, error)
        }
        Err(error) => {
            tracing::warn!(node = %name, %error, "a confirmation was lost; asking");
            Told::good(News::ConfirmationLost(index))
        }
    }
}

async fn revert(hands: &Hands<'_>, name: &NodeName, index: NodeIndex, why: &Reason) -> Told {
    let (engine, tx) = (hands.engine, hands.tx);
    if !hands.switchboard.may_go_back(hands, name).await {
        let cause = FailureCause::KeptSilent { node: name.clone() };
        return Told::bad(News::RevertFailed(index), Step::Activate, cause);
    }
    engine.say(Event::Reverting { node: name.clone() });
    let mut answer = match engine.fleet.get(name) {
        Some(agent) => agent.revert(tx, why).await,
        None => undo_again(engine, name, tx).await,
    };
    // The connection may be what the failure was about; a fresh one may come through.
    if let Err(AgentError::Remote(_)) = &answer
        && let Ok(agent) = fresh(engine, name).await
    {
        answer = agent.revert(tx, why).await;
        agent.close().await;
    }
    match answer {
        Ok(()) => {
            engine.say(Event::Reverted { node: name.clone() });
            hands.switchboard.is_back(name);
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

/// Tells a node once more, over a fresh connection, to undo what it could not undo at once.
pub(super) async fn undo_again(
    engine: &Engine<'_>,
    name: &NodeName,
    tx: &str,
) -> Result<(), AgentError> {
    let agent = fresh(engine, name).await?;
    let again = Reason::failed("it could not be undone at once");
    let answer = agent.revert(tx, &again).await;
    agent.close().await;
    if answer.is_ok() {
        engine.say(Event::Reverted { node: name.clone() });
    }
    answer
}

/// On which side a node is, by its own records.
async fn ask(engine: &Engine<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    tokio::time::sleep(PAUSE).await;
    let Ok(agent) = fresh(engine, name).await else {
        return Told::good(News::Silent(index));
    };
    let seen = agent.observe(&Question::default()).await;
    agent.close().await;
    let Ok(seen) = seen else {
        return Told::good(News::Silent(index));
    };
    // A node that knows nothing of it was never activated, or has undone it and forgotten since.
    let mut side = seen.side_of(tx).unwrap_or(Side::Old);
    if seen.is_under_way(tx) {
        // Also where it is decided: until it is carried through, something may fail there.
        side = Side::Undecided;
    }
    if side == Side::New {
        engine.say(Event::NodeDone {
            step: Step::Confirm,
            node: name.clone(),
            note: None,
        });
    }
    Told::good(News::Is(index, side))
}
