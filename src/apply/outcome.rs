//! How it ended, as observed.

use super::event::Step;
use crate::agent::{AgentError, Deadline};
use crate::health::Problem;
use crate::model::{NodeName, UnitId};

/// What made a change fail.
#[derive(Debug)]
pub struct Failure {
    /// In which step.
    pub step: Step,
    /// What each node said.
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
        /// The node.
        node: NodeName,
        /// The daemon.
        unit: UnitId,
        /// What it printed.
        output: String,
    },
    /// The cluster was not seen to serve.
    #[error("{}", joined(problems))]
    NotProven {
        /// What was seen in its place.
        problems: Vec<Problem>,
    },
    /// An interrupted change lies on a node.
    #[error("{node}: an earlier change ({tx}) is unfinished there")]
    Unfinished {
        /// The node.
        node: NodeName,
        /// That change's id.
        tx: String,
    },
    /// The hosts' timers ended before all of them could be confirmed.
    #[error("the time to confirm was over")]
    OutOfTime,
    /// A node waits for the one that went on alone, which is not back.
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

/// The end of it.
#[derive(Debug)]
pub enum Result {
    /// The plan was empty.
    NothingToDo,
    /// Validation passed, and no more was asked for.
    Checked,
    /// Every node has it, confirmed.
    Applied {
        /// Its number.
        generation: u64,
    },
    /// Every node has it, proven, and the operator has to confirm it.
    Waiting {
        /// Its number.
        generation: u64,
        /// When the hosts undo it.
        deadline: Deadline,
    },
    /// It failed before anything live changed.
    Unchanged(Failure),
    /// It failed while activating; every node was seen to be as it was.
    RolledBack(Failure),
    /// It failed, and these things are not as they were or as they should be.
    Mixed {
        /// What made it fail.
        failure: Failure,
        /// What the operator has to look at.
        problems: Vec<String>,
    },
}

/// A result with what it took.
#[derive(Debug)]
pub struct ApplyOutcome {
    /// How it ended.
    pub result: Result,
    /// The change's id; none where nothing was to be changed.
    pub tx: Option<String>,
    /// How long it took.
    pub elapsed: std::time::Duration,
}
