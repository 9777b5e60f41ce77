//! A small cluster built without an inventory, for tests to modify.

use std::time::Duration;

use hactl::model::*;

/// A node named `lbN` at `address`.
pub(crate) fn node(number: usize, address: &str) -> Node {
    let name = format!("lb{number}");
    Node {
        name: NodeName::new(&name).unwrap(),
        address: address.parse().unwrap(),
        interface: InterfaceName::new("eth0").unwrap(),
        router_id: RouterId::new(&name).unwrap(),
        ssh: SshSettings {
            host: address.to_owned(),
            user: None,
            port: None,
            jump: None,
            identity_file: None,
            login: Login::Root,
        },
        path: InventoryPath::root().key("nodes").index(number - 1),
    }
}

/// An instance with `addresses`, and priorities in the order of `nodes`.
pub(crate) fn instance(name: &str, id: i64, addresses: &[&str], nodes: &[Node]) -> VrrpInstance {
    VrrpInstance {
        name: InstanceName::new(name).unwrap(),
        virtual_router_id: VirtualRouterId::new(id).unwrap(),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        priority_order: (0_i64..)
            .zip(nodes)
            .map(|(at, node)| (node.name.clone(), Priority::new(254 - 2 * at).unwrap()))
            .collect(),
        interface: None,
        routes: Vec::new(),
        state_master_on: None,
    }
}

pub(crate) fn server(address: &str) -> UpstreamServer {
    UpstreamServer {
        address: ServerAddress::new(address).unwrap(),
        weight: 1,
        max_fails: 3,
        fail_timeout: Duration::from_secs(30),
        max_conns: 0,
        backup: false,
        down: false,
    }
}

/// An upstream with three servers.
pub(crate) fn upstream(name: &str) -> Upstream {
    Upstream {
        name: UpstreamName::new(name).unwrap(),
        balance: Balance::LeastConn,
        keepalive: 32,
        servers: [
            "192.168.1.10:8080",
            "192.168.1.11:8080",
            "192.168.1.12:8080",
        ]
        .map(server)
        .to_vec(),
    }
}

pub(crate) fn location(path: &str, action: LocationAction) -> Location {
    Location {
        path: path.to_owned(),
        exact: false,
        access_log: true,
        action,
        request_headers: Vec::new(),
        response_headers: Vec::new(),
        connect_timeout: Duration::from_secs(10),
        send_timeout: Duration::from_secs(30),
        read_timeout: Duration::from_secs(30),
        websocket: false,
        rate_limit: None,
    }
}

/// A location that proxies everything to the upstream `name`.
pub(crate) fn proxy(path: &str, name: &str) -> Location {
    let upstream = UpstreamName::new(name).unwrap();
    location(path, LocationAction::Proxy { upstream })
}

pub(crate) fn listen(port: u16, tls: bool) -> Listen {
    Listen {
        address: None,
        port,
        tls,
        default_server: false,
    }
}

pub(crate) fn header(name: &str, value: &str) -> Header {
    Header {
        name: HeaderName::new(name).unwrap(),
        value: value.to_owned(),
    }
}

/// A catch-all site on port 80 that proxies to `backend`.
pub(crate) fn site() -> Site {
    Site {
        names: vec![ServerName::new("_").unwrap()],
        listen: vec![Listen {
            default_server: true,
            ..listen(80, false)
        }],
        tls: None,
        http2: true,
        locations: vec![proxy("/", "backend")],
        client_max_body_size: None,
        response_headers: Vec::new(),
        raw: None,
    }
}

/// Three nodes, one VIP, three backends, one site.
pub(crate) fn cluster() -> Cluster {
    let nodes = vec![
        node(1, "10.0.0.11"),
        node(2, "10.0.0.12"),
        node(3, "10.0.0.13"),
    ];
    Cluster {
        name: ClusterName::new("web").unwrap(),
        instances: vec![instance("VI_1", 51, &["10.0.0.100/24"], &nodes)],
        nodes,
        hosts: Hosts::default(),
        vrrp: VrrpSettings {
            failover: Failover::Fast,
            version: VrrpVersion::V3,
            advert_interval: AdvertInterval::new(Duration::from_millis(50)).unwrap(),
            down_timer_adverts: DownTimerAdverts::RFC,
            peering: Peering::Unicast,
            preemption: Preemption::Preempt {
                delay: Duration::ZERO,
            },
            on_nginx_failure: OnNginxFailure::Fault,
            authentication: None,
            garp_refresh: Some(Duration::from_mins(1)),
            strict: false,
            iptables_chain: None,
        },
        health: Health {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            fall: 2,
            rise: 2,
        },
        upstreams: vec![upstream("backend")],
        sites: vec![site()],
        streams: Vec::new(),
        nginx: NginxSettings {
            worker_processes: None,
            worker_connections: 10_000,
            keepalive_timeout: Duration::from_secs(65),
            client_max_body_size: 100 << 20,
            shutdown_timeout: Duration::from_secs(30),
            access_log: LogTarget::File {
                path: HostPath::new("/var/log/nginx/access.log").unwrap(),
            },
            log_format: "$remote_addr - $remote_user [$time_local] \"$request\" $status \
                         $body_bytes_sent \"$http_referer\" \"$http_user_agent\" rt=$request_time"
                .to_owned(),
            error_log: LogTarget::File {
                path: HostPath::new("/var/log/nginx/error.log").unwrap(),
            },
            status_port: 8081,
            backlog: 65_535,
            raw_http: None,
        },
        sysctls: vec![Sysctl {
            key: SysctlKey::new("net.core.somaxconn").unwrap(),
            value: SysctlValue::new("65535").unwrap(),
            default: true,
        }],
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
