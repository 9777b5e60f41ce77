//! The documents of `lab up`, `lab down` and `lab status`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::lab::LabStatus;

/// A lab that was created.
#[derive(Serialize, JsonSchema)]
pub struct LabUpBody<'a> {
    /// The lab.
    pub lab: &'a LabStatus,
}

/// The labs that were removed.
#[derive(Serialize, JsonSchema)]
pub struct LabDownBody<'a> {
    /// Their names.
    pub removed: &'a [String],
}

/// The labs of this machine.
#[derive(Serialize, JsonSchema)]
pub struct LabStatusBody<'a> {
    /// All labs.
    pub labs: &'a [LabStatus],
}
