//! Errors, and mistakes with their places in the inventory.

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Finding;
use crate::inventory::Place;
use crate::model::NodeName;

/// An error.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ErrorRecord {
    /// The affected nodes.
    pub nodes: Vec<NodeName>,
    /// What is wrong.
    pub message: String,
    /// Details, such as the output of a program.
    pub details: Vec<String>,
    /// What to do.
    pub help: Vec<String>,
    /// The inventory file, if it is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why the inventory cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistakes: Option<Vec<Mistake>>,
    /// Rules that the inventory violates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<PlacedFinding>>,
}

/// Something in an inventory that cannot be parsed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Its place.
    pub place: Option<Place>,
}

/// A rule violation with its place in the inventory's text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlacedFinding {
    /// The violation.
    #[serde(flatten)]
    pub finding: Finding,
    /// Its place.
    pub place: Place,
}
