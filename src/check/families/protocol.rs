//! What the VRRP versions can say, and who else says it (KA017 to KA019, KA031, KA032, KA050,
//! KA055, KA056, KA059, KA060).

use std::time::Duration;

use ipnet::IpNet;

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{
    Cluster, DownTimerAdverts, Failover, Peering, Preemption, VrrpInstance, VrrpVersion,
};

/// The id that every sample and guide uses.
const SAMPLE_ROUTER_ID: u8 = 51;

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    version(cluster, findings);
    few_adverts(cluster, findings);
    fast_in_seconds(cluster, findings);
    strict(cluster, findings);
    for (index, instance) in cluster.instances.iter().enumerate() {
        families(cluster, index, instance, findings);
        sample_router_id(cluster, index, instance, findings);
    }
}

fn version(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    match vrrp.version {
        VrrpVersion::V2 if !can_say_its_interval(cluster) => {
            let interval = vrrp.advert_interval.keepalived();
            let message =
                format!("VRRPv2 cannot send adverts every {interval} s, only every whole second");
            let path = places::vrrp("advert_interval");
            findings.push(Finding::new(&registry::KA017, path, message));
        }
        VrrpVersion::V3 if vrrp.authentication.is_some() => {
            let message = "VRRPv3 has no authentication: the password protects nothing";
            let path = places::vrrp("authentication");
            findings.push(Finding::new(&registry::KA031, path, message));
        }
        VrrpVersion::V2 | VrrpVersion::V3 => {}
    }
}

/// VRRPv2 knows whole seconds only.
fn can_say_its_interval(cluster: &Cluster) -> bool {
    cluster.vrrp.version == VrrpVersion::V3 || cluster.vrrp.advert_interval.is_whole_seconds()
}

/// Of so many packets the network of KA059 loses one.
const ONE_LOST_IN: f64 = 10.0;

/// How often a second as many adverts as make a backup take over are lost one after the other.
fn needless_takeovers(interval: Duration, missing: u8) -> f64 {
    ONE_LOST_IN.powi(-i32::from(missing)) / interval.as_secs_f64()
}

fn few_adverts(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let (missing, interval) = (vrrp.down_timer_adverts, vrrp.advert_interval.duration());
    let often = |missing| needless_takeovers(interval, missing);
    // Half as often again as with what the RFC has: three adverts of a second.
    let too_often = 1.5 * needless_takeovers(Duration::from_secs(1), DownTimerAdverts::RFC.get());
    if cluster.nodes.len() < 2
        || !can_say_its_interval(cluster)
        || often(missing.get()) <= too_often
    {
        return;
    }
    let what = match missing.get() {
        1 => "one advert".to_owned(),
        several => format!("{several} adverts"),
    };
    let message = format!(
        "another node takes the VIP as soon as it misses {what} of {} s: where one packet in {ONE_LOST_IN} is lost, every {:.0} s or more often",
        vrrp.advert_interval.keepalived(),
        often(missing.get()).recip()
    );
    let is_quick = interval < Duration::from_secs(1);
    let key = if is_quick {
        "advert_interval"
    } else {
        "down_timer_adverts"
    };
    let enough = (1..=u8::MAX).find(|missing| often(*missing) <= too_often);
    let fix = match enough.filter(|_| !vrrp.strict) {
        Some(enough) if enough > DownTimerAdverts::RFC.get() => format!(
            "set `down_timer_adverts: {enough}`, which needs keepalived 2.2.3 or later, or say `failover: standard` without `advert_interval`"
        ),
        Some(_) => "remove `down_timer_adverts`: three are then waited for".to_owned(),
        None => "strict mode insists on three: turn it off, or say `failover: standard` without `advert_interval`".to_owned(),
    };
    findings.push(Finding::new(&registry::KA059, places::vrrp(key), message).fix(fix));
}

/// `fast` counts in hundredths of a second.
fn fast_in_seconds(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let is_both = (vrrp.failover, vrrp.version) == (Failover::Fast, VrrpVersion::V2);
    // Another interval was set by hand.
    if is_both
        && vrrp.advert_interval.duration() == Duration::from_secs(1)
        && cluster.nodes.len() > 1
    {
        let message = "VRRPv2 knows whole seconds: adverts every second are not `fast`";
        let path = places::vrrp("failover");
        findings.push(Finding::new(&registry::KA060, path, message));
    }
}

