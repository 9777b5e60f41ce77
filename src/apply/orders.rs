//! Carries out the coordinator's commands on the hosts and returns their results.

use std::time::Duration;

use super::change::Change;
use super::commit::{News, NodeIndex, Order, Side};
use super::event::{Event, Step};
use super::fleet::each;
use super::outcome::FailureCause;
use super::prove::{all_wait, healthy};
use super::session::Session;
use super::switch::Switchboard;
use crate::agent::{Activation, AgentError, Deadline, FailureCode, LockRequest, Question, Reason};
use crate::health::{MustAnswer, Served};
use crate::model::NodeName;
use crate::plan::{Proof, Strategy};

/// Pause between two queries to an undecided node.
const PAUSE: Duration = Duration::from_millis(500);

/// The result of one command, and its cause if it failed.
pub(super) struct Told {
    pub(super) news: News,
    pub(super) cause: Option<(Step, FailureCause)>,
    /// Deadline of a change that was opened for confirmation.
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

/// One change, and what is needed to carry out commands for it.
pub(super) struct Hands<'a> {
    pub(super) session: &'a Session<'a>,
    /// What to activate and prove. `None` for a change of another process.
    pub(super) change: Option<Change<'a>>,
    /// The change's nodes, in its order.
    pub(super) nodes: Vec<NodeName>,
    pub(super) tx: &'a str,
    /// What the client was served before.
    pub(super) served: Served,
    /// For a change that all nodes make at once.
    pub(super) switchboard: Switchboard,
}

impl Hands<'_> {
    /// A node that is rolled back is given `why`.
    pub(super) async fn carry_out(&self, order: Order, why: Reason) -> Told {
        let (session, tx) = (self.session, self.tx);
        match order {
            Order::Activate(index) => match &self.change {
                Some(change) => activate(self, change, index).await,
                None => Told::good(News::ActivationFailed(index)),
            },
            Order::Prove => match &self.change {
                Some(change) => prove(session, change, &self.served).await,
                None => Told::good(News::NotProved),
            },
            Order::Confirm(index) => {
                if index == 0 {
                    session.emit(Event::StepStarted {
                        step: Step::Confirm,
                        nodes: self.nodes.len(),
                    });
                }
                confirm(session, &self.nodes[index], index, tx).await
            }
            Order::Offer(index) => match &self.change {
                Some(change) => offer(session, change, index).await,
                None => Told::good(News::OfferFailed(index)),
            },
            Order::Withdraw(index) => withdraw(session, &self.nodes[index], index, tx).await,
            Order::Revert(index) => revert(self, &self.nodes[index], index, &why).await,
            Order::Ask(index) => ask(session, &self.nodes[index], index, tx).await,
        }
    }
}

/// Opens the change for confirmation. First the locks are handed over from this process to the change itself. A lock
/// for which that fails expires a little early.
async fn offer(session: &Session<'_>, change: &Change<'_>, index: NodeIndex) -> Told {
    let (name, tx) = (&change.plans[index].node, change.tx);
    let request = LockRequest {
        pid: None,
        ..change.lock_request()
    };
    let locked = each(session.fleet.agents(), usize::MAX, |agent| {
        agent.lock(&request)
    });
    for error in locked.await.into_iter().filter_map(Result::err) {
        session.emit(Event::LockNotHandedOver {
            node: error.node().clone(),
            message: error.to_string(),
        });
    }
    let answer = session.afresh(name, async |agent| agent.offer(tx).await);
    match answer.await.flatten() {
        Ok(deadline) => Told {
            waits: Some(deadline),
            ..Told::good(News::Offered(index))
        },
        Err(error) => Told::bad(News::OfferFailed(index), Step::Confirm, error),
    }
}

/// Makes the decider accept no confirmation any more.
async fn withdraw(session: &Session<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    let answer = session.afresh(name, async |agent| agent.withdraw(tx).await);
    match answer.await.flatten() {
        Ok(true) => Told::good(News::Is(index, Side::New)),
        Ok(false) => Told::good(News::Withdrawn(index)),
        Err(error) => {
            tracing::warn!(node = %name, %error, "failed to withdraw the change; trying again");
            tokio::time::sleep(PAUSE).await;
            Told::good(News::WithdrawalLost(index))
        }
    }
}

