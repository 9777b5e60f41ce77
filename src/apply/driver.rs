//! Drives a coordinator to its result: carries out its commands on the hosts and reports their results to it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::event::{Event, Step};
use super::executor::{CommandExecutor, CommandOutcome};
use super::outcome::{Failure, FailureCause};
use super::protocol::{Command, Coordinator, NodeIndex, ProtocolResult, Reply};
use super::session::Session;
use crate::agent::{Cause, Deadline, Reason};

/// Points in time after which less can be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// No confirmation is started after this: the hosts' timers are about to fire.
    pub(super) confirm_by: Instant,
    /// What is undecided then stays so.
    pub(super) give_up_at: Instant,
}

/// The result of a protocol run.
pub(super) struct ProtocolRun {
    pub(super) result: ProtocolResult,
    /// The first step that failed, with all failures in it.
    pub(super) failure: Option<Failure>,
    /// Nodes that could not be rolled back, with their errors.
    pub(super) not_undone: BTreeMap<NodeIndex, String>,
    /// Whether some node may be confirmed.
    pub(super) is_unsure: bool,
    /// The nodes that were told to activate.
    pub(super) touched: BTreeSet<NodeIndex>,
    /// Deadline of a change that is pending confirmation.
    pub(super) waits: Option<Deadline>,
}

/// Runs until the coordinator has a result. A node that is rolled back is given `why`, unless a step failed.
pub(super) async fn run_protocol(
    executor: &CommandExecutor<'_>,
    mut coordinator: Coordinator,
    deadlines: Deadlines,
    why: &Reason,
) -> ProtocolRun {
    let session = executor.session;
    let mut end = ProtocolRun {
        result: ProtocolResult::Diverged,
        failure: None,
        not_undone: BTreeMap::new(),
        is_unsure: false,
        touched: BTreeSet::new(),
        waits: None,
    };
    let mut is_late = false;
    let mut under_way: FuturesUnordered<Pin<Box<dyn Future<Output = CommandOutcome> + Send + '_>>> =
        FuturesUnordered::new();
    end.result = loop {
        for command in coordinator.next_commands() {
            let why = end.failure.as_ref().map_or_else(
                || {
                    if is_late {
                        Reason {
                            cause: Cause::Unconfirmed,
                            words: "the time to confirm the change ran out".to_owned(),
                        }
                    } else {
                        why.clone()
                    }
                },
                |failure| Reason::failed(format!("the {} step failed", failure.step.name())),
            );
            if let Command::Activate(index) = command {
                end.touched.insert(index);
            }
            under_way.push(Box::pin(executor.execute(command, why)));
        }
        if let Some(result) = coordinator.result() {
            break result;
        }
        tokio::select! {
            // Handle a request to stop before starting anything new.
            biased;
            () = stopped(session), if end.failure.is_none() && !coordinator.is_past_point_of_no_return() => {
                session.emit(Event::Interrupted);
                let step = if executor.change.is_some() { Step::Activate } else { Step::Confirm };
                end.failure = Some(Failure { step, errors: vec![FailureCause::Interrupted] });
                coordinator.on_reply(Reply::Stop);
            }
            Some(outcome) = under_way.next(), if !under_way.is_empty() => {
                end.waits = outcome.waits.or(end.waits);
                record_failure(session, &mut end.failure, &mut end.not_undone, outcome.cause, &outcome.reply);
                coordinator.on_reply(outcome.reply);
            }
            () = tokio::time::sleep_until(deadlines.confirm_by), if !is_late => {
                is_late = true;
                coordinator.on_reply(Reply::TooLate);
            }
            () = tokio::time::sleep_until(deadlines.give_up_at) => coordinator.on_reply(Reply::GaveUp),
        }
    };
    drop(under_way);
    end.is_unsure = coordinator.may_be_confirmed();
    end
}

/// Records the failure: the first step that failed, with all failures in it.
fn record_failure(
    session: &Session<'_>,
    failure: &mut Option<Failure>,
    not_undone: &mut BTreeMap<NodeIndex, String>,
    cause: Option<(Step, FailureCause)>,
    reply: &Reply,
) {
    let Some((step, cause)) = cause else { return };
    if let Reply::RevertFailed(index) = reply {
        let detail = if let FailureCause::Agent(error) = &cause {
            error.detail()
        } else {
            ""
        };
        let said = format!("{cause}\n{detail}").trim_end().to_owned();
        not_undone.insert(*index, said);
        return;
    }
    session.emit(Event::Failed {
        step,
        message: cause.to_string(),
    });
    let failure = failure.get_or_insert_with(|| Failure {
        step,
        errors: Vec::new(),
    });
    if failure.step == step {
        failure.errors.push(cause);
    }
}

/// Returns when the user wants to stop.
async fn stopped(session: &Session<'_>) {
    while !session.is_stopped() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
