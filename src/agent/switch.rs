//! A node's part in a simultaneous change of all nodes.

use std::time::Duration;

/// A node's part in a simultaneous change of all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Stays master, and reloads with the new configuration once the other nodes are silent.
    Keeper,
    /// Stops keepalived, and starts it once the keeper has loaded the new configuration.
    Silent,
}

/// A node's part, with its time limit.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    pub part: Part,
    /// How long to wait for the other nodes.
    pub patience: Duration,
}

impl Switch {
    /// For a change that hosts roll back after `time`.
    pub fn within(time: Duration, part: Part) -> Self {
        let patience = (time / 3).min(Duration::from_secs(30));
        Self {
            part,
            patience: patience.max(Duration::from_secs(1)),
        }
    }
}
