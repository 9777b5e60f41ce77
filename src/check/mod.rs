//! Rules: what each says, and the check that it is. The VRRP election simulated exhaustively.
//!
//! Everything here is pure: a cluster and evidence in, findings out, each with its rule, its place, what is
//! wrong and what to do. [`rules`] is every rule that hactl knows, so that all of hactl names a rule the same way.
//!
//! This module knows nothing of connections, files, YAML or terminals. What hosts were seen to be, what `health` makes of
//! that and what a plan would do are evidence; how it was gathered is no business of a rule.

#[macro_use]
mod table;
mod docs;
mod election;
mod evidence;
mod families;
mod keywords;
mod places;
mod prediction;
mod registry;
mod rule;
mod run;
mod takeover;
#[cfg(test)]
mod testing;

pub use docs::rules_page;
pub use election::{Contender, Election, ElectionEvent, EventKind, Simulation, Verdict, Violation};
pub use evidence::{ClusterEvidence, HostEvidence, PlanEvidence, Stranger, VersionEvidence};
pub use prediction::{Cost, FaultCost, Prediction, predictions};
pub use registry::rules;
pub use rule::{Check, Finding, Findings, Rule, Severity};
pub use run::{
    is_too_old_for_profile, keepalived_version, names_to_resolve, of_hosts, of_plan, of_running,
    password, run,
};
pub use takeover::{Fault, Gap, Takeover, takeovers};
