//! What an old keepalived cannot do (KA006, KA023).

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, Node, Peering, Version, VrrpVersion};

use super::snippet;

/// The first release with `vrrp_script` intervals of less than a second.
const FRACTIONAL_INTERVALS: Version = Version::new(2, 0, 0);
/// The first release that computes version 3's checksum right for every unicast peer.
const RIGHT_CHECKSUMS: Version = Version::new(1, 3, 7);

pub(in crate::check) fn check(
    cluster: &Cluster,
    node: &Node,
    version: Version,
    findings: &mut Vec<Finding>,
) {
    for snippet in snippet::of(cluster) {
        for (name, since) in snippet.newer_than(version) {
            let message = format!(
                "{} has keepalived {version}, and `{name}` exists from {since} on",
                node.name
            );
            findings.push(Finding::new(
                &registry::KA006,
                snippet.path.clone(),
                message,
            ));
        }
    }
    let interval = cluster.health.interval;
    if version < FRACTIONAL_INTERVALS && interval.subsec_nanos() != 0 {
        let message = format!(
            "{} has keepalived {version}, which checks in whole seconds, not every {interval:?}",
            node.name
        );
        let fix = "check every whole number of seconds, or upgrade keepalived to 2.0.0 or later";
        let path = places::health("interval");
        findings.push(Finding::new(&registry::KA006, path, message).fix(fix));
    }
    let vrrp = &cluster.vrrp;
    let peers = cluster.nodes.len() - 1;
    let concerned = vrrp.version == VrrpVersion::V3 && vrrp.peering == Peering::Unicast;
    if concerned && peers > 1 && version < RIGHT_CHECKSUMS {
        let message = format!(
            "{} has keepalived {version}, whose VRRPv3 adverts to {peers} unicast peers have wrong checksums",
            node.name
        );
        findings.push(Finding::new(
            &registry::KA023,
            places::vrrp("version"),
            message,
        ));
    }
}
