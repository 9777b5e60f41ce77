//! What the VRRP versions can say, and who else says it (KA017 to KA019, KA031, KA032, KA050,
//! KA055, KA056).

use ipnet::IpNet;

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, Peering, Preemption, VrrpInstance, VrrpVersion};

/// The id that every sample and guide uses.
const SAMPLE_ROUTER_ID: u8 = 51;

pub(in crate::check) fn check(cluster: &Cluster, findings: &mut Vec<Finding>) {
    version(cluster, findings);
    strict(cluster, findings);
    for (index, instance) in cluster.instances.iter().enumerate() {
        families(cluster, index, instance, findings);
        sample_router_id(cluster, index, instance, findings);
    }
}

fn version(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    match vrrp.version {
        VrrpVersion::V2 if !vrrp.advert_interval.is_whole_seconds() => {
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
            findings.push(Finding::new(&registry::KA019, path, message));
        }
    }
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
