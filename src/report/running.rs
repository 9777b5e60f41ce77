//! The documents of verbs that observe the nodes: `preflight`, `plan`, `status` and `lock`. `history` has only its report.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Finding;
use crate::health::Problem;
use crate::ops::{Expected, LockReport, Notice, PreflightReport, Recovery, StatusReport};
use crate::plan::{Plan, VipCourse};

/// Whether the hosts are fit for the cluster.
#[derive(Serialize, JsonSchema)]
pub struct PreflightBody<'a> {
    /// True if no rule of severity error is violated, no plan is refused for other reasons, and all hosts answer. Whether
    /// an earlier change is still in progress is not asked.
    pub fit: bool,
    /// What was found.
    #[serde(flatten)]
    pub report: &'a PreflightReport,
}

/// What an apply would do.
#[derive(Serialize, JsonSchema)]
pub struct PlanBody<'a> {
    /// True if an apply would do something.
    pub changes: bool,
    /// True if a daemon refuses the files, so that an apply would stop.
    pub refused: bool,
    /// The plan.
    pub plan: &'a Plan,
    /// What happens to each VIP.
    pub vips: Vec<VipCourse>,
    /// What hosts report about earlier changes.
    pub notices: &'a [Notice],
    /// What currently keeps nodes from serving or taking over.
    pub problems: &'a [Problem],
    /// What an apply would recover first.
    pub recovery: &'a Recovery,
    /// Rules that the inventory, the hosts or the running cluster violate.
    pub findings: Vec<&'a Finding>,
    /// Impact of faults on users with this plan. `null` if its files are not hactl's.
    pub expected: Option<&'a Expected>,
    /// The file that the plan was saved to.
    #[schemars(with = "Option<String>")]
    pub saved_to: Option<&'a Utf8Path>,
}

/// The current state of every node.
#[derive(Serialize, JsonSchema)]
pub struct StatusBody<'a> {
    /// True if no action is needed. Then `status` exits with 0.
    pub healthy: bool,
    /// The observed state.
    #[serde(flatten)]
    pub report: &'a StatusReport,
}

/// The locks of all nodes.
#[derive(Serialize, JsonSchema)]
pub struct LocksBody<'a> {
    /// The observed locks.
    #[serde(flatten)]
    pub report: &'a LockReport,
    /// Why locks could not be broken, with `lock break`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}
