//! Rendered files read back as the cluster that they were rendered from.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::{keepalived, nginx};
use crate::inventory;
use crate::model::{
    Cluster, FileRole, NodeFacts, OnNginxFailure, Peering, Preemption, Secrets, Socket, Transport,
};
use crate::render::{RenderedNode, Templates, render};

/// Valid inventories.
fn inventories() -> impl Strategy<Value = String> {
    let vrrp = (
        prop::sample::select(vec!["fast", "standard", "wan"]),
        prop::sample::select(vec!["", ", peering: multicast"]),
        prop::sample::select(vec!["", ", preempt: false", ", preempt_delay: 2s"]),
        prop::sample::select(vec!["", ", on_nginx_failure: { weight: -240 }"]),
        prop::sample::select(vec!["", ", advert_interval: 370ms"]),
    );
    let web = (
        prop::collection::btree_set(1_024_u16..60_000, 1..4),
        any::<bool>(),
        any::<bool>(),
    );
    let vips = prop::collection::btree_set(100_u8..250, 1..4);
    (2_u8..5, vips, any::<bool>(), vrrp, web).prop_map(|(nodes, vips, v6, vrrp, web)| {
        let mut text = "cluster: web\nnodes:\n".to_owned();
        for node in 1..=nodes {
            let _ = writeln!(
                text,
                "  - {{ name: lb{node}, address: 10.0.0.1{node}, interface: eth0 }}"
            );
        }
        text.push_str("vips:\n");
        for vip in &vips {
            let _ = writeln!(text, "  - {{ address: 10.0.0.{vip}/24 }}");
        }
        if v6 {
            text.push_str("  - { address: \"fd00::100/64\" }\n");
        }
        let (profile, peering, preempt, failure, advert) = vrrp;
        let _ = writeln!(
            text,
            "vrrp: {{ failover: {profile}{peering}{preempt}{failure}{advert} }}"
        );
        let (ports, at_vip, stream) = web;
        text.push_str("upstreams: { backend: { servers: [192.168.1.10:8080] } }\nsites:\n");
        for port in &ports {
            let _ = writeln!(text, "  - {{ listen: [{port}], proxy: backend }}");
        }
        if let Some(vip) = vips.first().filter(|_| at_vip) {
            let _ = writeln!(
                text,
                "  - {{ listen: [\"10.0.0.{vip}:81\"], proxy: backend }}"
            );
        }
        if stream {
            text.push_str("streams:\n  - { listen: 60001, proxy: backend }\n");
        }
        text
    })
}

fn text(rendered: &RenderedNode, role: FileRole) -> String {
    let file = rendered
        .files
        .iter()
        .find(|file| file.role == role)
        .unwrap();
    String::from_utf8(file.content.clone()).unwrap()
}

fn compare(cluster: &Cluster) {
    let facts = NodeFacts::debian_12();
    let templates = Templates::embedded().unwrap();
    for node in &cluster.nodes {
        let rendered = render(cluster, node, &facts, &Secrets::default(), &templates).unwrap();
        let text_of = |role| text(&rendered, role);
        let conf = keepalived::Conf::of_text(&text_of(FileRole::KeepalivedConf), None);
        assert!(
            conf.is_whole && conf.global.reload_check_config && conf.global.enable_script_security
        );
        assert_eq!(conf.instances.len(), cluster.instances.len());
        for (own, wanted) in conf.instances.iter().zip(&cluster.instances) {
            assert_eq!(own.name, wanted.name.as_str());
            assert_eq!(own.virtual_router_id, wanted.virtual_router_id.get());
            assert_eq!(own.advert_int, cluster.vrrp.advert_interval.duration());
            assert_eq!(
                own.down_timer_adverts,
                u32::from(cluster.vrrp.down_timer_adverts.get())
            );
            let priority = wanted
                .priority_order
                .iter()
                .find(|(name, _)| *name == node.name);
            assert_eq!(
                Some(own.priority),
                priority.map(|(_, priority)| priority.get())
            );
            let vips: BTreeSet<IpAddr> = wanted.addresses.iter().map(ipnet::IpNet::addr).collect();
            assert_eq!(own.vips().collect::<BTreeSet<_>>(), vips);
            let preemption = match cluster.vrrp.preemption {
                Preemption::Keep => keepalived::Preemption::Never,
                Preemption::Preempt { delay } if delay == Duration::ZERO => {
                    keepalived::Preemption::AtOnce
                }
                Preemption::Preempt { delay } => keepalived::Preemption::After(delay),
            };
            assert_eq!(own.preemption, preemption);
            // The nodes have IPv4 addresses, so IPv6 VIPs are always multicast.
            let is_unicast = cluster.vrrp.peering != Peering::Multicast && !own.is_v6();
            assert_eq!(
                own.unicast_peers.len(),
                if is_unicast {
                    cluster.nodes.len() - 1
                } else {
                    0
                }
            );
            let script = conf
                .scripts
                .iter()
                .find(|script| own.track_scripts.contains(&script.name));
            let weight = match cluster.vrrp.on_nginx_failure {
                OnNginxFailure::Fault => 0,
                OnNginxFailure::Weight { weight } => weight.get(),
            };
            // If the node tracks nginx's file, the weight may be on that instead.
            assert!([0, weight].contains(&script.unwrap().weight));
        }
        let conf = nginx::Conf::of_text(&text_of(FileRole::NginxConf));
        assert_eq!(conf.has_stream, !cluster.streams.is_empty());
        assert!(conf.worker_connections.is_some() && conf.worker_rlimit_nofile.is_some());
        let sockets: BTreeSet<Socket> = conf
            .servers
            .iter()
            .flat_map(|own| own.sockets.iter().copied())
            .collect();
        let listens = cluster.sites.iter().flat_map(|site| &site.listen);
        for listen in listens {
            let socket = Socket {
                address: listen.address.unwrap_or(Socket::ANY_V4),
                port: listen.port,
                transport: Transport::Tcp,
            };
            assert!(sockets.contains(&socket), "{socket} of {sockets:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_rendered_reads_back_as_the_cluster(text in inventories()) {
        let loaded = inventory::load("hactl.yml", &text);
        prop_assert!(loaded.is_ok(), "{text}");
        compare(&loaded.unwrap().cluster);
    }
}
