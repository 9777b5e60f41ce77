//! Carries out the coordinator's commands on the hosts and returns their results.

use std::time::Duration;

use super::change::Change;
use super::event::{Event, Step};
use super::fleet::{Preopened, each};
use super::outcome::FailureCause;
use super::protocol::{Command, Decision, NodeIndex, Reply};
use super::prove::{all_wait, healthy};
use super::session::Session;
use super::switch::Switchboard;
use crate::agent::{
    Activation, Agent, AgentError, Deadline, FailureCode, LockRequest, ObserveRequest, Reason,
};
use crate::health::{MustAnswer, Served};
use crate::model::NodeName;
use crate::plan::{Proof, Strategy};

/// Pause between two queries to an undecided node.
const PAUSE: Duration = Duration::from_millis(500);

/// The result of one command, and its cause if it failed.
pub(super) struct CommandOutcome {
    pub(super) reply: Reply,
    pub(super) cause: Option<(Step, FailureCause)>,
    /// Deadline of a change that was opened for confirmation.
    pub(super) waits: Option<Deadline>,
}

impl CommandOutcome {
    fn good(reply: Reply) -> Self {
        Self {
            reply,
            cause: None,
            waits: None,
        }
    }

    fn bad(reply: Reply, step: Step, cause: impl Into<FailureCause>) -> Self {
        Self {
            reply,
            cause: Some((step, cause.into())),
            waits: None,
        }
    }
}

/// One change, and what is needed to carry out commands for it.
pub(super) struct CommandExecutor<'a> {
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
    /// Fresh connections for the confirmation.
    pub(super) preopened: &'a Preopened,
}

impl CommandExecutor<'_> {
    /// A node that is rolled back is given `why`.
    pub(super) async fn execute(&self, command: Command, why: Reason) -> CommandOutcome {
        let (session, tx) = (self.session, self.tx);
        match command {
            Command::Activate(index) => match &self.change {
                Some(change) => activate(self, change, index).await,
                None => CommandOutcome::good(Reply::ActivationFailed(index)),
            },
            Command::Prove => match &self.change {
                Some(change) => prove(session, change, &self.served).await,
                None => CommandOutcome::good(Reply::NotProved),
            },
            Command::Confirm(index) => {
                if index == 0 {
                    session.emit(Event::StepStarted {
                        step: Step::Confirm,
                        nodes: self.nodes.len(),
                    });
                }
                let confirmed = confirm(self, index);
                if index > 0 {
                    return confirmed.await;
                }
                // The first one goes out alone. Meanwhile the other nodes are connected to.
                let others = session.nodes.iter();
                let others = others.filter(|node| self.nodes[1..].contains(&node.name));
                let connected = self.preopened.open(session.connector, others);
                tokio::pin!(confirmed);
                // Nothing waits for a node that cannot be reached.
                tokio::select! {
                    outcome = &mut confirmed => outcome,
                    () = connected => confirmed.await,
                }
            }
            Command::Offer(index) => match &self.change {
                Some(change) => offer(session, change, index).await,
                None => CommandOutcome::good(Reply::OfferFailed(index)),
            },
            Command::Withdraw(index) => withdraw(session, &self.nodes[index], index, tx).await,
            Command::Revert(index) => revert(self, &self.nodes[index], index, &why).await,
            Command::Ask(index) => ask(session, &self.nodes[index], index, tx).await,
        }
    }
}

/// Opens the change for confirmation. First the locks are handed over from this process to the change itself. A lock
/// for which that fails expires a little early.
async fn offer(session: &Session<'_>, change: &Change<'_>, index: NodeIndex) -> CommandOutcome {
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
        Ok(deadline) => CommandOutcome {
            waits: Some(deadline),
            ..CommandOutcome::good(Reply::Offered(index))
        },
        Err(error) => CommandOutcome::bad(Reply::OfferFailed(index), Step::Confirm, error),
    }
}

/// Makes the decider accept no confirmation any more.
async fn withdraw(
    session: &Session<'_>,
    name: &NodeName,
    index: NodeIndex,
    tx: &str,
) -> CommandOutcome {
    let answer = session.afresh(name, async |agent| agent.withdraw(tx).await);
    match answer.await.flatten() {
        Ok(true) => CommandOutcome::good(Reply::Is(index, Decision::Committed)),
        Ok(false) => CommandOutcome::good(Reply::Withdrawn(index)),
        Err(error) => {
            tracing::warn!(node = %name, %error, "failed to withdraw the change; trying again");
            tokio::time::sleep(PAUSE).await;
            CommandOutcome::good(Reply::WithdrawalLost(index))
        }
    }
}

