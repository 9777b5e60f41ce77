//! What an old keepalived cannot do (KA006, KA023, KA052, KA057, KA058, KA066).

use crate::check::finding::Finding;
use crate::check::takeover::{TRACK_FILE, killed_nginx_noticed};
use crate::check::{places, registry};
use crate::model::{Cluster, DownTimerAdverts, Node, Peering, Version, VrrpVersion};

use super::snippet;

/// The first release that computes version 3's checksum right for every unicast peer.
const RIGHT_CHECKSUMS: Version = Version::new(1, 3, 7);

/// The first release that can be told how many adverts must be missing.
const DOWN_TIMER_ADVERTS: Version = Version::new(2, 2, 3);

/// The first release that checks a file before it reloads it.
const CHECKED_RELOAD: Version = Version::new(2, 2, 0);

/// True when `version` takes over after three missing adverts, and the cluster asks it to wait for more.
pub(in crate::check) fn waits_for_three_only(cluster: &Cluster, version: Version) -> bool {
    cluster.vrrp.down_timer_adverts > DownTimerAdverts::RFC && version < DOWN_TIMER_ADVERTS
}

/// That `node` is why the cluster, whose inventory names no profile, has `standard` and not `fast`.
pub(in crate::check) fn slows_all(
    cluster: &Cluster,
    node: &Node,
    version: Version,
) -> Option<Finding> {
    let message = format!(
        "{} has keepalived {version}, which cannot do `failover: fast`: all nodes get `standard`, \
         with an advert every {:?}, and a dead node is noticed after {:?}",
        node.name,
        cluster.vrrp.advert_interval.duration(),
        cluster.vrrp.silence(),
    );
    (version < DOWN_TIMER_ADVERTS)
        .then(|| Finding::new(&registry::KA066, places::vrrp("failover"), message))
}

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
    if version < CHECKED_RELOAD {
        let message = format!(
            "{} has keepalived {version}: a broken file would end it at a reload and leave the VIP up",
            node.name
        );
        findings.push(Finding::new(&registry::KA052, node.path.clone(), message));
    }
    if version < TRACK_FILE {
        let noticed = killed_nginx_noticed(&cluster.health).latest;
        let message = format!(
            "{} has keepalived {version}: a dead nginx is noticed only by checks, up to {noticed:?} later",
            node.name
        );
        findings.push(Finding::new(&registry::KA057, node.path.clone(), message));
    }
    let vrrp = &cluster.vrrp;
    if waits_for_three_only(cluster, version) {
        let message = format!(
            "{} has keepalived {version}, which takes over after three missing adverts, not {}: after {:?}",
            node.name,
            vrrp.down_timer_adverts.get(),
            vrrp.advert_interval.duration() * u32::from(DownTimerAdverts::RFC.get())
        );
        findings.push(Finding::new(
            &registry::KA058,
            places::vrrp("down_timer_adverts"),
            message,
        ));
    }
    let peers = cluster.nodes.len().saturating_sub(1);
    let concerned = vrrp.version == VrrpVersion::V3 && vrrp.peering == Peering::Unicast;
    if concerned && peers > 1 && version < RIGHT_CHECKSUMS {
        let message = format!(
            "{} has keepalived {version}: of its VRRPv3 adverts to {peers} unicast peers, every second has a wrong checksum",
            node.name
        );
        findings.push(Finding::new(
            &registry::KA023,
            places::vrrp("version"),
            message,
        ));
    }
}
