//! Cases for rules on nginx and the kernel.

use std::time::Duration;

use super::case::{Case, with};
use super::hosts::{found_on_hosts, hosts};
use super::sample::{keyed, sample, site};
use crate::agent::{BackendState, NoConnection};
use crate::check::Finding;
use crate::check::families::{kernel, servers, sockets, upstreams};
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

/// Findings for two nodes that cannot resolve `name`, in a cluster with the server `app.internal`.
fn unresolved(name: &str) -> Vec<Finding> {
    let mut cluster = sample();
    server(&mut cluster, "app.internal:8080");
    let mut seen = hosts(&cluster);
    for host in &mut seen[1..] {
        host.names.insert(name.to_owned(), Vec::new());
    }
    found_on_hosts(&cluster, &seen)
}

/// Findings for a node that cannot connect to the first `count` of two servers.
fn unreached(count: usize) -> Vec<Finding> {
    let cluster = sample();
    let servers = cluster.upstreams[0].servers.iter().take(count);
    let mut seen = hosts(&cluster);
    seen[1].backends.extend(servers.map(|server| BackendState {
        host: server.address.host().to_owned(),
        port: server.address.port(),
        up: false,
        cause: Some(NoConnection::Refused),
    }));
    found_on_hosts(&cluster, &seen)
}

/// The cases for rules on nginx and the kernel.
pub(in crate::check) static NGINX_CASES: &[Case] = &[
    Case {
        rule: &sockets::NG002,
        trips: || with(|c| listen_on(c, "10.0.0.100")),
        passes: || {
            with(|c| {
                listen_on(c, "10.0.0.100");
                c.sysctls.push(keyed("net.ipv4.ip_nonlocal_bind", "1"));
            })
        },
    },
    Case {
        rule: &upstreams::NG006,
        trips: || with(|c| c.upstreams[0].servers[1].down = true),
        passes: || with(|c| c.upstreams[0].servers[1].backup = true),
    },
    Case {
        rule: &servers::NG017,
        trips: || unresolved("app.internal"),
        passes: || unresolved("other.internal"),
    },
    Case {
        rule: &servers::NG018,
        trips: || unreached(1),
        passes: || unreached(0),
    },
    Case {
        rule: &servers::NG019,
        trips: || unreached(usize::MAX),
        passes: || unreached(1),
    },
    Case {
        rule: &sockets::NG008,
        trips: || with(|c| listen_on(c, "10.0.0.11")),
        passes: || with(|c| listen_on(c, "127.0.0.1")),
    },
    Case {
        rule: &sockets::NG009,
        trips: || with(|c| c.nginx.status_port = 80),
        passes: || with(|c| c.streams = vec![stream(c.nginx.status_port, true)]),
    },
    Case {
        rule: &sockets::NG010,
        trips: || with(|c| c.streams = vec![stream(80, false)]),
        passes: || with(|c| c.streams = vec![stream(80, true), stream(81, true)]),
    },
    Case {
        rule: &sockets::NG011,
        trips: || with(|c| c.sites.push(site(80))),
        passes: || with(|c| c.sites.push(site(81))),
    },
    Case {
        rule: &sockets::NG012,
        trips: || with(|c| c.sites.push(site(80))),
        passes: || with(|c| c.sites.push(site(81))),
    },
    Case {
        rule: &sockets::NG013,
        trips: || {
            with(|c| {
                c.sites.push(site(80));
                c.sites[1].listen[0].tls = true;
            })
        },
        passes: || with(|c| c.sites.push(site(80))),
    },
    Case {
        rule: &upstreams::NG014,
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
        rule: &upstreams::NG015,
        trips: || {
            with(|c| {
                c.upstreams[0].balance = Balance::IpHash;
                c.upstreams[0].servers[1].backup = true;
            })
        },
        passes: || with(|c| c.upstreams[0].servers[1].backup = true),
    },
    Case {
        rule: &upstreams::NG016,
        trips: || with(|c| server(c, "10.0.0.100:80")),
        passes: || with(|c| server(c, "10.0.0.11:8080")),
    },
    Case {
        rule: &kernel::SY001,
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
        rule: &kernel::SY003,
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
        rule: &kernel::SY002,
        trips: || with(|c| c.nginx.backlog = 65_536),
        passes: || with(|c| c.nginx.backlog = 65_535),
    },
];
