//! Events in the simulation of an election.

use std::fmt;

use crate::model::NodeName;

/// The kinds of events.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// nginx stops serving.
    NginxDies,
    /// The host or its link is gone.
    NodeDies,
    /// nginx serves again.
    NginxReturns,
    /// The host is back, with a healthy nginx.
    NodeReturns,
    /// The host is back, and its nginx does not serve.
    NodeReturnsWithoutNginx,
}

/// An event on one node while the others stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
pub struct ElectionEvent {
    /// The kind of event.
    pub event: EventKind,
    /// The node.
    pub node: NodeName,
}

impl fmt::Display for ElectionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = &self.node;
        match self.event {
            EventKind::NginxDies => write!(f, "nginx dies on {node}"),
            EventKind::NodeDies => write!(f, "{node} dies"),
            EventKind::NginxReturns => write!(f, "nginx returns on {node}"),
            EventKind::NodeReturns => write!(f, "{node} returns"),
            EventKind::NodeReturnsWithoutNginx => write!(f, "{node} returns without nginx"),
        }
    }
}
