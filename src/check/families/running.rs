//! Rules that a running cluster violates (DR001 to DR003, KA020).

use super::scripts::rule_of;
use crate::check::evidence::ClusterEvidence;
use crate::check::places;
use crate::check::rule::{Finding, Findings, Rule};
use crate::health::Problem;

rules! { RULES:
DR001 {
    Error, [Running(broken)],
    title: "a VIP has no owner, or more than one",
    reason: "Clients reach no node, or flip between nodes.",
    fix: "read `journalctl -u keepalived` on the nodes, and check that they hear each other (IP protocol 112)",
}
DR002 {
    Error, [Running(broken)],
    title: "the owner is unhealthy while a peer is healthy",
    reason: "The failover did not happen.",
    fix: "check on the owner that the check script runs, what it returns, and what keepalived logs about it",
}
DR003 {
    Error, [Running(broken)],
    title: "the VIP is up where keepalived is not running",
    reason: "A killed keepalived leaves the address behind: two owners until it starts again (measured).",
    fix: "start keepalived there, or remove the address",
}
KA020 {
    Error, [Running(broken)],
    title: "nodes disagree on virtual_router_id, version, interval or VIPs",
    reason: "A difference in any of these makes two owners. One inventory renders all nodes alike, so the node was changed by hand or has not converged yet.",
    fix: "apply the inventory on all nodes",
}
}

impl Rule {
    /// The rule that a running cluster violates with `problem`.
    pub fn of_problem(problem: &Problem) -> Option<&'static Self> {
        match problem {
            Problem::NoOwner { .. } | Problem::SeveralOwners { .. } => Some(&DR001),
            Problem::OwnerCannotServe { .. } => Some(&DR002),
            Problem::Orphaned { .. } => Some(&DR003),
            Problem::Mismatch { .. } => Some(&KA020),
            Problem::ScriptUnusable { script, .. } => Some(rule_of(script)),
            Problem::DaemonDown { .. }
            | Problem::NotElectable { .. }
            | Problem::SourceMissing { .. }
            | Problem::Unreachable { .. }
            | Problem::Dropped { .. }
            | Problem::WrongHardware { .. }
            | Problem::NotReached { .. }
            | Problem::OtherGeneration { .. }
            | Problem::NotServed { .. } => None,
        }
    }
}

/// Turns the problems found by `health` into findings.
fn broken(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for problem in evidence.problems {
        if let Some(rule) = Rule::of_problem(problem) {
            findings.push(finding(rule, problem, evidence));
        }
    }
}

fn finding(rule: &'static Rule, problem: &Problem, evidence: &ClusterEvidence<'_>) -> Finding {
    let cluster = evidence.cluster;
    let path = match (problem.node(), problem.vip()) {
        (Some(node), _) => places::node(cluster, node),
        (None, Some(vip)) => places::vip(cluster, vip),
        (None, None) => places::nodes(),
    };
    let finding = Finding {
        node: problem.node().cloned(),
        vip: problem.vip(),
        ..Finding::new(rule, path, problem.to_string())
    };
    if is_explained(problem, evidence.problems) {
        return finding.fix("correct what keeps the nodes out of the election");
    }
    finding
}

/// True for a VIP without an owner if it is known why nodes cannot be elected.
fn is_explained(problem: &Problem, all: &[Problem]) -> bool {
    let is_cause = |other: &Problem| matches!(other, Problem::NotElectable { causes, .. } if !causes.is_empty());
    matches!(problem, Problem::NoOwner { .. }) && all.iter().any(is_cause)
}
