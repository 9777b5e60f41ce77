//! What rules say of the hosts and of what runs there.

use crate::agent::Observation;
use crate::check::{self, ClusterEvidence, Finding, Rule};
use crate::health::Problem;
use crate::model::Cluster;

/// Rules that hosts break by what they are, whatever runs there.
pub(super) fn of_hosts(cluster: &Cluster, seen: &[Observation]) -> Vec<Finding> {
    check::of_hosts(&ClusterEvidence {
        cluster,
        seen,
        problems: &[],
        strangers: &[],
    })
}

/// Rules that the running cluster breaks, and the problems that are no rule's: each thing is told once.
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
