//! What verbs say that look at the nodes: `plan`, `status` and `lock`. `history` has its report alone.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Finding;
use crate::health::Problem;
use crate::ops::{Expected, LockReport, Notice, Recovery, StatusReport};
use crate::plan::{Plan, VipCourse};

/// What an apply would do.
#[derive(Serialize, JsonSchema)]
pub struct PlanBody<'a> {
    /// True when an apply would do something.
    pub changes: bool,
    /// True when a daemon refuses the files, so that an apply would stop.
    pub refused: bool,
    /// The plan.
    pub plan: &'a Plan,
    /// What becomes of each VIP.
    pub vips: Vec<VipCourse>,
    /// What hosts tell of earlier changes.
    pub notices: &'a [Notice],
    /// What keeps nodes from serving or taking over now.
    pub problems: &'a [Problem],
    /// What an apply would end first.
    pub recovery: &'a Recovery,
    /// The rules that the inventory, the hosts or the running cluster break.
    pub findings: Vec<&'a Finding>,
    /// What faults would cost users with it; `null` where its files are not hactl's.
    pub expected: Option<&'a Expected>,
    /// The file that the plan was saved to.
    #[schemars(with = "Option<String>")]
    pub saved_to: Option<&'a Utf8Path>,
}

/// What every node is and does.
#[derive(Serialize, JsonSchema)]
pub struct StatusBody<'a> {
    /// True when there is nothing to do about it; then `status` ends with 0.
    pub healthy: bool,
    /// What was seen.
    #[serde(flatten)]
    pub report: &'a StatusReport,
}

/// The locks of all nodes.
#[derive(Serialize, JsonSchema)]
pub struct LocksBody<'a> {
    /// What was seen.
    #[serde(flatten)]
    pub report: &'a LockReport,
    /// Why locks were not broken, with `lock break`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}
