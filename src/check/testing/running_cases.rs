//! Cases for rules on hosts and on running clusters.

use super::case::Case;
use super::hosts::{found_on_hosts, found_running, hosts, own_the_vip};
use super::sample::sample;
use crate::agent::{
    Adverts, Hook, HookState, InstanceState, Manifest, Networkd, Observation, ServingFile,
};
use crate::check::Finding;
use crate::check::families::{limits, network, running, scripts};

/// Findings for the modified hosts of the sample.
fn running(change: fn(&mut [Observation])) -> Vec<Finding> {
    let cluster = sample();
    let mut seen = hosts(&cluster);
    change(&mut seen);
    found_running(&cluster, &seen)
}

fn stop(host: &mut Observation, daemon: &str) {
    host.services.remove(&format!("{daemon}.service"));
}

fn hook(host: &mut Observation, state: HookState) {
    let path = "/etc/keepalived/notify.sh".to_owned();
    host.hooks.push(Hook { path, state });
}

/// Findings for the sample if systemd-networkd manages `interface` of the first node. `keep` is
/// `KeepConfiguration=`.
fn managed(interface: &str, keep: Option<&str>) -> Vec<Finding> {
    let cluster = sample();
    let mut seen = hosts(&cluster);
    let networkd = Networkd {
        file: "/etc/systemd/network/10-lan.network".to_owned(),
        keep: keep.map(str::to_owned),
    };
    seen[0]
        .probed
        .networkd
        .insert(interface.to_owned(), networkd);
    found_on_hosts(&cluster, &seen)
}

/// Findings for a running nginx that may open `limit` files and has 1024 connections configured.
fn limited(limit: u64, is_ours: bool) -> Vec<Finding> {
    let cluster = sample();
    let mut seen = hosts(&cluster);
    seen[1].probed.file_limit = Some(limit);
    seen[1].recorded = is_ours.then(Manifest::default);
    let file = ServingFile {
        text: "events {\n    worker_connections 1024;\n}\n".to_owned(),
        is_packaged: false,
    };
    let serving = seen[1].serving.get_or_insert_default();
    serving
        .files
        .insert("/etc/nginx/nginx.conf".to_owned(), file);
    found_on_hosts(&cluster, &seen)
}

/// Findings for two owners, the second of which received `received` adverts.
fn split(received: u64, change: fn(&mut [Observation])) -> Vec<Finding> {
    let cluster = sample();
    let mut seen = hosts(&cluster);
    own_the_vip(&cluster, &mut seen[1]);
    for (index, host) in seen.iter_mut().enumerate().take(2) {
        let vrrp = &mut host.vrrp[0];
        vrrp.state = InstanceState::Master;
        vrrp.wire.version = Some(3);
        let own = cluster.nodes.iter().map(|node| node.address);
        vrrp.wire.source = Some(cluster.nodes[index].address);
        vrrp.wire.peers = own
            .filter(|one| *one != cluster.nodes[index].address)
            .collect();
        let adverts = Adverts {
            // The node of higher priority hears the other one, and stays.
            received: if index == 0 { 90 } else { received },
            sent: 98,
            rejected: 0,
        };
        host.probed.adverts.insert("VI_1".to_owned(), adverts);
    }
    change(&mut seen);
    found_running(&cluster, &seen)
}

#[test]
fn what_nodes_could_not_hear_anyway_is_no_firewalls() {
    let is_it = |found: &[Finding]| found.iter().any(|one| *one.rule == network::FW001);
    assert!(is_it(&split(0, |_| ())));
    let changes: [fn(&mut [Observation]); 6] = [
        |seen| seen[1].vrrp[0].wire.router_id = Some(62),
        |seen| seen[1].vrrp[0].wire.version = Some(2),
        |seen| seen[0].vrrp[0].wire.peers.clear(),
        |seen| seen[1].vrrp[0].state = InstanceState::Backup,
        |seen| {
            let own = seen[1].probed.adverts.get_mut("VI_1");
            own.expect("its counters").rejected = 1;
        },
        |seen| seen[0].probed.adverts.clear(),
    ];
    for change in changes {
        assert!(!is_it(&split(0, change)));
    }
    // With multicast, there are no peers.
    assert!(is_it(&split(0, |seen| {
        for host in seen {
            host.vrrp[0].wire.peers.clear();
        }
    })));
}

/// The cases for rules on hosts.
pub(in crate::check) static RUNNING_CASES: &[Case] = &[
    Case {
        rule: &running::DR001,
        trips: || running(|seen| own_the_vip(&sample(), &mut seen[1])),
        passes: || running(|_| ()),
    },
    Case {
        rule: &running::DR001,
        trips: || running(|seen| drop(seen[0].addresses.pop())),
        passes: || running(|_| ()),
    },
    Case {
        rule: &running::DR002,
        trips: || running(|seen| stop(&mut seen[0], "nginx")),
        passes: || running(|seen| seen.iter_mut().for_each(|host| stop(host, "nginx"))),
    },
    Case {
        rule: &running::DR003,
        trips: || running(|seen| stop(&mut seen[0], "keepalived")),
        passes: || running(|seen| stop(&mut seen[1], "keepalived")),
    },
    Case {
        rule: &running::KA020,
        trips: || running(|seen| seen[1].vrrp[0].wire.router_id = Some(62)),
        passes: || running(|seen| seen[1].vrrp[0].wire.router_id = None),
    },
    Case {
        rule: &scripts::KA040,
        trips: || running(|seen| hook(&mut seen[1], HookState::Missing)),
        passes: || running(|seen| hook(&mut seen[1], HookState::Ready)),
    },
    Case {
        rule: &scripts::KA041,
        trips: || {
            running(|seen| {
                let component = "/etc/keepalived".to_owned();
                hook(&mut seen[1], HookState::Unsafe { component });
            })
        },
        passes: || running(|seen| hook(&mut seen[1], HookState::NotExecutable)),
    },
    Case {
        rule: &network::FW001,
        trips: || split(0, |_| ()),
        passes: || split(1, |_| ()),
    },
    Case {
        rule: &network::KA054,
        trips: || managed("eth0", None),
        passes: || managed("eth0", Some("static")),
    },
    Case {
        rule: &network::KA054,
        trips: || managed("eth0", Some("dynamic")),
        passes: || managed("eth1", None),
    },
    Case {
        rule: &limits::NG005,
        trips: || limited(2047, true),
        passes: || limited(2048, true),
    },
    // Before the first apply, it is not hactl's nginx, and the apply will change it.
    Case {
        rule: &limits::NG005,
        trips: || limited(1024, true),
        passes: || limited(1024, false),
    },
];
