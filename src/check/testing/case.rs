//! For every rule with a check, a cluster that violates it, and one as similar as possible that does not.

use crate::check::{Finding, Rule, run};
use crate::model::Cluster;

use super::keepalived_cases::KEEPALIVED_CASES;
use super::nginx_cases::NGINX_CASES;
use super::preflight_cases::PREFLIGHT_CASES;
use super::running_cases::RUNNING_CASES;
use super::sample::sample;

/// Both sides of a rule.
pub(in crate::check) struct Case {
    /// The rule.
    pub(in crate::check) rule: &'static Rule,
    /// Findings of a cluster that violates it.
    pub(in crate::check) trips: fn() -> Vec<Finding>,
    /// Findings of a cluster that only just does not.
    pub(in crate::check) passes: fn() -> Vec<Finding>,
}

pub(in crate::check) fn cases() -> impl Iterator<Item = &'static Case> {
    let of_inventories = KEEPALIVED_CASES.iter().chain(NGINX_CASES);
    of_inventories.chain(RUNNING_CASES).chain(PREFLIGHT_CASES)
}

/// Findings of the modified sample.
pub(super) fn with(change: fn(&mut Cluster)) -> Vec<Finding> {
    let mut cluster = sample();
    change(&mut cluster);
    run(&cluster)
}
