//! The scripts that keepalived runs (KA040, KA041).

use crate::check::evidence::{ClusterEvidence, PlanEvidence};
use crate::check::places;
use crate::check::rule::{Finding, Findings, Rule};
use crate::health::{self, Problem, UnusableScript};
use crate::model::{Cluster, HostPath};
use crate::plan::NodePlan;

rules! { RULES:
KA040 {
    Error, [Running(live), Plan(to_come)],
    title: "a script is missing or not executable",
    reason: "keepalived then disables the check and keeps MASTER (measured): it fails open, silently.",
    fix: "run `hactl apply` to restore hactl's own scripts; install yours on every node with mode 0755",
}
KA041 {
    Error, [Running(live), Plan(to_come)],
    title: "an unsafe path to a script",
    reason: "With script security, keepalived refuses to run a script as root if others can write to its path.",
    fix: "make root the owner and only writer of every folder on the path",
}
}

/// The scripts of the running keepalived.
fn live(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let found = evidence.problems.iter();
    findings.extend(found.filter_map(|problem| finding(evidence.cluster, problem)));
}

/// The scripts in a plan's files, on the nodes that it changes. A script that a node already lacks does not rule out
/// a plan.
fn to_come(evidence: &PlanEvidence<'_>, findings: &mut Findings) {
    let PlanEvidence {
        cluster,
        plan,
        seen,
        before,
    } = *evidence;
    for node in plan.changing() {
        let Some(host) = seen.iter().find(|host| host.node == node.node) else {
            continue;
        };
        let unusable = health::unusable(&host.node, &host.programs)
            .filter(|problem| !problem.is_in(before))
            .filter(|problem| !may_be_installed(cluster, node, problem));
        let found = unusable.filter_map(|problem| finding(cluster, &problem));
        findings.extend(found.map(|finding| {
            if *finding.rule == KA040 {
                finding.fix("install it on every node with mode 0755, or name another one")
            } else {
                finding
            }
        }));
    }
}

fn finding(cluster: &Cluster, problem: &Problem) -> Option<Finding> {
    let Problem::ScriptUnusable { node, script, .. } = problem else {
        return None;
    };
    let place = places::node(cluster, node);
    Some(Finding::new(rule_of(script), place, problem.to_string()).on(node))
}

/// The rule that such a script violates.
pub(super) fn rule_of(script: &UnusableScript) -> &'static Rule {
    match script {
        UnusableScript::Unsafe { .. } => &KA041,
        UnusableScript::Missing | UnusableScript::NotExecutable => &KA040,
    }
}

/// True if a package that is yet to be installed may bring the script. That cannot be so for a notify hook, which is
/// the user's own.
fn may_be_installed(cluster: &Cluster, node: &NodePlan, problem: &Problem) -> bool {
    let Problem::ScriptUnusable {
        path,
        script: UnusableScript::Missing,
        ..
    } = problem
    else {
        return false;
    };
    let is_hook = |hook: &HostPath| hook.as_str() == path;
    !node.packages().is_empty() && !cluster.notify_hook.as_ref().is_some_and(is_hook)
}
