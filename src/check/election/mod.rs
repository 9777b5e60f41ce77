//! The VRRP election as keepalived holds it, and every state that a cluster can get into.
//!
//! One event at a time, the network whole and adverts delivered: this finds what a configuration
//! does wrong on its own. What a split network or a killed keepalived does is the drills' business.

mod event;
mod model;
mod search;
mod verdict;

pub use event::{ElectionEvent, EventKind};
pub use model::{Contender, Election};
pub use search::Simulation;
pub use verdict::{Verdict, Violation};

pub(in crate::check) use model::Nodes;

#[cfg(test)]
mod tests;