async fn activate(hands: &Hands<'_>, change: &Change<'_>, index: NodeIndex) -> Told {
    let (session, tx) = (hands.session, hands.tx);
    let node = change.plans[index];
    let name = node.node.clone();
    session.emit(Event::Activating {
        node: name.clone(),
        holds: node.holds.clone(),
    });
    let Some(agent) = session.fleet.get(&name) else {
        return Told::good(News::ActivationFailed(index));
    };
    let expected = node.expected_after_installation();
    let timeout = change.options.confirm_timeout;
    let switch = hands.switchboard.switch(&name, timeout);
    let activation = Activation {
        expected,
        actions: node.actions(),
        revert_after: timeout,
        peer: change.peer_side(node),
        switch,
    };
    let activated = agent.activate(tx, &activation);
    let switchboard = &hands.switchboard;
    match switchboard.conduct(agent, tx, switch, activated).await {
        Ok(()) => {
            session.emit(Event::NodeDone {
                step: Step::Activate,
                node: name,
                note: None,
            });
            Told::good(News::Activated(index))
        }
        Err(error) => Told::bad(News::ActivationFailed(index), Step::Activate, error),
    }
}

/// Checks that the cluster is at least as healthy as before.
///
/// If all nodes are activated at once, one whose timer fired early may have queried the first node before that was
/// active, and rolled back. The first node would not know, and could be confirmed. Nodes that are all still waiting
/// have queried nobody. `tests/commit_model.rs` found this.
async fn prove(session: &Session<'_>, change: &Change<'_>, served: &Served) -> Told {
    let plan = change.plan;
    if matches!(plan.strategy, Strategy::AtOnce { .. })
        && !all_wait(session.fleet, &change.nodes(), change.tx).await
    {
        return Told::bad(News::NotProved, Step::Prove, FailureCause::OutOfTime);
    }
    let must = match plan.proof {
        Proof::NotNeeded => return Told::good(News::Proved),
        Proof::WhatTheOwnerServes => MustAnswer::WhatTheOwnerServes,
        Proof::AllListeners => MustAnswer::All,
    };
    match healthy(session, change, must, served).await {
        Ok(proof) => {
            session.emit(Event::OwnersSeen {
                owners: proof.owners,
            });
            if !proof.remaining.is_empty() {
                session.emit(Event::ProblemsRemain {
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

async fn confirm(session: &Session<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    let answer = session.afresh(name, async |agent| agent.confirm(tx).await);
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(error) => {
            tokio::time::sleep(PAUSE).await;
            return Told::bad(News::Unreachable(index), Step::Confirm, error);
        }
    };
    match answer {
        Ok(()) => {
            session.emit(Event::NodeDone {
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
    let (session, tx) = (hands.session, hands.tx);
    let switchboard = &hands.switchboard;
    if !switchboard
        .may_go_back(session, &hands.nodes, tx, name)
        .await
    {
        let cause = FailureCause::KeptSilent { node: name.clone() };
        return Told::bad(News::RevertFailed(index), Step::Activate, cause);
    }
    session.emit(Event::Reverting { node: name.clone() });
    let mut answer = match session.fleet.get(name) {
        Some(agent) => agent.revert(tx, why).await,
        None => session.undo_again(name, tx).await,
    };
    // The failure may be in the connection, so try a fresh one.
    if let Err(AgentError::Remote(_)) = &answer
        && let again = session.afresh(name, async |agent| agent.revert(tx, why).await)
        && let Ok(again) = again.await
    {
        answer = again;
    }
    match answer {
        Ok(()) => {
            session.emit(Event::Reverted { node: name.clone() });
            hands.switchboard.is_back(name);
            Told::good(News::Reverted(index))
        }
        Err(error) => {
            session.emit(Event::RevertFailed {
                node: name.clone(),
                message: error.to_string(),
            });
            Told::bad(News::RevertFailed(index), Step::Activate, error)
        }
    }
}

/// Queries which side a node is on, by its own records.
async fn ask(session: &Session<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> Told {
    tokio::time::sleep(PAUSE).await;
    let question = Question::default();
    let seen = session.afresh(name, async |agent| agent.observe(&question).await);
    let Ok(seen) = seen.await.flatten() else {
        return Told::good(News::Silent(index));
    };
    // A node without a record of the change was never activated, or has rolled it back and forgotten it since.
    let mut side = seen.side_of(tx).unwrap_or(Side::Old);
    if seen.is_under_way(tx) {
        // Even if it has decided: until the decision is carried out, it may fail there.
        side = Side::Undecided;
    }
    if side == Side::New {
        session.emit(Event::NodeDone {
            step: Step::Confirm,
            node: name.clone(),
            note: None,
        });
    }
    Told::good(News::Is(index, side))
}
