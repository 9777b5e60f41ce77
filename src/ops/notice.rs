//! Things that a host tells about earlier changes, and that the user should know first.

use crate::agent::Observation;
use crate::model::NodeName;

/// One such thing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Notice {
    /// A change lies unfinished on the host; its timer will undo it unless its owner confirms it.
    Unfinished {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// How far it got.
        phase: String,
    },
    /// The host undid the last change by itself.
    Undone {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// Why.
        why: String,
    },
    /// A drill's fault is armed on the host.
    Drilling {
        /// The node.
        node: NodeName,
        /// The fault.
        name: String,
        /// Since when, UTC.
        since: String,
        /// The host ends it within so many seconds; with 0 it could not so far.
        seconds_left: u64,
    },
    /// Somebody else works on the host.
    Locked {
        /// The node.
        node: NodeName,
        /// `user@machine`.
        holder: String,
        /// Since when, UTC.
        since: String,
    },
}

/// What `seen` tells.
pub(super) fn notices(seen: &[Observation]) -> Vec<Notice> {
    let mut found = Vec::new();
    for host in seen {
        let node = || host.node.clone();
        if let Some(journal) = &host.journal {
            found.push(Notice::Unfinished {
                node: node(),
                tx: journal.tx.clone(),
                phase: journal.phase.clone(),
            });
        }
        if let Some(outcome) = host
            .outcome
            .as_ref()
            .filter(|outcome| outcome.result == "expired")
        {
            found.push(Notice::Undone {
                node: node(),
                tx: outcome.tx.clone(),
                why: outcome.why.clone(),
            });
        }
        if let Some(drill) = &host.drill {
            found.push(Notice::Drilling {
                node: node(),
                name: drill.name.clone(),
                since: drill.since.clone(),
                seconds_left: drill.seconds_left,
            });
        }
        if let Some(lock) = host.lock.as_ref().filter(|lock| !lock.stale) {
            found.push(Notice::Locked {
                node: node(),
                holder: lock.holder.clone(),
                since: lock.since.clone(),
            });
        }
    }
    found
}
