//! The documents of `apply` and `rollback`.

use schemars::JsonSchema;
use serde::Serialize;

use super::error::ErrorRecord;
use crate::agent::Deadline;
use crate::apply::{Event, Step};
use crate::check::Finding;
use crate::health::Problem;
use crate::model::NodeName;
use crate::ops::{Notice, Recovery, Stamped};
use crate::plan::{Plan, VipCourse};

/// A change from its plan to its end.
#[derive(Serialize, JsonSchema)]
pub struct ChangeBody<'a> {
    /// What had to be recovered first.
    pub recovery: &'a Recovery,
    /// True once it has been recovered.
    pub recovered: bool,
    /// The plan.
    pub plan: &'a Plan,
    /// What happens to each VIP.
    pub vips: Vec<VipCourse>,
    /// What hosts report about earlier changes.
    pub notices: &'a [Notice],
    /// What kept nodes from serving or taking over before the change.
    pub problems: &'a [Problem],
    /// Rules that the inventory, the hosts or the running cluster violate.
    pub findings: &'a [Finding],
    /// The events.
    pub events: &'a [Stamped<Event>],
    /// How it ended.
    pub outcome: ChangeOutcome<'a>,
}

/// The outcome of a change.
#[derive(Serialize, JsonSchema)]
pub struct ChangeOutcome<'a> {
    /// The result.
    #[serde(flatten)]
    pub end: ChangeEnd<'a>,
    /// Details of the run. Absent if the change was declined.
    #[serde(flatten)]
    pub run: Option<ChangeRun<'a>>,
}

/// The result of a change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum ChangeEnd<'a> {
    /// The user declined.
    Declined,
    /// The plan was empty.
    NothingToDo,
    /// The daemons accept the files, and nothing else was requested.
    Checked,
    /// Confirmed on every node.
    Applied {
        /// The live generation.
        generation: u64,
    },
    /// Active and proven on every node, and pending confirmation by the operator.
    Waiting {
        /// The live generation.
        generation: u64,
        /// When the hosts roll it back.
        deadline: &'a Deadline,
    },
    /// It failed before anything live changed.
    Unchanged {
        /// Why it failed.
        failure: FailureRecord<'a>,
    },
    /// It failed, and every node was seen to be as it was before.
    RolledBack {
        /// Why it failed.
        failure: FailureRecord<'a>,
    },
    /// It failed, and some things are neither as before nor as they should be.
    Mixed {
        /// Why it failed.
        failure: FailureRecord<'a>,
        /// What the operator has to look at.
        problems: &'a [String],
    },
}

/// Details of a run.
#[derive(Serialize, JsonSchema)]
pub struct ChangeRun<'a> {
    /// Nodes that `--limit` excluded and that would change, too.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub behind: &'a [NodeName],
    /// The change's id. Absent if there was nothing to change.
    pub tx: Option<&'a str>,
    /// Duration, in milliseconds.
    pub elapsed_ms: u64,
}

/// Why a change failed.
#[derive(Serialize, JsonSchema)]
pub struct FailureRecord<'a> {
    /// The step that failed.
    pub step: Step,
    /// All causes. Identical causes on several nodes are listed once.
    pub causes: Vec<ErrorRecord>,
    /// Problems that kept the cluster from being proven.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemRecord<'a>>,
}

/// A problem that kept the cluster from being proven.
#[derive(Serialize, JsonSchema)]
pub struct ProblemRecord<'a> {
    /// The problem.
    #[serde(flatten)]
    pub problem: &'a Problem,
    /// The rule that it violates: see `docs/rules.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
}
