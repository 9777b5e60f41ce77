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

fn few_adverts(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let (missing, interval) = (vrrp.down_timer_adverts, vrrp.advert_interval);
    let is_quick = interval.duration() < Duration::from_secs(1);
    if cluster.nodes.len() < 2 || missing > DownTimerAdverts::RFC || !can_say_its_interval(cluster)
    {
        return;
    }
    if is_quick || missing < DownTimerAdverts::RFC {
        let message = format!(
            "a node takes the VIP when {} adverts of {} s are missing: a network that loses some moves it without need",
            missing.get(),
            interval.keepalived()
        );
        let key = if is_quick {
            "advert_interval"
        } else {
            "down_timer_adverts"
        };
        let finding = Finding::new(&registry::KA059, places::vrrp(key), message);
        findings.push(match (vrrp.strict, is_quick) {
            // Strict mode insists on three, however often they come.
            (true, _) => finding.fix("turn strict mode off, or say `failover: standard`"),
            (false, true) => finding,
            (false, false) => finding.fix("remove `down_timer_adverts`: three are then waited for"),
        });
    }
}

/// `fast` counts in hundredths of a second.
fn fast_in_seconds(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let is_both = (vrrp.failover, vrrp.version) == (Failover::Fast, VrrpVersion::V2);
    if is_both && can_say_its_interval(cluster) {
        let message = format!(
            "VRRPv2 knows whole seconds: adverts every {} s are not `fast`",
            vrrp.advert_interval.keepalived()
        );
        findings.push(Finding::new(
            &registry::KA060,
            places::vrrp("failover"),
            message,
        ));
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
            if has_both_families(cluster) {
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
