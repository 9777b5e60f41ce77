//! What a running cluster breaks (DR001 to DR003, KA020).

use super::scripts::rule_of;
use crate::check::evidence::ClusterEvidence;
use crate::check::places;
use crate::check::rule::{Finding, Findings, Rule};
use crate::health::Problem;

rules! { RULES:
DR001 {
    Error, [Running(broken)],
    title: "a VIP has no owner, or more than one",
    reason: "Clients reach nobody, or now this node and now that.",
    fix: "look at `journalctl -u keepalived` on the nodes, and at whether they hear each other (IP protocol 112)",
}
DR002 {
    Error, [Running(broken)],
    title: "the owner is unhealthy while a peer is healthy",
    reason: "The failover did not come.",
    fix: "look at the check on the owner: whether it runs, what it returns, what keepalived makes of it",
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
    reason: "Any of these being different makes two owners. One inventory renders all nodes alike, so this is a node changed by hand or not yet converged.",
    fix: "apply the inventory on all nodes",
}
}

impl Rule {
    /// The rule that a running cluster breaks with `problem`.
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

/// What `health` says of the cluster, as findings of rules.
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

/// True for a VIP without an owner where nodes are known to be kept from being elected.
fn is_explained(problem: &Problem, all: &[Problem]) -> bool {
    let is_cause = |other: &Problem| matches!(other, Problem::NotElectable { causes, .. } if !causes.is_empty());
    matches!(problem, Problem::NoOwner { .. }) && all.iter().any(is_cause)
}
