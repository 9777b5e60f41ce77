//! How fast a hung nginx is detected (KA043, KA046, KA047).

use std::time::Duration;

use crate::check::places;
use crate::check::rule::Finding;
use crate::check::takeover::hung_nginx_noticed;
use crate::model::Cluster;

rules! { RULES:
KA043 {
    Error, [ByConstruction("the check script is hactl's own and only reads; restarting nginx is left to systemd's `Restart=`")],
    title: "the check script acts instead of reading",
    reason: "A script that starts nginx again makes a crash loop look healthy, and the failover never comes (measured: 16 s and more).",
    fix: "have the script only read, and leave restarts to systemd",
}
KA046 {
    Warning, [Inventory(long_check)],
    title: "a check may take longer than the time between two checks",
    reason: "keepalived starts no check while the last one runs, so the interval is not kept and a hung nginx is noticed later than the settings promise.",
    fix: "make the check's timeout shorter than its interval",
}
KA047 {
    Warning, [Inventory(late)],
    title: "a hung nginx is noticed late",
    reason: "keepalived notices a killed nginx at once, through a file that its unit writes, but a hung one only after `fall` checks in a row have timed out.",
    fix: "shorten the interval or the timeout, or lower `fall`: with 1 s, 1 s and 2 it is noticed within 3 s",
}
}

/// About when clients or their users give up.
const LATE: Duration = Duration::from_secs(5);

fn long_check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let health = &cluster.health;
    if health.timeout > health.interval {
        let message = format!(
            "a check may take {:?}, and the next one is due after {:?}",
            health.timeout, health.interval
        );
        findings.push(Finding::new(&KA046, places::health("timeout"), message));
    }
}

fn late(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let health = &cluster.health;
    let noticed = hung_nginx_noticed(health).latest;
    if noticed > LATE {
        let message = format!(
            "a hung nginx counts as dead only {noticed:?} later (interval {:?}, timeout {:?}, fall {})",
            health.interval, health.timeout, health.fall
        );
        findings.push(Finding::new(&KA047, places::health("interval"), message));
    }
}
