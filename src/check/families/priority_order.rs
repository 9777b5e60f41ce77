//! Priorities, weights and preemption (KA010, KA011, KA013 to KA016, KA027, KA063).

use std::collections::BTreeMap;

use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, NodeName, OnNginxFailure, Preemption, Priority, VrrpInstance};

rules! { RULES:
KA010 {
    Error, [Inventory(weighted)],
    title: "nopreempt together with a weight",
    reason: "With `nopreempt` a backup accepts the adverts of an owner of lower priority, so a weight that lowers the priority of a node whose nginx is dead never moves the VIP (keepalived issue 2599, measured).",
    fix: "set `on_nginx_failure: fault`, which works with and without preemption, or allow preemption",
}
KA011 {
    Error, [Inventory(weighted)],
    title: "the weight is no larger than the spread of the priorities",
    reason: "A node whose nginx is dead has to fall below every healthy node. It does not if the weight is no larger than the highest priority minus the lowest.",
    fix: "set `on_nginx_failure: fault`, or use a weight larger than the highest priority minus the lowest",
}
KA013 {
    Error, [Inventory(same_priority)],
    title: "two nodes have the same priority",
    reason: "Equal priorities leave the owner to chance: whoever was first, or has the higher address. Both become MASTER for a moment when they start together.",
    fix: "give every node its own priority, best first",
}
KA014 {
    Warning, [Inventory(state_master)],
    title: "`state MASTER` requested",
    reason: "A node that starts as MASTER takes the VIP before it has heard anyone: every recovery is a second failover. Combined with `nopreempt`, keepalived drops `nopreempt` and `keepalived -t` fails. hactl renders BACKUP everywhere; the priorities decide.",
    fix: "remove it; VRRP elects the node with the highest priority",
}
KA015 {
    Warning, [Inventory(weighted)],
    title: "preempt_delay delays the failover of a dead nginx",
    reason: "`preempt_delay` holds back every takeover from a node of lower priority, and with a weight, a node whose nginx is dead is such a node (measured).",
    fix: "set `on_nginx_failure: fault`, which `preempt_delay` does not hold back, or set the delay to 0",
}
KA016 {
    Note, [Inventory(fault_everywhere)],
    title: "with nginx dead on all nodes, nobody owns the VIP",
    reason: "FAULT takes a node out of the election. It is the fastest failover there is, and its price is that the VIP answers nothing at all, not even a refusal, while nginx is dead on all nodes. A weight leaves one owner.",
    fix: "no action is needed if clients treat a refused connection like a timeout; otherwise use a weight larger than the spread of the priorities",
}
KA027 {
    Warning, [Inventory(single_node)],
    title: "a single node",
    reason: "There is nobody to fail over to.",
    fix: "add a second node",
}
KA063 {
    Warning, [Inventory(lifted_alike)],
    title: "a weight lifts several nodes to the same priority",
    reason: "A positive weight counts while nginx is healthy, and keepalived cuts the sum to 254. Nodes that reach it are equal, whatever their priorities: the first one to start owns the VIP, and no other takes it back (measured).",
    fix: "set `on_nginx_failure: fault`, or use a negative weight",
}
}

fn single_node(cluster: &Cluster, findings: &mut Vec<Finding>) {
    if let [node] = cluster.nodes.as_slice() {
        let message = format!(
            "{} is the only node: when it fails, everything fails",
            node.name
        );
        findings.push(Finding::new(&KA027, places::nodes(), message));
    }
}

fn fault_everywhere(cluster: &Cluster, findings: &mut Vec<Finding>) {
    if cluster.vrrp.on_nginx_failure != OnNginxFailure::Fault || cluster.nodes.len() < 2 {
        return;
    }
    let message = "a dead nginx puts its node in FAULT; with nginx dead on all nodes, nobody owns the VIP until one returns";
    let path = places::vrrp("on_nginx_failure");
    findings.push(Finding::new(&KA016, path, message));
}

