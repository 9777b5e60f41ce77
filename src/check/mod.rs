//! Rules with their texts and checks, and an exhaustive simulation of the VRRP election.
//!
//! Everything here is pure: a cluster and evidence in, findings out, each with its rule, its place, what is wrong and
//! the fix. [`rules`] returns every rule that hactl knows, so that all modules refer to rules in the same way.
//!
//! This module does not know about connections, files, YAML or terminals. Its evidence is what was observed on hosts,
//! what `health` concludes from that, and what a plan would do. Rules do not know how it was gathered.

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
