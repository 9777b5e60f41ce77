//! A node's part where all nodes change at once.

use std::time::Duration;

/// A node's part in a change that all make at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It goes on alone, and loads the new configuration once the others are silent.
    Keeper,
    /// It stops keepalived, and starts it once the keeper has loaded the new configuration.
    Silent,
}

/// How a node takes its part.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    /// Which.
    pub part: Part,
    /// How long it waits for the others.
    pub patience: Duration,
}

impl Switch {
    /// In a change that has `time` until hosts undo it.
    pub fn within(time: Duration, part: Part) -> Self {
        let patience = (time / 3).min(Duration::from_secs(30));
        Self {
            part,
            patience: patience.max(Duration::from_secs(1)),
        }
    }
}
