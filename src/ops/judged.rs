//! Findings about the hosts and what runs on them.

use crate::agent::Observation;
use crate::check::{self, ClusterEvidence, Finding, Rule};
use crate::health::Problem;
use crate::model::Cluster;

/// Rules that the hosts violate, whatever runs on them.
pub(super) fn of_hosts(cluster: &Cluster, seen: &[Observation]) -> Vec<Finding> {
    check::of_hosts(&ClusterEvidence {
        cluster,
        seen,
        problems: &[],
        strangers: &[],
    })
}

/// Rules that the running cluster violates, and problems that no rule covers: nothing is reported twice.
pub(super) fn of_running(
    cluster: &Cluster,
    seen: &[Observation],
    problems: Vec<Problem>,
) -> (Vec<Finding>, Vec<Problem>) {
    let findings = check::of_running(&ClusterEvidence {
        cluster,
        seen,
        problems: &problems,
        strangers: &[],
    });
    let is_no_rules = |problem: &Problem| Rule::of_problem(problem).is_none();
    let others = problems.into_iter().filter(is_no_rules).collect();
    (findings, others)
}
