//! What is wrong with a state, if anything.

use std::fmt;

use super::event::ElectionEvent;
use super::model::{Election, State};
use crate::model::NodeName;

/// A settled state that leaves clients without service although there is a way to serve them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Verdict {
    /// The VIP is on a node whose nginx is dead, and a healthy node stands by.
    OnDeadNginx {
        /// The node that has the VIP.
        owner: NodeName,
        /// The priority that it adverts.
        owner_priority: u8,
        /// The best healthy node.
        healthy: NodeName,
        /// The priority that it stands with.
        healthy_priority: u8,
        /// The owner had it before the last event.
        stays: bool,
    },
    /// Nobody has the VIP although a node stands for it.
    NoOwner {
        /// A node that stands for it.
        candidate: NodeName,
    },
    /// More than one node has the VIP.
    Several {
        /// All that have it.
        owners: Vec<NodeName>,
    },
}

/// A wrong state and the shortest way into it from the all-healthy one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The events, in order.
    pub events: Vec<ElectionEvent>,
    /// What is wrong in the end.
    pub verdict: Verdict,
    /// Whether a better node may take the VIP from its owner.
    pub preempt: bool,
}

impl Election {
    /// What is wrong with `state`, which `before` led to.
    pub(in crate::check) fn judge(&self, before: State, state: State) -> Option<Verdict> {
        let priority = |index| self.effective_priority(index, state.serving.contains(index));
        let name = |index: usize| Some(self.contenders.get(index)?.node.clone());
        let best_of =
            |nodes: super::model::Nodes| nodes.iter().max_by_key(|index| priority(*index));

        if state.owners.len() > 1 {
            let owners = state.owners.iter().filter_map(name).collect();
            return Some(Verdict::Several { owners });
        }
        let Some(owner) = state.owners.iter().next() else {
            let candidate = state.up.iter().find(|index| priority(*index).is_some())?;
            return Some(Verdict::NoOwner {
                candidate: name(candidate)?,
            });
        };
        if state.serving.contains(owner) {
            return None;
        }
        let healthy = best_of(state.serving)?;
        Some(Verdict::OnDeadNginx {
            owner: name(owner)?,
            owner_priority: priority(owner)?,
            healthy: name(healthy)?,
            healthy_priority: priority(healthy)?,
            stays: before.owners.contains(owner),
        })
    }
}

impl fmt::Display for Violation {
    /// `nginx dies on lb2; nginx dies on lb1 -> the VIP stays on lb1 (80), since …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.events.is_empty() {
            f.write_str("all healthy")?;
        }
        for (position, event) in self.events.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{event}")?;
        }
        f.write_str(" -> ")?;
        match &self.verdict {
            Verdict::OnDeadNginx {
                owner,
                owner_priority,
                healthy,
                healthy_priority,
                stays,
            } => {
                let verb = if *stays { "stays on" } else { "goes to" };
                write!(
                    f,
                    "the VIP {verb} {owner} ({owner_priority}), whose nginx is dead, since "
                )?;
                if *stays && !self.preempt {
                    write!(
                        f,
                        "nopreempt lets healthy {healthy} ({healthy_priority}) accept its adverts"
                    )
                } else {
                    write!(f, "healthy {healthy}'s {healthy_priority} is not higher")
                }
            }
            Verdict::NoOwner { candidate } => {
                write!(
                    f,
                    "the VIP has no owner, although {candidate} stands for it"
                )
            }
            Verdict::Several { owners } => {
                let names: Vec<_> = owners.iter().map(NodeName::as_str).collect();
                let names = names.join(" and ");
                write!(
                    f,
                    "the VIP is on {names}, which cannot be told apart by priority or address"
                )
            }
        }
    }
}
