//! What went wrong, and mistakes with their places.

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Finding;
use crate::inventory::Place;
use crate::model::NodeName;

/// Something that went wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ErrorRecord {
    /// The nodes that it concerns.
    pub nodes: Vec<NodeName>,
    /// What is wrong.
    pub message: String,
    /// What others said about it.
    pub details: Vec<String>,
    /// What to do.
    pub help: Vec<String>,
    /// The inventory, where it is its mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What makes the inventory unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistakes: Option<Vec<Mistake>>,
    /// The rules that the inventory breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<PlacedFinding>>,
}

/// Something in an inventory that cannot be understood.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where.
    pub place: Option<Place>,
}

/// A broken rule with its place in the inventory's text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlacedFinding {
    /// The broken rule.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where.
    pub place: Place,
}
