//! All families over one cluster.

use std::collections::BTreeSet;

use super::families;
use super::families::upstreams::Unreached;
use super::finding::Finding;
use crate::model::{Cluster, Node, NodeName, Secrets, Version};

/// Everything that can be said of `cluster` from the inventory alone, in the inventory's order of
/// importance: errors first, then by rule and place.
pub fn run(cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    families::ladder::check(cluster, &mut findings);
    families::simulation::check(cluster, &mut findings);
    families::protocol::check(cluster, &mut findings);
    families::addresses::check(cluster, &mut findings);
    families::health::check(cluster, &mut findings);
    families::raw::check(cluster, &mut findings);
    families::upstreams::check(cluster, &mut findings);
    families::sockets::check(cluster, &mut findings);
    families::kernel::check(cluster, &mut findings);
    sorted(findings)
}

/// What `node`'s keepalived is too old for (KA006, KA023, KA052, KA057, KA058), once its version is known.
pub fn keepalived_version(cluster: &Cluster, node: &Node, version: Version) -> Vec<Finding> {
    let mut findings = Vec::new();
    families::versions::check(cluster, node, version, &mut findings);
    sorted(findings)
}

/// Servers of upstreams, and hosts in raw snippets, whose names nodes cannot resolve (NG017): `unresolved` has each node's names.
pub fn unresolved_names(cluster: &Cluster, unresolved: &[(NodeName, Vec<String>)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    families::upstreams::names(cluster, unresolved, &mut findings);
    sorted(findings)
}

/// The names of hosts that nginx resolves when it starts, in servers and in raw snippets.
pub fn names_to_resolve(cluster: &Cluster) -> BTreeSet<String> {
    let names = families::upstreams::resolved_at_start(cluster);
    names.into_iter().map(|(_, name)| name).collect()
}

/// Servers in service that nodes cannot connect to (NG018, NG019).
pub fn unreached_servers(cluster: &Cluster, unreached: &[Unreached]) -> Vec<Finding> {
    let mut findings = Vec::new();
    families::upstreams::connections(cluster, unreached, &mut findings);
    sorted(findings)
}

/// Whether this keepalived cannot do what the cluster's profile asks of it (KA058).
pub fn is_too_old_for_profile(cluster: &Cluster, version: Version) -> bool {
    families::versions::waits_for_three_only(cluster, version)
}

/// What is to be said of a node because of which a cluster whose inventory names no failover profile has
/// `standard` (KA066); nothing where its keepalived could do `fast`.
pub fn default_profile(cluster: &Cluster, node: &Node, version: Version) -> Option<Finding> {
    families::versions::slows_all(cluster, node, version)
}

/// What is wrong with VRRP's password (KA030, KA031, KA032), once it was fetched. No finding holds
/// any of it.
pub fn password(cluster: &Cluster, secrets: &Secrets) -> Vec<Finding> {
    let mut findings = Vec::new();
    families::password::check(cluster, secrets, &mut findings);
    sorted(findings)
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
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