async fn activate(
    executor: &CommandExecutor<'_>,
    change: &Change<'_>,
    index: NodeIndex,
) -> CommandOutcome {
    let (session, tx) = (executor.session, executor.tx);
    let node = change.plans[index];
    let name = node.node.clone();
    session.emit(Event::Activating {
        node: name.clone(),
        holds: node.holds.clone(),
    });
    let Some(agent) = session.fleet.get(&name) else {
        return CommandOutcome::good(Reply::ActivationFailed(index));
    };
    let expected = node.expected_after_installation();
    let timeout = change.options.confirm_timeout;
    let switch = executor.switchboard.switch(&name, timeout);
    let activation = Activation {
        expected,
        actions: node.actions(),
        revert_after: timeout,
        peer: change.peer_credentials(node),
        switch,
    };
    let activated = agent.activate(tx, &activation);
    let switchboard = &executor.switchboard;
    match switchboard.coordinate(agent, tx, switch, activated).await {
        Ok(()) => {
            session.emit(Event::NodeDone {
                step: Step::Activate,
                node: name,
                note: None,
            });
            CommandOutcome::good(Reply::Activated(index))
        }
        Err(error) => CommandOutcome::bad(Reply::ActivationFailed(index), Step::Activate, error),
    }
}

/// Checks that the cluster is at least as healthy as before.
///
/// If all nodes are activated at once, one whose timer fired early may have queried the first node before that was
/// active, and rolled back. The first node would not know, and could be confirmed. Nodes that are all still waiting
/// have queried nobody. `tests/commit_model.rs` found this.
async fn prove(session: &Session<'_>, change: &Change<'_>, served: &Served) -> CommandOutcome {
    let plan = change.plan;
    if matches!(plan.strategy, Strategy::AtOnce { .. })
        && !all_wait(session.fleet, &change.nodes(), change.tx).await
    {
        return CommandOutcome::bad(Reply::NotProved, Step::Prove, FailureCause::OutOfTime);
    }
    let must = match plan.proof {
        Proof::NotNeeded => return CommandOutcome::good(Reply::Proved),
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
            CommandOutcome::good(Reply::Proved)
        }
        Err(problems) => CommandOutcome::bad(
            Reply::NotProved,
            Step::Prove,
            FailureCause::NotProven { problems },
        ),
    }
}

async fn confirm(executor: &CommandExecutor<'_>, index: NodeIndex) -> CommandOutcome {
    let (session, name) = (executor.session, &executor.nodes[index]);
    let work = async |agent: &Agent| agent.confirm(executor.tx).await;
    let answer = match session.afresh_from(executor.preopened, name, work).await {
        Ok(answer) => answer,
        Err(error) => {
            tokio::time::sleep(PAUSE).await;
            return CommandOutcome::bad(Reply::Unreachable(index), Step::Confirm, error);
        }
    };
    match answer {
        Ok(()) => {
            session.emit(Event::NodeDone {
                step: Step::Confirm,
                node: name.clone(),
                note: None,
            });
            CommandOutcome::good(Reply::Confirmed(index))
        }
        Err(error) if error.code() == Some(FailureCode::NotActive) => {
            CommandOutcome::bad(Reply::Refused(index), Step::Confirm, error)
        }
        Err(error) => {
            tracing::warn!(node = %name, %error, "a confirmation was lost; asking");
            CommandOutcome::good(Reply::ConfirmationLost(index))
        }
    }
}

async fn revert(
    executor: &CommandExecutor<'_>,
    name: &NodeName,
    index: NodeIndex,
    why: &Reason,
) -> CommandOutcome {
    let (session, tx) = (executor.session, executor.tx);
    let switchboard = &executor.switchboard;
    if !switchboard
        .may_go_back(session, &executor.nodes, tx, name)
        .await
    {
        let cause = FailureCause::KeptSilent { node: name.clone() };
        return CommandOutcome::bad(Reply::RevertFailed(index), Step::Activate, cause);
    }
    session.emit(Event::Reverting { node: name.clone() });
    let mut answer = match session.fleet.get(name) {
        Some(agent) => agent.revert(tx, why).await,
        None => session.retry_rollback(name, tx).await,
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
            executor.switchboard.is_back(name);
            CommandOutcome::good(Reply::Reverted(index))
        }
        Err(error) => {
            session.emit(Event::RevertFailed {
                node: name.clone(),
                message: error.to_string(),
            });
            CommandOutcome::bad(Reply::RevertFailed(index), Step::Activate, error)
        }
    }
}

/// Queries which side a node is on, by its own records.
async fn ask(session: &Session<'_>, name: &NodeName, index: NodeIndex, tx: &str) -> CommandOutcome {
    tokio::time::sleep(PAUSE).await;
    let question = ObserveRequest::default();
    let seen = session.afresh(name, async |agent| agent.observe(&question).await);
    let Ok(seen) = seen.await.flatten() else {
        return CommandOutcome::good(Reply::Silent(index));
    };
    // A node without a record of the change was never activated, or has rolled it back and forgotten it since.
    let mut side = seen.decision_of(tx).unwrap_or(Decision::RolledBack);
    if seen.is_under_way(tx) {
        // Even if it has decided: until the decision is carried out, it may fail there.
        side = Decision::InDoubt;
    }
    if side == Decision::Committed {
        session.emit(Event::NodeDone {
            step: Step::Confirm,
            node: name.clone(),
            note: None,
        });
    }
    CommandOutcome::good(Reply::Is(index, side))
}
