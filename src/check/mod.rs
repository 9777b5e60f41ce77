//! Rules over a cluster, and the VRRP election simulated exhaustively.
//!
//! [`run`] is pure: it reads a [`Cluster`](crate::model::Cluster) and yields findings, each with its
//! rule, its place in the inventory, what is wrong and what to do. [`rules`] is every rule that hactl
//! knows, those that need a host or a plan included, so that all of hactl names a rule the same way.
//!
//! This module knows nothing of hosts, files, YAML or terminals. A rule that needs a host is listed
//! here and checked where the host is looked at.

mod docs;
mod election;
mod families;
mod finding;
mod keywords;
mod places;
mod prediction;
pub mod registry;
mod rule;
mod run;
mod takeover;
#[cfg(test)]
mod testing;

pub use docs::rules_page;
pub use election::{Contender, Election, ElectionEvent, EventKind, Simulation, Verdict, Violation};
pub use families::upstreams::Unreached;
pub use finding::{Finding, Severity};
pub use prediction::{Cost, FaultCost, Prediction, predictions};
pub use registry::rules;
pub use rule::{Coverage, Rule, When};
pub use run::{
    default_profile, is_too_old_for_profile, keepalived_version, names_to_resolve, password, run,
    unreached_servers, unresolved_names,
};
pub use takeover::{Fault, Gap, Takeover, takeovers};
