//! Ends a change in progress that another process made: confirms it, or rolls it back.

use std::time::Duration;

use tokio::time::Instant;

use super::driver::{Deadlines, run_protocol};
use super::executor::CommandExecutor;
use super::fleet::Preopened;
use super::outcome::Failure;
use super::outside::is_reached_again;
use super::protocol::{Coordinator, Decision, ProtocolResult};
use super::session::Session;
use super::switch::Switchboard;
use crate::agent::{Phase, Reason};
use crate::health::{Problem, Served};
use crate::model::NodeName;

/// What to do with a pending change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PendingAction {
    /// Keep it.
    Confirm,
    /// Roll it back.
    Cancel,
}

/// One node of a change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Member {
    /// The node.
    pub node: NodeName,
    /// Its side.
    #[serde(skip)]
    pub side: Decision,
    /// The phase it has reached, while the change is in progress there.
    pub phase: Option<Phase>,
}

/// A change of another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub tx: String,
    /// Its nodes. The first one is the decider, while it is undecided.
    pub members: Vec<Member>,
    /// Time left until the hosts' timers fire.
    pub left: Duration,
}

/// The outcome, as reported by the nodes.
#[derive(Debug)]
pub struct SettleOutcome {
    /// The side of the nodes.
    pub result: ProtocolResult,
    /// The first failure, if any.
    pub failure: Option<Failure>,
    /// What the operator has to look at.
    pub problems: Vec<String>,
}

/// Time allowed for a node that cannot be reached, or whose timer has fired and that is querying its peers, which takes
/// half a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// Confirms or cancels `change`. Nodes that are rolled back record `why`. The locks are released with the change.
pub async fn settle(
    session: &Session<'_>,
    change: &Waiting,
    verb: PendingAction,
    why: &Reason,
) -> SettleOutcome {
    Preopened::with(async |preopened| settle_over(session, change, verb, why, preopened).await)
        .await
}

async fn settle_over(
    session: &Session<'_>,
    change: &Waiting,
    verb: PendingAction,
    why: &Reason,
    preopened: &Preopened,
) -> SettleOutcome {
    let sides: Vec<Decision> = change.members.iter().map(|member| member.side).collect();
    let coordinator = match verb {
        PendingAction::Confirm => Coordinator::confirm_waiting(&sides),
        PendingAction::Cancel => Coordinator::cancel(&sides),
    };
    let begun = Instant::now();
    let deadlines = Deadlines {
        confirm_by: begun + change.left.saturating_sub(Duration::from_secs(2)),
        give_up_at: begun + PATIENCE,
    };
    let executor = CommandExecutor {
        session,
        change: None,
        nodes: change
            .members
            .iter()
            .map(|member| member.node.clone())
            .collect(),
        tx: &change.tx,
        served: Served::default(),
        switchboard: Switchboard::new(None),
        preopened,
    };
    let mut end = run_protocol(&executor, coordinator, deadlines, why).await;
    let mut problems = Vec::new();
    for (index, said) in std::mem::take(&mut end.not_undone).into_iter().rev() {
        let node = &executor.nodes[index];
        let may = executor
            .switchboard
            .may_go_back(session, &executor.nodes, &change.tx, node)
            .await;
        if may && session.retry_rollback(node, &change.tx).await.is_ok() {
            executor.switchboard.is_back(node);
        } else {
            problems.push(said);
        }
    }
    if end.result == ProtocolResult::Diverged && !end.is_unsure && problems.is_empty() {
        end.result = ProtocolResult::RolledBack;
    }
    if end.result == ProtocolResult::RolledBack {
        let outside = is_reached_again(session, None).await;
        problems.extend(outside.iter().map(Problem::to_string));
        if !problems.is_empty() {
            end.result = ProtocolResult::Diverged;
        }
    }
    match end.result {
        ProtocolResult::Pending => {}
        ProtocolResult::Diverged if end.is_unsure => {
            session.unlock_but(executor.nodes.iter(), &change.tx).await;
        }
        _ => session.unlock_all(&change.tx).await,
    }
    SettleOutcome {
        result: end.result,
        failure: end.failure,
        problems,
    }
}
