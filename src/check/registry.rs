//! Every rule that hactl knows, collected from the families.

use super::families::{
    addresses, course, files, fitness, health, kernel, limits, network, password, priority_order,
    protocol, raw, running, scripts, servers, simulation, sockets, upstreams, versions, wire,
};
use super::rule::{Check, Rule};
use crate::model::UnitId;
use crate::plan::RunningDrift;

/// All rules, by id.
pub fn rules() -> Vec<&'static Rule> {
    let families = [
        addresses::RULES,
        course::RULES,
        files::RULES,
        fitness::RULES,
        health::RULES,
        kernel::RULES,
        priority_order::RULES,
        limits::RULES,
        network::RULES,
        password::RULES,
        protocol::RULES,
        raw::RULES,
        running::RULES,
        scripts::RULES,
        servers::RULES,
        simulation::RULES,
        sockets::RULES,
        upstreams::RULES,
        versions::RULES,
        wire::RULES,
    ];
    let mut rules: Vec<_> = families.concat();
    rules.sort_by_key(|rule| rule.id);
    rules
}

impl Rule {
    /// The rule that `unit`'s own configuration test checks.
    pub fn of_test(unit: UnitId) -> Option<&'static Self> {
        let is_it = |check: &Check| matches!(check, Check::DaemonTest(own) if *own == unit);
        rules().into_iter().find(|rule| rule.checks().any(is_it))
    }

    /// The rule that `drift` violates.
    pub fn of_drift(drift: &RunningDrift) -> Option<&'static Self> {
        let is_it = |check: &Check| matches!(check, Check::Drift(is_it) if is_it(drift));
        rules().into_iter().find(|rule| rule.checks().any(is_it))
    }
}
