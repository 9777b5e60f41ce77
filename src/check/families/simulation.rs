//! The election, simulated (KA012).

use crate::check::election::Election;
use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, OnNginxFailure};

rules! { RULES:
KA012 {
    Error, [Inventory(elections)],
    title: "the election goes wrong",
    reason: "hactl simulates every set of dead nodes and dead nginx that the cluster can get into. In one of them the VIP stays on a dead nginx although a healthy node stands by, has no owner although a node stands for it, or has two.",
    fix: "let a dead nginx mean FAULT, or use a weight that is larger than the highest priority less the lowest",
}
}

fn elections(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        let election = Election::of(cluster, instance);
        let Some(violation) = election.simulate().violation else {
            continue;
        };
        let message = format!("{}: {violation}", instance.name);
        let path = match cluster.vrrp.on_nginx_failure {
            OnNginxFailure::Weight { .. } => places::vrrp("on_nginx_failure"),
            OnNginxFailure::Fault => places::instance(index),
        };
        findings.push(Finding::new(&KA012, path, message).events(violation.events));
    }
}
