//! Priorities, weights and preemption (KA010, KA011, KA013 to KA016, KA027).

use std::collections::BTreeMap;

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, NodeName, OnNginxFailure, Preemption, Priority, VrrpInstance, Weight};

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    single_node(cluster, findings);
    match cluster.vrrp.on_nginx_failure {
        OnNginxFailure::Fault => fault_everywhere(cluster, findings),
        OnNginxFailure::Weight { weight } => weighted(cluster, weight, findings),
    }
    for (index, instance) in cluster.instances.iter().enumerate() {
        same_priority(index, instance, findings);
        state_master(index, instance, findings);
    }
}

fn single_node(cluster: &Cluster, findings: &mut Vec<Finding>) {
    if let [node] = cluster.nodes.as_slice() {
        let message = format!(
            "{} is the only node: when it fails, everything fails",
            node.name
        );
        findings.push(Finding::new(&registry::KA027, places::nodes(), message));
    }
}

fn fault_everywhere(cluster: &Cluster, findings: &mut Vec<Finding>) {
    if cluster.nodes.len() < 2 {
        return;
    }
    let message = "a dead nginx puts its node in FAULT; with nginx dead on all nodes, nobody owns the VIP until one returns";
    let path = places::vrrp("on_nginx_failure");
    findings.push(Finding::new(&registry::KA016, path, message));
}

fn weighted(cluster: &Cluster, weight: Weight, findings: &mut Vec<Finding>) {
    let path = || places::vrrp("on_nginx_failure");
    let number = weight.get();
    match cluster.vrrp.preemption {
        Preemption::Keep => {
            let message = format!(
                "nopreempt with weight {number}: no node takes the VIP from one whose nginx is dead"
            );
            findings.push(Finding::new(
                &registry::KA010,
                places::vrrp("preempt"),
                message,
            ));
        }
        Preemption::Preempt { delay } if !delay.is_zero() => {
            let message = format!(
                "with weight {number}, the VIP leaves a node whose nginx is dead only after preempt_delay, {delay:?} later"
            );
            findings.push(Finding::new(
                &registry::KA015,
                places::vrrp("preempt_delay"),
                message,
            ));
        }
        Preemption::Preempt { .. } => {}
    }
    for instance in &cluster.instances {
        let Some((lowest, highest)) = ends(instance) else {
            continue;
        };
        let spread = highest.get() - lowest.get();
        if number.unsigned_abs() > u16::from(spread) || instance.ladder.len() < 2 {
            continue;
        }
        let message = format!(
            "{}: weight {number} is no larger than the spread of the priorities, {highest} - {lowest} = {spread}",
            instance.name
        );
        let enough = i32::from(spread) + 1;
        let fix = if enough > 253 {
            "let a dead nginx mean FAULT: no weight is large enough for this spread".to_owned()
        } else {
            let enough = if number < 0 { -enough } else { enough };
            format!("let a dead nginx mean FAULT, or make the weight {enough} or stronger")
        };
        findings.push(Finding::new(&registry::KA011, path(), message).fix(fix));
    }
}

/// The lowest and the highest priority of `instance`.
fn ends(instance: &VrrpInstance) -> Option<(Priority, Priority)> {
    let priorities = || instance.ladder.iter().map(|(_, priority)| *priority);
    Some((priorities().min()?, priorities().max()?))
}

fn same_priority(index: usize, instance: &VrrpInstance, findings: &mut Vec<Finding>) {
    let mut by_priority: BTreeMap<Priority, Vec<&str>> = BTreeMap::new();
    for (name, priority) in &instance.ladder {
        by_priority
            .entry(*priority)
            .or_default()
            .push(name.as_str());
    }
    for (priority, names) in by_priority.into_iter().filter(|(_, names)| names.len() > 1) {
        let names = names.join(" and ");
        let message = format!(
            "{}: {names} have the same priority, {priority}",
            instance.name
        );
        let path = places::instance_key(index, "priorities");
        findings.push(Finding::new(&registry::KA013, path, message));
    }
}

fn state_master(index: usize, instance: &VrrpInstance, findings: &mut Vec<Finding>) {
    let Some(asked) = &instance.state_master_on else {
        return;
    };
    let preferred = instance.preferred().map_or("nobody", NodeName::as_str);
    let message = format!(
        "{}: state MASTER is asked for on {asked}; hactl renders BACKUP on all nodes, and by its priority {preferred} becomes the owner",
        instance.name
    );
    let path = places::instance_key(index, "state_master_on");
    findings.push(Finding::new(&registry::KA014, path, message));
}
