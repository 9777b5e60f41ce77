//! The simulated election (KA012).

use crate::check::election::Election;
use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, OnNginxFailure};

rules! { RULES:
KA012 {
    Error, [Inventory(elections)],
    title: "a simulated election goes wrong",
    reason: "hactl simulates every combination of dead nodes and dead nginx that the cluster can reach. In one of them the VIP stays on a dead nginx although a healthy node stands by, has no owner although a node could take it, or has two.",
    fix: "set `on_nginx_failure: fault`, or use a weight larger than the highest priority minus the lowest",
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
