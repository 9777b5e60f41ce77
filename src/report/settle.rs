//! What `confirm` and `cancel` say.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::change::FailureRecord;
use crate::agent::Outcome;
use crate::apply::Event;
use crate::model::NodeName;
use crate::ops::{ChangeSeen, Stamped};

/// A pending change and its end.
#[derive(Serialize, JsonSchema)]
pub struct SettleBody<'a> {
    /// The change that was found.
    pub change: Option<&'a ChangeSeen>,
    /// What happened.
    pub events: &'a [Stamped<Event>],
    /// How it ended.
    pub outcome: SettleOutcome<'a>,
}

/// How it ended.
#[derive(Serialize, JsonSchema)]
pub struct SettleOutcome<'a> {
    /// The end.
    #[serde(flatten)]
    pub result: SettleResult<'a>,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// The end of a pending change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum SettleResult<'a> {
    /// No change was pending.
    NothingUnderWay {
        /// How the last change ended, by node.
        last: BTreeMap<&'a NodeName, &'a Outcome>,
    },
    /// Every node keeps it.
    Confirmed,
    /// Every node is as it was before.
    Undone,
    /// Nothing was decided: it is still pending.
    Waiting {
        /// Why, if something failed.
        failure: Option<FailureRecord<'a>>,
    },
    /// Neither, or it is unknown.
    Mixed {
        /// Why, if something failed.
        failure: Option<FailureRecord<'a>>,
        /// What the operator has to look at.
        problems: &'a [String],
    },
}
