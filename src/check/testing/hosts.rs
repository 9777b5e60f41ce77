//! Hand-made hosts of the sample cluster.

use std::net::IpAddr;

use crate::agent::{InstanceState, Observation, Service, VrrpState};
use crate::check::{ClusterEvidence, Finding, of_hosts, of_running};
use crate::health;
use crate::model::Cluster;
use crate::units;

/// The healthy nodes of `cluster`. The first one owns the VIP.
pub(in crate::check) fn hosts(cluster: &Cluster) -> Vec<Observation> {
    let nodes = cluster.nodes.iter().enumerate();
    nodes
        .map(|(index, node)| {
            let mut host = Observation::of(node.name.clone());
            for daemon in units::ids() {
                let service = Service {
                    active: "active".to_owned(),
                    ..Service::default()
                };
                let unit = format!("{}.service", daemon.name());
                host.services.insert(unit, service);
            }
            let own = format!("{}/24", node.address).parse().expect("a network");
            host.addresses.push(("eth0".to_owned(), own));
            let mut vrrp = VrrpState {
                instance: "VI_1".to_owned(),
                state: InstanceState::Backup,
                ..VrrpState::default()
            };
            vrrp.wire.interface = Some("eth0".to_owned());
            vrrp.wire.router_id = Some(61);
            if index == 0 {
                vrrp.state = InstanceState::Master;
                own_the_vip(cluster, &mut host);
            }
            host.vrrp.push(vrrp);
            host
        })
        .collect()
}

/// Puts the VIP on an interface of `host`.
pub(in crate::check) fn own_the_vip(cluster: &Cluster, host: &mut Observation) {
    let net = cluster.instances[0].addresses[0];
    host.addresses.push(("eth0".to_owned(), net));
}

/// Findings of the rules on hosts.
pub(in crate::check) fn found_on_hosts(cluster: &Cluster, seen: &[Observation]) -> Vec<Finding> {
    with_evidence(cluster, seen, of_hosts)
}

/// Findings of the rules on the running cluster, with the problems that `health` finds.
pub(in crate::check) fn found_running(cluster: &Cluster, seen: &[Observation]) -> Vec<Finding> {
    with_evidence(cluster, seen, of_running)
}

fn with_evidence(
    cluster: &Cluster,
    seen: &[Observation],
    judge: impl Fn(&ClusterEvidence<'_>) -> Vec<Finding>,
) -> Vec<Finding> {
    let vips: Vec<IpAddr> = cluster.instances[0]
        .addresses
        .iter()
        .map(ipnet::IpNet::addr)
        .collect();
    let problems = health::problems(seen, &vips);
    judge(&ClusterEvidence {
        cluster,
        seen,
        problems: &problems,
        strangers: &[],
    })
}
