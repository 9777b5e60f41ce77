//! Every checked rule with a cluster that trips it and one, as near to it as possible, that doesn't.

use crate::check::{Finding, Rule, run};
use crate::model::Cluster;

use super::keepalived_cases::KEEPALIVED_CASES;
use super::nginx_cases::NGINX_CASES;
use super::running_cases::RUNNING_CASES;
use super::sample::sample;

/// One rule's two sides.
pub(in crate::check) struct Case {
    /// The rule.
    pub(in crate::check) rule: &'static Rule,
    /// Findings of a cluster that breaks it.
    pub(in crate::check) trips: fn() -> Vec<Finding>,
    /// Findings of one that just doesn't.
    pub(in crate::check) passes: fn() -> Vec<Finding>,
}

/// All cases.
pub(in crate::check) fn cases() -> impl Iterator<Item = &'static Case> {
    let of_inventories = KEEPALIVED_CASES.iter().chain(NGINX_CASES);
    of_inventories.chain(RUNNING_CASES)
}

/// Findings of the sample, changed.
pub(super) fn with(change: fn(&mut Cluster)) -> Vec<Finding> {
    let mut cluster = sample();
    change(&mut cluster);
    run(&cluster)
}
