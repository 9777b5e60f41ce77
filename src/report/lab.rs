//! What `lab up`, `lab down` and `lab status` say.

use schemars::JsonSchema;
use serde::Serialize;

use crate::lab::LabStatus;

/// A lab that has come up.
#[derive(Serialize, JsonSchema)]
pub struct LabUpBody<'a> {
    /// It.
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
    /// Each.
    pub labs: &'a [LabStatus],
}
