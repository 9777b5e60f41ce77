//! Whether a change is possible without the unreachable nodes.

use crate::agent::AgentError;
use crate::model::NodeName;

/// Whether a change is possible if unreachable nodes are excluded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum WithoutThem {
    /// The remaining nodes can be changed.
    Possible {
        /// The remaining nodes.
        others: Vec<NodeName>,
        /// Their live generation.
        live: Option<u64>,
    },
    /// The remaining nodes already match the inventory.
    NothingToDo,
    /// All must be changed at once.
    AllMust {
        /// What the nodes would disagree on.
        reason: String,
    },
    /// It cannot be determined.
    Unknown,
}

impl WithoutThem {
    pub(super) fn hint(&self, errors: &[AgentError]) -> String {
        let down: Vec<_> = errors
            .iter()
            .map(|error| error.node().to_string())
            .collect();
        let down = down.join(", ");
        match self {
            Self::Possible { others, live } => {
                let others: Vec<_> = others.iter().map(NodeName::as_str).collect();
                let kept = live.map_or_else(
                    || "the configuration that it has".to_owned(),
                    |live| format!("generation {live} or an earlier one"),
                );
                format!(
                    "add `--limit {}` to change the others: {down} then keeps {kept}, and is behind until it answers and you apply again",
                    others.join(",")
                )
            }
            Self::NothingToDo => format!("the others need no change: bring {down} back"),
            Self::AllMust { reason } => format!(
                "this change cannot be made without {down}, since {reason}: bring it back, or take it out of the inventory"
            ),
            Self::Unknown => String::new(),
        }
    }
}
