//! Options for carrying out a plan.

use std::time::Duration;

use crate::agent::{PeerDoor, PeerKey};
use crate::health::Problem;
use crate::model::HostPath;
use crate::plan::Provenance;

/// Who confirms a change that is active and proven on all nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confirmation {
    /// hactl, at once.
    #[default]
    Auto,
    /// The operator, while the hosts' timers run: `hactl confirm` or `hactl cancel`.
    Manual,
}

impl Confirmation {
    /// Its representation on a host.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Who confirms.
    pub confirm: Confirmation,
    /// Identifies this process for others on this machine.
    pub origin: String,
    /// Time after which a host rolls back an unconfirmed change.
    pub confirm_timeout: Duration,
    /// Additional time for hosts to decide among themselves once their timers have fired.
    pub settle_time: Duration,
    /// Longest time that a backup waits for an advertisement before it takes over. If all nodes change at once, one
    /// that does not hear its peers shows only after that.
    pub election_time: Duration,
    /// Authenticates the nodes of this change to each other. `None` if nothing is activated.
    pub peer_key: Option<PeerKey>,
    /// Ports on which nodes probe each other, to verify that each can be reached.
    pub peer_ports: Vec<PeerDoor>,
    /// Programs of the user that the nodes' scripts call.
    pub hooks: Vec<HostPath>,
    /// Problems from before the change, for which it does not fail.
    pub before: Vec<Problem>,
    /// Who applies what.
    pub provenance: Provenance,
}
