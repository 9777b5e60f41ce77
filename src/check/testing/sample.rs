//! Hand-made clusters, so that these tests need no inventory.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{
    AdvertInterval, Balance, Cluster, ClusterName, DownTimerAdverts, Failover, Health,
    InstanceName, InterfaceName, InventoryPath, Listen, Location, LocationAction, LogTarget, Login,
    NginxSettings, Node, NodeName, Notify, OnNginxFailure, Peering, Preemption, Priority,
    RawSnippets, RouterId, ServerAddress, ServerName, Site, SshSettings, Sysctl, SysctlKey,
    SysctlValue, Upstream, UpstreamName, UpstreamServer, VirtualRouterId, VrrpInstance,
    VrrpSettings, VrrpVersion, Weight,
};

/// A well-configured cluster of three nodes, for which only the note on FAULT is reported.
pub(in crate::check) fn sample() -> Cluster {
    cluster(&[254, 252, 250])
}

/// Nodes `lb1`, `lb2`, … at 10.0.0.11, 10.0.0.12, … with these priorities.
pub(in crate::check) fn cluster(priorities: &[i64]) -> Cluster {
    let nodes: Vec<_> = (0..priorities.len()).map(node).collect();
    let names = nodes.iter().map(|node| node.name.clone());
    let priority_order = names
        .zip(priorities)
        .map(|(name, priority)| (name, Priority::new(*priority).expect("a priority")));
    Cluster {
        name: ClusterName::new("web").expect("a name"),
        instances: vec![VrrpInstance {
            name: InstanceName::new("VI_1").expect("a name"),
            virtual_router_id: VirtualRouterId::new(61).expect("an id"),
            addresses: vec!["10.0.0.100/24".parse().expect("a network")],
            priority_order: priority_order.collect(),
            interface: None,
            routes: Vec::new(),
            state_master_on: None,
        }],
        nodes,
        hosts: crate::model::Hosts::default(),
        vrrp: VrrpSettings {
            failover: Failover::Fast,
            version: VrrpVersion::V3,
            advert_interval: AdvertInterval::new(Duration::from_millis(20)).expect("an interval"),
            down_timer_adverts: DownTimerAdverts::new(8).expect("a number"),
            peering: Peering::Unicast,
            preemption: Preemption::Preempt {
                delay: Duration::ZERO,
            },
            on_nginx_failure: OnNginxFailure::Fault,
            authentication: None,
            garp_refresh: None,
            strict: false,
            iptables_chain: None,
        },
        health: Health {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            fall: 2,
            rise: 2,
        },
        upstreams: vec![upstream()],
        sites: vec![site(80)],
        streams: Vec::new(),
        nginx: nginx(),
        sysctls: vec![keyed("net.core.somaxconn", "65535")],
        notify: Notify {
            master: true,
            backup: true,
            fault: true,
        },
        notify_hook: None,
        drill_budgets: std::collections::BTreeMap::new(),
        raw: RawSnippets::default(),
    }
}

fn node(index: usize) -> Node {
    let number = index + 1;
    Node {
        name: NodeName::new(format!("lb{number}")).expect("a name"),
        address: IpAddr::from([
            10,
            0,
            0,
            10 + u8::try_from(number).expect("a small cluster"),
        ]),
        interface: InterfaceName::new("eth0").expect("an interface"),
        router_id: RouterId::new(format!("lb{number}")).expect("an id"),
        ssh: SshSettings {
            host: format!("lb{number}"),
            user: None,
            port: None,
            jump: None,
            identity_file: None,
            login: Login::Root,
        },
        path: InventoryPath::root().key("nodes").index(index),
    }
}

fn upstream() -> Upstream {
    let servers = ["192.168.1.10:8080", "192.168.1.11:8080"];
    Upstream {
        name: UpstreamName::new("backend").expect("a name"),
        balance: Balance::LeastConn,
        keepalive: 32,
        servers: servers
            .map(|address| UpstreamServer {
                address: ServerAddress::new(address).expect("an address"),
                weight: 1,
                max_fails: 3,
                fail_timeout: Duration::from_secs(30),
                max_conns: 0,
                backup: false,
                down: false,
            })
            .into(),
    }
}

/// A site on every address, plain HTTP.
pub(in crate::check) fn site(port: u16) -> Site {
    let seconds = Duration::from_secs;
    Site {
        names: vec![ServerName::new("_").expect("a name")],
        listen: vec![Listen {
            address: None,
            port,
            tls: false,
            default_server: true,
        }],
        tls: None,
        http2: false,
        locations: vec![Location {
            path: "/".to_owned(),
            exact: false,
            action: LocationAction::Proxy {
                upstream: UpstreamName::new("backend").expect("a name"),
            },
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            connect_timeout: seconds(10),
            send_timeout: seconds(30),
            read_timeout: seconds(30),
            websocket: false,
            rate_limit: None,
            access_log: true,
        }],
        client_max_body_size: None,
        response_headers: Vec::new(),
        raw: None,
    }
}

fn nginx() -> NginxSettings {
    NginxSettings {
        worker_processes: None,
        worker_connections: 10_000,
        keepalive_timeout: Duration::from_secs(65),
        client_max_body_size: 0,
        shutdown_timeout: Duration::from_secs(30),
        access_log: LogTarget::Off,
        log_format: String::new(),
        error_log: LogTarget::Off,
        status_port: 8081,
        backlog: 65535,
        raw_http: None,
    }
}

/// A kernel setting.
pub(in crate::check) fn keyed(key: &str, value: &str) -> Sysctl {
    Sysctl {
        key: SysctlKey::new(key).expect("a key"),
        value: SysctlValue::new(value).expect("a value"),
        default: false,
    }
}

/// `on_nginx_failure` with a weight.
pub(in crate::check) fn weight(number: i64) -> OnNginxFailure {
    OnNginxFailure::Weight {
        weight: Weight::new(number).expect("a weight"),
    }
}