fn strict(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    if !vrrp.strict {
        if let Some(chain) = &vrrp.iptables_chain {
            let message = format!("the chain {chain} has no use: strict mode is off");
            let path = places::vrrp("iptables_chain");
            findings.push(Finding::new(&registry::KA055, path, message));
        }
        return;
    }
    let message = "vrrp_strict drops clients' traffic to the VIP before nginx sees it";
    findings.push(Finding::new(
        &registry::KA050,
        places::vrrp("strict"),
        message,
    ));
    let delays = matches!(vrrp.preemption, Preemption::Preempt { delay } if !delay.is_zero());
    for (asked, key, what) in [
        (vrrp.peering == Peering::Unicast, "peering", "unicast"),
        (
            vrrp.authentication.is_some(),
            "authentication",
            "the password",
        ),
        (delays, "preempt_delay", "preempt_delay"),
    ] {
        if asked {
            let message = format!("vrrp_strict overrides {what}: hactl renders none");
            findings.push(Finding::new(&registry::KA056, places::vrrp(key), message));
        }
    }
}

fn families(cluster: &Cluster, index: usize, instance: &VrrpInstance, findings: &mut Vec<Finding>) {
    let Some(first) = instance.addresses.first().map(IpNet::addr) else {
        return;
    };
    let name = &instance.name;
    let path = places::instance_key(index, "address");
    if first.is_ipv6() && cluster.vrrp.version == VrrpVersion::V2 {
        let message =
            format!("{name}: VRRPv2 cannot carry {first}; hactl renders version 3 for it");
        findings.push(Finding::new(&registry::KA018, path.clone(), message));
    }
    if cluster.vrrp.peering == Peering::Unicast && !cluster.vrrp.strict {
        let nodes = cluster.nodes.iter();
        let others: Vec<_> = nodes
            .filter(|node| node.address.is_ipv6() != first.is_ipv6())
            .map(|node| format!("{} ({})", node.name, node.address))
            .collect();
        if !others.is_empty() {
            let message = format!(
                "{name}: {first} is not of the family of {}; hactl renders multicast",
                others.join(", ")
            );
            let mut finding = Finding::new(&registry::KA019, path, message);
            if has_both_families(cluster) && others.len() == cluster.nodes.len() {
                // A node has one address, so that whatever it is, some VIPs are not of its family.
                finding = finding.fix("nothing, where the network carries multicast; else leave one family's VIPs to a cluster of their own");
            }
            findings.push(finding);
        }
    }
}

fn has_both_families(cluster: &Cluster) -> bool {
    let vips = || cluster.instances.iter().flat_map(|it| &it.addresses);
    vips().any(|vip| vip.addr().is_ipv6()) && vips().any(|vip| vip.addr().is_ipv4())
}

/// Whether everyone on the wire hears `instance`: because it was asked for, or because unicast is
/// not to be had.
fn is_multicast(cluster: &Cluster, instance: &VrrpInstance) -> bool {
    let vip = instance.addresses.first();
    let is_ipv6 = vip.is_some_and(|vip| vip.addr().is_ipv6());
    cluster.vrrp.peering == Peering::Multicast
        || cluster.vrrp.strict
        || cluster
            .nodes
            .iter()
            .any(|node| node.address.is_ipv6() != is_ipv6)
}

fn sample_router_id(
    cluster: &Cluster,
    index: usize,
    instance: &VrrpInstance,
    findings: &mut Vec<Finding>,
) {
    // By unicast the peers hear each other only, so that nobody else's id matters.
    if !is_multicast(cluster, instance) || instance.virtual_router_id.get() != SAMPLE_ROUTER_ID {
        return;
    }
    let message = format!(
        "{}: virtual_router_id {SAMPLE_ROUTER_ID} is every sample's, and by multicast all clusters on the wire hear each other",
        instance.name
    );
    let path = places::instance_key(index, "virtual_router_id");
    let fix = "set a virtual_router_id that no other cluster on this wire has, 1 to 255";
    findings.push(Finding::new(&registry::KA032, path, message).fix(fix));
}
