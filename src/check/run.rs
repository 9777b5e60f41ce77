//! Runs the rules for which there is evidence.

use std::collections::BTreeSet;

use super::evidence::{ClusterEvidence, HostEvidence, PlanEvidence, VersionEvidence};
use super::families::{servers, versions};
use super::registry::rules;
use super::rule::{Check, Finding, Findings};
use crate::model::{Cluster, Secrets, Version};

/// Runs the rules that need only the inventory. The most severe findings come first, then by rule and place.
pub fn run(cluster: &Cluster) -> Findings {
    each(|check, found| {
        if let Check::Inventory(check) = check {
            check(cluster, found);
        }
    })
}

/// Checks VRRP's password after it was fetched. No finding contains any part of it.
pub fn password(cluster: &Cluster, secrets: &Secrets) -> Findings {
    each(|check, found| {
        if let Check::Secrets(check) = check {
            check(cluster, secrets, found);
        }
    })
}

/// Checks the version of a node's keepalived.
pub fn keepalived_version(evidence: &VersionEvidence<'_>) -> Findings {
    each(|check, found| {
        if let Check::Version(check) = check {
            check(evidence, found);
        }
    })
}

/// Checks the hosts, one by one and together. An error means that nothing may be changed.
pub fn of_hosts(evidence: &ClusterEvidence<'_>) -> Findings {
    each(|check, found| match check {
        Check::Host(check) => {
            for seen in evidence.seen {
                if let Some(node) = evidence.cluster.node(&seen.node) {
                    let cluster = evidence.cluster;
                    let host = HostEvidence {
                        cluster,
                        node,
                        seen,
                    };
                    check(&host, found);
                }
            }
        }
        Check::Cluster(check) | Check::Fitness(check) => check(evidence, found),
        _ => {}
    })
}

/// Checks the running cluster.
pub fn of_running(evidence: &ClusterEvidence<'_>) -> Findings {
    each(|check, found| {
        if let Check::Running(check) = check {
            check(evidence, found);
        }
    })
}

/// Checks a plan. An error means that it must not be carried out.
pub fn of_plan(evidence: &PlanEvidence<'_>) -> Findings {
    each(|check, found| {
        if let Check::Plan(check) = check {
            check(evidence, found);
        }
    })
}

/// Host names that nginx resolves when it starts, in servers and in raw snippets.
pub fn names_to_resolve(cluster: &Cluster) -> BTreeSet<String> {
    let names = servers::resolved_at_start(cluster);
    names.into_iter().map(|(_, name)| name).collect()
}

/// Whether this keepalived is too old for the cluster's failover profile (KA058).
pub fn is_too_old_for_profile(cluster: &Cluster, version: Version) -> bool {
    versions::waits_for_three_only(cluster, version)
}

/// Runs the checks of each rule, and keeps the findings of that rule.
fn each(mut run: impl FnMut(&Check, &mut Findings)) -> Findings {
    let mut findings = Findings::new();
    for rule in rules() {
        let mut found = Findings::new();
        rule.checks().for_each(|check| run(check, &mut found));
        findings.extend(found.into_iter().filter(|one| one.rule == rule));
    }
    sorted(findings)
}

fn sorted(mut findings: Findings) -> Findings {
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| (finding.rule.id, finding.path.clone());
        let worst_first = other.severity().cmp(&one.severity());
        worst_first.then_with(|| key(one).cmp(&key(other)))
    });
    findings
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
