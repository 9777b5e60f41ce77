//! What the VRRP versions can say, and who else says it (KA017 to KA019, KA031, KA032, KA050,
//! KA055, KA056).

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, Peering, VrrpInstance, VrrpVersion};

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
            let message = format!("VRRPv2 cannot send an advert interval of {interval} s");
            let path = places::vrrp("advert_interval");
            findings.push(Finding::new(&registry::KA017, path, message));
        }
        VrrpVersion::V3 if vrrp.authentication.is_some() => {
            let message = "VRRPv3 has no authentication: keepalived would ignore the password";
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
            let message = format!("vrrp_iptables {chain} has no effect: strict mode is off");
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
    if vrrp.peering == Peering::Unicast {
        let message = "vrrp_strict with unicast peers: keepalived drops the VRRP instance";
        findings.push(Finding::new(
            &registry::KA056,
            places::vrrp("strict"),
            message,
        ));
    }
    if vrrp.authentication.is_some() {
        let message = "vrrp_strict with a password: keepalived ignores the password";
        findings.push(Finding::new(
            &registry::KA056,
            places::vrrp("authentication"),
            message,
        ));
    }
}

fn families(cluster: &Cluster, index: usize, instance: &VrrpInstance, findings: &mut Vec<Finding>) {
    let Some(first) = instance.addresses.first() else {
        return;
    };
    let is_ipv6 = first.addr().is_ipv6();
    let path = places::instance_key(index, "address");
    if is_ipv6 && cluster.vrrp.version == VrrpVersion::V2 {
        let message = format!("{}: VRRPv2 cannot carry {}", instance.name, first.addr());
        findings.push(Finding::new(&registry::KA018, path.clone(), message));
    }
    let other = instance
        .addresses
        .iter()
        .find(|vip| vip.addr().is_ipv6() != is_ipv6);
    if let Some(other) = other {
        let message = format!(
            "{}: {} and {} are of different families",
            instance.name,
            first.addr(),
            other.addr()
        );
        findings.push(Finding::new(&registry::KA019, path, message));
    }
    if cluster.vrrp.peering == Peering::Multicast {
        // By multicast each node speaks from its link-local address, whatever the inventory names.
        return;
    }
    for node in cluster
        .nodes
        .iter()
        .filter(|node| node.address.is_ipv6() != is_ipv6)
    {
        let message = format!(
            "{} speaks VRRP from {}, which is not of the family of {}'s {}",
            node.name,
            node.address,
            instance.name,
            first.addr()
        );
        findings.push(Finding::new(
            &registry::KA019,
            node.path.key("address"),
            message,
        ));
    }
}

fn sample_router_id(
    cluster: &Cluster,
    index: usize,
    instance: &VrrpInstance,
    findings: &mut Vec<Finding>,
) {
    // By unicast the peers hear each other only, so that nobody else's id matters.
    if cluster.vrrp.peering == Peering::Unicast
        || instance.virtual_router_id.get() != SAMPLE_ROUTER_ID
    {
        return;
    }
    let message = format!(
        "{}: virtual_router_id {SAMPLE_ROUTER_ID} is every sample's, and by multicast all clusters on the wire hear each other",
        instance.name
    );
    let path = places::instance_key(index, "virtual_router_id");
    findings.push(Finding::new(&registry::KA032, path, message));
}
