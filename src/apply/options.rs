//! How a plan is carried out.

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
    /// A person, while the hosts' timers run: `hactl confirm` or `hactl cancel`.
    Manual,
}

impl Confirmation {
    /// As a host keeps it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Who confirms.
    pub confirm: Confirmation,
    /// Tells this process from any other one, for who runs on this machine.
    pub origin: String,
    /// A host rolls back what was not confirmed within this time.
    pub confirm_timeout: Duration,
    /// How much longer hosts may take to decide among themselves once their timers have ended.
    pub settle_time: Duration,
    /// How long a node waits for an advert before it takes a VIP, at most. Where all nodes change at once, one that
    /// does not hear the others shows only then.
    pub election_time: Duration,
    /// By which the nodes of this change know each other; none where nothing is activated.
    pub peer_key: Option<PeerKey>,
    /// What the nodes ask each other for, to see that each can be reached.
    pub peer_ports: Vec<PeerDoor>,
    /// Programs of the user's that the nodes' scripts call.
    pub hooks: Vec<HostPath>,
    /// What was wrong before, which the change is not failed for.
    pub before: Vec<Problem>,
    /// Who applies what.
    pub provenance: Provenance,
}
