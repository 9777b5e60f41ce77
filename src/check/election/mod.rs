//! The VRRP election as keepalived runs it, and every state that a cluster can reach.
//!
//! Events come one at a time, in a network that is not split and delivers all adverts. That finds what a
//! configuration does wrong on its own. Split networks and killed daemons are left to the drills.

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
