//! The documents of `confirm` and `cancel`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::change::FailureRecord;
use crate::agent::Outcome;
use crate::apply::Event;
use crate::model::NodeName;
use crate::ops::{ChangeSeen, Stamped};

/// A pending change and its outcome.
#[derive(Serialize, JsonSchema)]
pub struct SettleBody<'a> {
    /// The change, if there was one.
    pub change: Option<&'a ChangeSeen>,
    /// The events.
    pub events: &'a [Stamped<Event>],
    /// How it ended.
    pub outcome: SettleOutcome<'a>,
}

/// The outcome of `confirm` or `cancel`.
#[derive(Serialize, JsonSchema)]
pub struct SettleOutcome<'a> {
    /// The result.
    #[serde(flatten)]
    pub result: SettleResult<'a>,
    /// Duration, in milliseconds.
    pub elapsed_ms: u64,
}

/// The result of `confirm` or `cancel`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum SettleResult<'a> {
    /// No change was pending.
    NothingUnderWay {
        /// The outcome of the last change, by node.
        last: BTreeMap<&'a NodeName, &'a Outcome>,
    },
    /// Every node has committed it.
    Confirmed,
    /// Every node has been rolled back.
    Undone,
    /// Nothing was decided: it is still pending.
    Waiting {
        /// The failure, if any.
        failure: Option<FailureRecord<'a>>,
    },
    /// The nodes differ, or their state is unknown.
    Mixed {
        /// The failure, if any.
        failure: Option<FailureRecord<'a>>,
        /// What the operator has to look at.
        problems: &'a [String],
    },
}
