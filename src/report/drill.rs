//! What `failover-test` says.

use schemars::JsonSchema;
use serde::Serialize;

use crate::drill::{Comparison, DrillReport, DrillStats};

/// What drills came to.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DrillsBody<'a> {
    /// Nobody agreed to them.
    Declined {
        /// Says so.
        result: Declined,
    },
    /// Some ran, or earlier ones are shown.
    Done {
        /// The record of each run.
        report: &'a DrillReport,
        /// What each drill came to.
        stats: Vec<DrillStats>,
        /// The same beside earlier results.
        comparison: Option<&'a Comparison>,
    },
}

/// The one result that is no record.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Declined {
    /// Nobody agreed.
    Declined,
}