fn weighted(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let OnNginxFailure::Weight { weight } = cluster.vrrp.on_nginx_failure else {
        return;
    };
    let path = || places::vrrp("on_nginx_failure");
    let number = weight.get();
    match cluster.vrrp.preemption {
        Preemption::Keep => {
            let message = format!(
                "nopreempt with weight {number}: no node takes the VIP from one whose nginx is dead"
            );
            findings.push(Finding::new(&KA010, places::vrrp("preempt"), message));
        }
        Preemption::Preempt { delay } if !delay.is_zero() => {
            let message = format!(
                "with weight {number}, the VIP leaves a node whose nginx is dead only after preempt_delay, {delay:?} later"
            );
            findings.push(Finding::new(&KA015, places::vrrp("preempt_delay"), message));
        }
        Preemption::Preempt { .. } => {}
    }
    for instance in &cluster.instances {
        let Some((lowest, highest)) = ends(instance) else {
            continue;
        };
        let spread = highest.get() - lowest.get();
        if number.unsigned_abs() > u16::from(spread) || instance.priority_order.len() < 2 {
            continue;
        }
        let message = format!(
            "{}: weight {number} is no larger than the spread of the priorities, {highest} - {lowest} = {spread}",
            instance.name
        );
        let enough = i32::from(spread) + 1;
        let fix = if enough > 253 {
            "set `on_nginx_failure: fault`: no weight is large enough for this spread".to_owned()
        } else {
            let enough = if number < 0 { -enough } else { enough };
            format!("set `on_nginx_failure: fault`, or make the weight {enough} or stronger")
        };
        findings.push(Finding::new(&KA011, path(), message).fix(fix));
    }
}

/// The highest priority that a weight makes (keepalived's `vrrp_track.c`).
const HIGHEST: i16 = 254;

fn lifted_alike(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let OnNginxFailure::Weight { weight } = cluster.vrrp.on_nginx_failure else {
        return;
    };
    for instance in &cluster.instances {
        let is_cut = |priority: &Priority| i16::from(priority.get()) + weight.get() >= HIGHEST;
        let order = instance.priority_order.iter();
        let lifted = order.filter(|(_, priority)| is_cut(priority));
        let names: Vec<&str> = lifted.map(|(name, _)| name.as_str()).collect();
        if weight.get() < 0 || names.len() < 2 {
            continue;
        }
        let message = format!(
            "{}: the weight of {} lifts {} to priority {HIGHEST}",
            instance.name,
            weight.get(),
            names.join(" and ")
        );
        let path = places::vrrp("on_nginx_failure");
        findings.push(Finding::new(&KA063, path, message));
    }
}

/// The lowest and the highest priority of `instance`.
fn ends(instance: &VrrpInstance) -> Option<(Priority, Priority)> {
    let priorities = || {
        instance
            .priority_order
            .iter()
            .map(|(_, priority)| *priority)
    };
    Some((priorities().min()?, priorities().max()?))
}

fn same_priority(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        equals(index, instance, findings);
    }
}

fn equals(index: usize, instance: &VrrpInstance, findings: &mut Vec<Finding>) {
    let mut by_priority: BTreeMap<Priority, Vec<&str>> = BTreeMap::new();
    for (name, priority) in &instance.priority_order {
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
        findings.push(Finding::new(&KA013, path, message));
    }
}

fn state_master(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        if let Some(asked) = &instance.state_master_on {
            findings.push(asked_for_master(index, instance, asked));
        }
    }
}

fn asked_for_master(index: usize, instance: &VrrpInstance, asked: &NodeName) -> Finding {
    let preferred = instance.preferred().map_or("nobody", NodeName::as_str);
    let message = format!(
        "{}: state MASTER is requested on {asked}; hactl renders BACKUP on all nodes, and {preferred} becomes the owner by priority",
        instance.name
    );
    let path = places::instance_key(index, "state_master_on");
    Finding::new(&KA014, path, message)
}
