//! Cases of rules on nginx and the kernel.

use std::time::Duration;

use super::case::{Case, with};
use super::sample::{keyed, sample, site};
use crate::check::registry as id;
use crate::check::{Finding, Unreached, unreached_servers, unresolved_names};
use crate::model::{Balance, Cluster, ServerAddress, Stream, UpstreamName};

fn stream(port: u16, udp: bool) -> Stream {
    let upstream = UpstreamName::new("backend").expect("a name");
    let time = Duration::from_secs(10);
    Stream {
        port,
        udp,
        upstream,
        connect_timeout: time,
        idle_timeout: time,
    }
}

fn listen_on(cluster: &mut Cluster, address: &str) {
    cluster.sites[0].listen[0].address = Some(address.parse().expect("an address"));
}

fn server(cluster: &mut Cluster, address: &str) {
    cluster.upstreams[0].servers[0].address = ServerAddress::new(address).expect("an address");
}

/// Findings of two nodes that cannot resolve `name`, with a server by the name `app.internal`.
fn unresolved(name: &str) -> Vec<Finding> {
    let mut cluster = sample();
    server(&mut cluster, "app.internal:8080");
    let nodes = cluster.nodes[1..].iter();
    let unresolved: Vec<_> = nodes
        .map(|node| (node.name.clone(), vec![name.to_owned()]))
        .collect();
    unresolved_names(&cluster, &unresolved)
}

/// Findings of a node that cannot connect to the first `count` of two servers.
fn unreached(count: usize) -> Vec<Finding> {
    let cluster = sample();
    let servers = cluster.upstreams[0].servers.iter().take(count);
    let unreached: Vec<_> = servers
        .map(|server| Unreached {
            node: cluster.nodes[1].name.clone(),
            host: server.address.host().to_owned(),
            port: server.address.port(),
            cause: "connection refused".to_owned(),
        })
        .collect();
    unreached_servers(&cluster, &unreached)
}

/// The cases of rules on nginx and the kernel.
pub(in crate::check) static NGINX_CASES: &[Case] = &[
    Case {
        rule: &id::NG002,
        trips: || with(|c| listen_on(c, "10.0.0.100")),
        passes: || {
            with(|c| {
                listen_on(c, "10.0.0.100");
                c.sysctls.push(keyed("net.ipv4.ip_nonlocal_bind", "1"));
            })
        },
    },
    Case {
        rule: &id::NG006,
        trips: || with(|c| c.upstreams[0].servers[1].down = true),
        passes: || with(|c| c.upstreams[0].servers[1].backup = true),
    },
    Case {
        rule: &id::NG017,
        trips: || unresolved("app.internal"),
        passes: || unresolved("other.internal"),
    },
    Case {
        rule: &id::NG018,
        trips: || unreached(1),
        passes: || unreached(0),
    },
    Case {
        rule: &id::NG019,
        trips: || unreached(usize::MAX),
        passes: || unreached(1),
    },
    Case {
        rule: &id::NG008,
        trips: || with(|c| listen_on(c, "10.0.0.11")),
        passes: || with(|c| listen_on(c, "127.0.0.1")),
    },
    Case {
        rule: &id::NG009,
        trips: || with(|c| c.nginx.status_port = 80),
        passes: || with(|c| c.streams = vec![stream(c.nginx.status_port, true)]),
    },
    Case {
        rule: &id::NG010,
        trips: || with(|c| c.streams = vec![stream(80, false)]),
        passes: || with(|c| c.streams = vec![stream(80, true), stream(81, true)]),
    },
    Case {
        rule: &id::NG011,
        trips: || with(|c| c.sites.push(site(80))),
        passes: || with(|c| c.sites.push(site(81))),
    },
    Case {
        rule: &id::NG012,
        trips: || with(|c| c.sites.push(site(80))),
        passes: || with(|c| c.sites.push(site(81))),
    },
    Case {
        rule: &id::NG013,
        trips: || {
            with(|c| {
                c.sites.push(site(80));
                c.sites[1].listen[0].tls = true;
            })
        },
        passes: || with(|c| c.sites.push(site(80))),
    },
    Case {
        rule: &id::NG014,
        trips: || {
            with(|c| {
                c.upstreams[0]
                    .servers
                    .iter_mut()
                    .for_each(|s| s.down = true);
            })
        },
        passes: || with(|c| c.upstreams[0].servers[0].down = true),
    },
    Case {
        rule: &id::NG015,
        trips: || {
            with(|c| {
                c.upstreams[0].balance = Balance::IpHash;
                c.upstreams[0].servers[1].backup = true;
            })
        },
        passes: || with(|c| c.upstreams[0].servers[1].backup = true),
    },
    Case {
        rule: &id::NG016,
        trips: || with(|c| server(c, "10.0.0.100:80")),
        passes: || with(|c| server(c, "10.0.0.11:8080")),
    },
    Case {
        rule: &id::SY001,
        trips: || {
            with(|c| {
                c.sysctls
                    .push(keyed("net.ipv4.ip_local_port_range", "1024 65535"));
            })
        },
        passes: || {
            with(|c| {
                c.sysctls
                    .push(keyed("net.ipv4.ip_local_port_range", "1024 65535"));
                c.sysctls
                    .push(keyed("net.ipv4.ip_local_reserved_ports", "22,8080-8090"));
            })
        },
    },
    Case {
        rule: &id::SY003,
        trips: || {
            with(|c| {
                c.sysctls
                    .push(keyed("net.ipv4.conf.eth0.arp_announce", "2"));
            })
        },
        passes: || {
            with(|c| {
                c.sysctls
                    .push(keyed("net.ipv4.conf.eth1.arp_announce", "2"));
            })
        },
    },
    Case {
        rule: &id::SY002,
        trips: || with(|c| c.nginx.backlog = 65_536),
        passes: || with(|c| c.nginx.backlog = 65_535),
    },
];
