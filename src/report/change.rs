//! What `apply` and `rollback` say.

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
    /// What had to be ended first.
    pub recovery: &'a Recovery,
    /// True once it was.
    pub recovered: bool,
    /// The plan.
    pub plan: &'a Plan,
    /// What becomes of each VIP.
    pub vips: Vec<VipCourse>,
    /// What hosts tell of earlier changes.
    pub notices: &'a [Notice],
    /// What kept nodes from serving or taking over before.
    pub problems: &'a [Problem],
    /// The rules that the inventory, the hosts or the running cluster break.
    pub findings: &'a [Finding],
    /// What happened.
    pub events: &'a [Stamped<Event>],
    /// How it ended.
    pub outcome: ChangeOutcome<'a>,
}

/// How a change ended.
#[derive(Serialize, JsonSchema)]
pub struct ChangeOutcome<'a> {
    /// The end.
    #[serde(flatten)]
    pub end: ChangeEnd<'a>,
    /// What is known of the run; nothing where nobody agreed to it.
    #[serde(flatten)]
    pub run: Option<ChangeRun<'a>>,
}

/// The end of a change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum ChangeEnd<'a> {
    /// Nobody agreed to it.
    Declined,
    /// The plan was empty.
    NothingToDo,
    /// The daemons accept the files, and no more was asked for.
    Checked,
    /// Every node has it, confirmed.
    Applied {
        /// The generation that is live now.
        generation: u64,
    },
    /// Every node has it, proven, and the operator has to confirm it.
    Waiting {
        /// The generation that is live now.
        generation: u64,
        /// When the hosts roll it back.
        deadline: &'a Deadline,
    },
    /// It failed before anything live changed.
    Unchanged {
        /// Why.
        failure: FailureRecord<'a>,
    },
    /// It failed, and every node was seen to be as it was before.
    RolledBack {
        /// Why.
        failure: FailureRecord<'a>,
    },
    /// It failed, and these things are not as they were or as they should be.
    Mixed {
        /// Why.
        failure: FailureRecord<'a>,
        /// What the operator has to look at.
        problems: &'a [String],
    },
}

/// What is known of a run.
#[derive(Serialize, JsonSchema)]
pub struct ChangeRun<'a> {
    /// The nodes that `--limit` left out and that would change, too.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub behind: &'a [NodeName],
    /// The change's id; none where nothing was to be changed.
    pub tx: Option<&'a str>,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// What made a change fail.
#[derive(Serialize, JsonSchema)]
pub struct FailureRecord<'a> {
    /// In which step.
    pub step: Step,
    /// Each cause, the same on several nodes once.
    pub causes: Vec<ErrorRecord>,
    /// What was seen where the cluster should have served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemRecord<'a>>,
}

/// Something that kept the cluster from serving.
#[derive(Serialize, JsonSchema)]
pub struct ProblemRecord<'a> {
    /// What.
    #[serde(flatten)]
    pub problem: &'a Problem,
    /// The rule that it breaks: see `docs/rules.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
}
