//! How fast a hung nginx is noticed (KA046, KA047).

use std::time::Duration;

use crate::check::finding::Finding;
use crate::check::takeover::hung_nginx_noticed;
use crate::check::{places, registry};
use crate::model::Cluster;

/// Clients give up, or their users do, at about this time.
const LATE: Duration = Duration::from_secs(5);

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let health = &cluster.health;
    if health.timeout > health.interval {
        let message = format!(
            "a check may take {:?}, and the next one is due after {:?}",
            health.timeout, health.interval
        );
        findings.push(Finding::new(
            &registry::KA046,
            places::health("timeout"),
            message,
        ));
    }
    let noticed = hung_nginx_noticed(health).latest;
    if noticed > LATE {
        let message = format!(
            "a hung nginx counts as dead only {noticed:?} later (interval {:?}, timeout {:?}, fall {})",
            health.interval, health.timeout, health.fall
        );
        findings.push(Finding::new(
            &registry::KA047,
            places::health("interval"),
            message,
        ));
    }
}
