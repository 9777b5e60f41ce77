//! Decides whether a state is wrong, and how.

use std::fmt;

use super::event::ElectionEvent;
use super::model::{Election, State};
use crate::model::NodeName;

/// A stable state that leaves clients without service although a node could serve them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Verdict {
    /// The VIP is on a node whose nginx is dead, although another node is healthy.
    OnDeadNginx {
        /// The owner of the VIP.
        owner: NodeName,
        /// The priority that it advertises.
        owner_priority: u8,
        /// The healthy node with the highest priority.
        healthy: NodeName,
        /// Its effective priority.
        healthy_priority: u8,
        /// The owner had the VIP before the last event.
        stays: bool,
    },
    /// Nobody owns the VIP although a node could.
    NoOwner {
        /// A node that takes part in the election.
        candidate: NodeName,
    },
    /// Several nodes own the VIP.
    Several {
        /// All owners.
        owners: Vec<NodeName>,
    },
}

/// A wrong state, and the shortest way to it from the all-healthy one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The events, in order.
    pub events: Vec<ElectionEvent>,
    /// What is wrong in the end.
    pub verdict: Verdict,
    /// Whether a node of higher priority may take the VIP from its owner.
    pub preempt: bool,
}

impl Election {
    /// What is wrong with `state`, which follows `before`.
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
                write!(f, "the VIP has no owner, although {candidate} could own it")
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
