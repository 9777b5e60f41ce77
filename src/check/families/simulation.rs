//! The election, simulated (KA012).

use crate::check::election::Election;
use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, OnNginxFailure};

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
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
        findings.push(Finding::new(&registry::KA012, path, message).events(violation.events));
    }
}
