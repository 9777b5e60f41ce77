//! The document of `failover-test`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::drill::{Comparison, DrillReport, DrillStats};

/// The results of drills.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DrillsBody<'a> {
    /// The user declined.
    Declined {
        /// Always `declined`.
        result: Declined,
    },
    /// Drills ran, or earlier results are shown.
    Done {
        /// The record of each run.
        report: &'a DrillReport,
        /// Statistics of each drill.
        stats: Vec<DrillStats>,
        /// The comparison with earlier results.
        comparison: Option<&'a Comparison>,
    },
}

/// The only result without a record.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Declined {
    /// The user declined.
    Declined,
}
