//! The outcome of a change, as observed on the hosts.

use super::event::Step;
use crate::agent::{AgentError, Deadline};
use crate::health::Problem;
use crate::model::{NodeName, UnitId};

/// Why a change failed.
#[derive(Debug)]
pub struct Failure {
    pub step: Step,
    /// All failures in that step.
    pub errors: Vec<FailureCause>,
}

/// One cause of a failure.
#[derive(Debug, thiserror::Error)]
pub enum FailureCause {
    /// A call failed.
    #[error(transparent)]
    Agent(AgentError),
    /// A daemon refused the staged files.
    #[error("{node}: {unit} refuses the new configuration")]
    Refused {
        node: NodeName,
        /// The daemon.
        unit: UnitId,
        /// What it printed.
        output: String,
    },
    /// The cluster is not healthy.
    #[error("{}", joined(problems))]
    NotProven {
        /// The problems that were seen.
        problems: Vec<Problem>,
    },
    /// A node has an interrupted change.
    #[error("{node}: an earlier change ({tx}) is unfinished")]
    Unfinished {
        node: NodeName,
        /// Id of that change.
        tx: String,
    },
    /// The hosts' timers fired before all of them could be confirmed.
    #[error("the time to confirm the change ran out")]
    OutOfTime,
    /// A node waits for the keeper, which has not been rolled back.
    #[error("{node}: keepalived stays stopped until the VIP's owner is back")]
    KeptSilent {
        /// The node.
        node: NodeName,
    },
    /// The user asked to stop.
    #[error("stopped on request")]
    Interrupted,
}

fn joined(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}

/// The result of a change.
#[derive(Debug)]
pub enum Result {
    /// The plan was empty.
    NothingToDo,
    /// Validation passed, and nothing else was requested.
    Checked,
    /// Confirmed on every node.
    Applied {
        /// The generation's number.
        generation: u64,
    },
    /// Active and proven on every node, and pending confirmation by the operator.
    Waiting {
        /// The generation's number.
        generation: u64,
        /// When the hosts roll it back.
        deadline: Deadline,
    },
    /// It failed before anything live changed.
    Unchanged(Failure),
    /// It failed during activation, and every node was seen to be as before.
    RolledBack(Failure),
    /// It failed, and some things are neither as before nor as they should be.
    Mixed {
        failure: Failure,
        /// What the operator has to look at.
        problems: Vec<String>,
    },
}

/// A result, with the change's id and duration.
#[derive(Debug)]
pub struct ApplyOutcome {
    /// How it ended.
    pub result: Result,
    /// The change's id. `None` if there was nothing to change.
    pub tx: Option<String>,
    pub elapsed: std::time::Duration,
}
