//! Limitations of old versions of keepalived (KA006, KA023, KA052, KA057, KA058, KA066).

use crate::check::evidence::VersionEvidence;
use crate::check::places;
use crate::check::rule::Finding;
use crate::check::takeover::killed_nginx_noticed;
use crate::model::{
    Cluster, DownTimerAdverts, Failover, KeepalivedFeature, Peering, Version, VrrpVersion,
};

use super::snippet;

rules! { RULES:
KA006 {
    Error, [Version(newer_keywords)],
    title: "a keyword newer than the node's keepalived",
    reason: "An older keepalived ignores the keyword, so the node behaves differently from its file and from its peers.",
    fix: "upgrade keepalived on that node, or do without the keyword",
}
KA023 {
    Error, [Version(checksums)],
    title: "VRRPv3 over unicast on a keepalived that sends wrong checksums",
    reason: "Before 1.3.7 every other unicast peer gets a wrong VRRPv3 checksum (\"Invalid VRRPv3 checksum\", measured on 1.3.5 with three nodes) and drops the adverts: two owners.",
    fix: "use VRRPv2 or multicast on this cluster, or upgrade keepalived to 1.3.7 or later on all nodes",
}
KA052 {
    Warning, [Version(unchecked_reload)],
    title: "this keepalived reloads without testing the file",
    reason: "Before 2.2.0 there is no `reload_check_config`: a structurally broken file makes keepalived exit at a reload and leave the VIP up, which makes two owners. hactl renders the keyword where keepalived knows it.",
    fix: "upgrade keepalived to 2.2.0 or later",
}
KA057 {
    Warning, [Version(no_track_file)],
    title: "this keepalived cannot track nginx's file",
    reason: "From 2.0.0 on keepalived learns of a dead nginx at once, from a file that nginx's unit writes (`track_file`). An older one notices only after `fall` failed checks in a row.",
    fix: "upgrade keepalived to 2.0.0 or later, or check more often",
}
KA058 {
    Error, [Version(three_adverts)],
    title: "this keepalived always fails over after three missed adverts",
    reason: "`down_timer_adverts` exists from 2.2.3 on. An older keepalived takes over after three missed adverts. At an interval short enough to wait for eight, three go missing in ordinary use: the virtual IP would move without need.",
    fix: "set `failover: standard` under `vrrp`, or upgrade keepalived to 2.2.3 or later; `advert_interval: 50ms` is as quick as `fast`, but lost packets move the virtual IP (KA059)",
}
KA066 {
    Note, [Version(slows_all)],
    title: "`standard` in place of `fast`",
    reason: "An inventory that names no failover profile gets `fast` only if every node's keepalived can wait for eight missed adverts, which needs 2.2.3 or later. One older node puts all nodes on `standard`, since nodes with different timers would elect two owners.",
    fix: "upgrade keepalived to 2.2.3 or later to get `fast` with the next apply, or set `failover: standard` under `vrrp` to keep it",
}
}

/// True when `version` always takes over after three missed adverts, but the cluster is configured for more.
pub(in crate::check) fn waits_for_three_only(cluster: &Cluster, version: Version) -> bool {
    cluster.vrrp.down_timer_adverts > DownTimerAdverts::RFC
        && !KeepalivedFeature::DownTimerAdverts.is_in(version)
}

/// Reports a node because of which a cluster without a configured profile gets `standard` instead of `fast`.
fn slows_all(evidence: &VersionEvidence<'_>, findings: &mut Vec<Finding>) {
    let VersionEvidence {
        cluster,
        node,
        version,
        leaves_profile_open,
    } = *evidence;
    let is_default = leaves_profile_open && cluster.vrrp.failover == Failover::Standard;
    if !is_default || KeepalivedFeature::DownTimerAdverts.is_in(version) {
        return;
    }
    let message = format!(
        "{} has keepalived {version}, which cannot do `failover: fast`: all nodes get `standard`, \
         with an advert every {:?}, and a dead node is noticed after {:?}",
        node.name,
        cluster.vrrp.advert_interval.duration(),
        cluster.vrrp.silence(),
    );
    findings.push(Finding::new(&KA066, places::vrrp("failover"), message));
}

fn newer_keywords(evidence: &VersionEvidence<'_>, findings: &mut Vec<Finding>) {
    let VersionEvidence {
        cluster,
        node,
        version,
        ..
    } = *evidence;
    for snippet in snippet::of(cluster) {
        for (name, since) in snippet.newer_than(version) {
            let message = format!(
                "{} has keepalived {version}, and `{name}` exists from {since} on",
                node.name
            );
            findings.push(Finding::new(&KA006, snippet.path.clone(), message));
        }
    }
}

fn unchecked_reload(evidence: &VersionEvidence<'_>, findings: &mut Vec<Finding>) {
    let VersionEvidence { node, version, .. } = *evidence;
    if !KeepalivedFeature::ReloadCheck.is_in(version) {
        let message = format!(
            "{} has keepalived {version}: a reload with a broken file would make it exit and leave the VIP up",
            node.name
        );
        findings.push(Finding::new(&KA052, node.path.clone(), message));
    }
}

fn no_track_file(evidence: &VersionEvidence<'_>, findings: &mut Vec<Finding>) {
    let VersionEvidence {
        cluster,
        node,
        version,
        ..
    } = *evidence;
    if !KeepalivedFeature::TrackFile.is_in(version) {
        let noticed = killed_nginx_noticed(&cluster.health).latest;
        let message = format!(
            "{} has keepalived {version}: a dead nginx is noticed only by checks, up to {noticed:?} later",
            node.name
        );
        findings.push(Finding::new(&KA057, node.path.clone(), message));
    }
}

fn three_adverts(evidence: &VersionEvidence<'_>, findings: &mut Vec<Finding>) {
    let VersionEvidence {
        cluster,
        node,
        version,
        ..
    } = *evidence;
    let vrrp = &cluster.vrrp;
    if waits_for_three_only(cluster, version) {
        let message = format!(
            "{} has keepalived {version}, which always fails over after three missed adverts, not {}: after {:?}",
            node.name,
            vrrp.down_timer_adverts.get(),
            vrrp.advert_interval.duration() * u32::from(DownTimerAdverts::RFC.get())
        );
        let path = places::vrrp("down_timer_adverts");
        findings.push(Finding::new(&KA058, path, message));
    }
}

fn checksums(evidence: &VersionEvidence<'_>, findings: &mut Vec<Finding>) {
    let VersionEvidence {
        cluster,
        node,
        version,
        ..
    } = *evidence;
    let vrrp = &cluster.vrrp;
    let peers = cluster.nodes.len().saturating_sub(1);
    let concerned = vrrp.version == VrrpVersion::V3 && vrrp.peering == Peering::Unicast;
    if concerned && peers > 1 && !KeepalivedFeature::UnicastChecksums.is_in(version) {
        let message = format!(
            "{} has keepalived {version}: every other VRRPv3 advert to its {peers} unicast peers has a wrong checksum",
            node.name
        );
        findings.push(Finding::new(&KA023, places::vrrp("version"), message));
    }
}
