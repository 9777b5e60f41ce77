//! Cases for rules on hosts that were inspected.

use std::net::IpAddr;
use std::time::Duration;

use super::case::Case;
use super::hosts::{found_on_hosts, hosts};
use super::sample::sample;
use crate::agent::{
    AdvertTest, ClockOffset, Heard, HeardRouter, Listener, ListensAt, Observation, PeerAnswer,
    PeerDoor, PeerPort, Preflight, Space,
};
use crate::check::Finding;
use crate::check::families::{fitness, network, wire};
use crate::model::{Cluster, DownTimerAdverts, Peering, Socket};

/// Findings for the modified hosts of the modified sample. Every host hears all that the others send, unless changed.
fn inspected(change: fn(&mut Cluster, &mut [Observation])) -> Vec<Finding> {
    let mut cluster = sample();
    let mut seen = hosts(&cluster);
    for (index, host) in seen.iter_mut().enumerate() {
        let own = cluster.nodes[index].address;
        let peers = cluster.nodes.iter().map(|node| node.address);
        let peers: Vec<IpAddr> = peers.filter(|peer| *peer != own).collect();
        host.interfaces.insert("eth0".to_owned(), "up".to_owned());
        host.probed.preflight = Some(Preflight {
            clock_is_synchronised: Some(true),
            adverts: Some(heard(&peers)),
            ..Preflight::default()
        });
    }
    change(&mut cluster, &mut seen);
    found_on_hosts(&cluster, &seen)
}

/// 400 packets of each peer, one every 20 ms, none lost.
fn heard(peers: &[IpAddr]) -> AdvertTest {
    let heard = peers.iter().flat_map(|peer| {
        [Peering::Unicast, Peering::Multicast].map(|by| Heard {
            from: *peer,
            by,
            received: 400,
            of: 400,
            silence: Duration::from_millis(21),
        })
    });
    AdvertTest {
        sent: 400,
        heard: heard.collect(),
        interval: Duration::from_millis(20),
        ..AdvertTest::default()
    }
}

fn preflight(host: &mut Observation) -> &mut Preflight {
    host.probed.preflight.get_or_insert_default()
}

fn adverts(host: &mut Observation) -> &mut AdvertTest {
    preflight(host).adverts.get_or_insert_default()
}

/// Lets a host lose all but `received` of the packets by `by`.
fn lose(host: &mut Observation, by: Peering, received: u64) {
    let heard = &mut adverts(host).heard;
    for one in heard.iter_mut().filter(|one| one.by == by) {
        one.received = received;
    }
    heard.retain(|one| one.received > 0);
}

/// Lets a cluster that tolerates two lost adverts lose all but `received` of its packets.
fn few(cluster: &mut Cluster, host: &mut Observation, received: u64) {
    cluster.vrrp.down_timer_adverts = DownTimerAdverts::RFC;
    lose(host, Peering::Unicast, received);
}

fn listener(address: &str, port: u16, program: &str) -> Listener {
    let socket = Socket::local("tcp", &format!("{address}:{port}"));
    Listener {
        socket: socket.expect("a socket")[0],
        programs: vec![program.to_owned()],
    }
}

fn router(from: &str, virtual_router_id: u8) -> HeardRouter {
    HeardRouter {
        from: from.parse().expect("an address"),
        virtual_router_id,
        version: 2,
        priority: 100,
    }
}

fn clock(ahead: f64) -> ClockOffset {
    ClockOffset { ahead, error: 0.1 }
}

fn peer(address: IpAddr, answer: PeerAnswer) -> PeerPort {
    let door = PeerDoor {
        address,
        port: 80,
        listens: ListensAt::All,
    };
    PeerPort { door, answer }
}

fn space(host: &mut Observation, kib: u64, inodes: Option<u64>) {
    let space = Space {
        kib,
        inodes,
        is_writable: true,
    };
    preflight(host).space.insert("/var/lib".to_owned(), space);
}

fn runs(host: &mut Observation, units: &[&str]) {
    preflight(host).active_units = units.iter().map(|&unit| unit.to_owned()).collect();
}

fn selinux(host: &mut Observation, mode: &str, may_connect: bool) {
    let preflight = preflight(host);
    preflight.selinux = Some(mode.to_owned());
    let boolean = "httpd_can_network_connect".to_owned();
    preflight.selinux_booleans.insert(boolean, may_connect);
}

/// Texts of the findings of FW001, with their fixes.
fn blocked(change: fn(&mut Cluster, &mut [Observation])) -> Vec<(String, String)> {
    let found = inspected(change).into_iter();
    let own = found.filter(|one| *one.rule == network::FW001);
    own.map(|one| (one.message, one.fix)).collect()
}

#[test]
fn the_way_that_works_is_proposed_in_place_of_the_one_that_does_not() {
    let found = blocked(|cluster, seen| {
        cluster.vrrp.peering = Peering::Multicast;
        for host in seen {
            lose(host, Peering::Multicast, 0);
        }
    });
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].1.starts_with("set `peering: unicast`"),
        "{found:?}"
    );
    // A firewall drops both.
    let found = blocked(|_, seen| {
        lose(&mut seen[1], Peering::Unicast, 0);
        lose(&mut seen[1], Peering::Multicast, 0);
        runs(&mut seen[1], &["firewalld.service"]);
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("protocol value=\"vrrp\""), "{found:?}");
    let found = blocked(|_, seen| {
        lose(&mut seen[1], Peering::Unicast, 0);
        lose(&mut seen[0], Peering::Multicast, 0);
        preflight(&mut seen[1]).ufw_is_enabled = true;
    });
    assert!(
        found[0].1.contains("`ufw allow proto vrrp from 10.0.0.11`"),
        "{found:?}"
    );
}

#[test]
fn hosts_that_were_not_inspected_have_no_findings() {
    let cluster = sample();
    let mut seen = hosts(&cluster);
    for host in &mut seen {
        host.interfaces.insert("eth0".to_owned(), "down".to_owned());
    }
    assert_eq!(found_on_hosts(&cluster, &seen), []);
}

/// The cases for rules on inspected hosts.
pub(in crate::check) static PREFLIGHT_CASES: &[Case] = &[
    Case {
        rule: &network::FW001,
        trips: || inspected(|_, seen| lose(&mut seen[1], Peering::Unicast, 0)),
        // What the cluster does not use need not pass.
        passes: || inspected(|_, seen| lose(&mut seen[1], Peering::Multicast, 0)),
    },
    Case {
        rule: &fitness::FW002,
        trips: || {
            inspected(|cluster, seen| {
                let address = cluster.nodes[1].address;
                seen[0].peers.push(peer(address, PeerAnswer::Silent));
            })
        },
        passes: || {
            inspected(|cluster, seen| {
                let address = cluster.nodes[1].address;
                seen[0].peers.push(peer(address, PeerAnswer::Silent));
                // One of them gets through.
                seen[2].peers.push(peer(address, PeerAnswer::Refused));
            })
        },
    },
    Case {
        rule: &wire::FW003,
        trips: || inspected(|_, seen| adverts(&mut seen[2]).failure = Some(String::new())),
        passes: || inspected(|_, _| ()),
    },
    Case {
        rule: &wire::KA024,
        trips: || inspected(|_, seen| adverts(&mut seen[2]).routers.push(router("10.0.0.9", 61))),
        passes: || inspected(|_, seen| adverts(&mut seen[2]).routers.push(router("10.0.0.9", 62))),
    },
    // A cluster that was made by hand is no stranger.
    Case {
        rule: &wire::KA024,
        trips: || inspected(|_, seen| adverts(&mut seen[2]).routers.push(router("10.0.0.9", 61))),
        passes: || inspected(|_, seen| adverts(&mut seen[2]).routers.push(router("10.0.0.11", 61))),
    },
    Case {
        rule: &wire::KA061,
        trips: || inspected(|_, seen| lose(&mut seen[1], Peering::Unicast, 300)),
        passes: || inspected(|_, seen| lose(&mut seen[1], Peering::Unicast, 380)),
    },
    // A few lost ones are no rate.
    Case {
        rule: &wire::KA061,
        trips: || inspected(|cluster, seen| few(cluster, &mut seen[1], 397)),
        passes: || inspected(|cluster, seen| few(cluster, &mut seen[1], 398)),
    },
    Case {
        rule: &wire::KA062,
        trips: || {
            inspected(|_, seen| adverts(&mut seen[1]).heard[0].silence = Duration::from_millis(91))
        },
        passes: || {
            inspected(|_, seen| adverts(&mut seen[1]).heard[0].silence = Duration::from_millis(90))
        },
    },
    // Too short a test to tell.
    Case {
        rule: &wire::KA062,
        trips: || {
            inspected(|_, seen| adverts(&mut seen[1]).heard[0].silence = Duration::from_millis(91))
        },
        passes: || {
            inspected(|_, seen| {
                adverts(&mut seen[1]).heard[0].silence = Duration::from_millis(91);
                for host in seen {
                    adverts(host).sent = 10;
                }
            })
        },
    },
    Case {
        rule: &fitness::NG020,
        trips: || {
            inspected(|_, seen| {
                preflight(&mut seen[0])
                    .listeners
                    .push(listener("127.0.0.1", 80, "apache2"));
            })
        },
        passes: || {
            inspected(|_, seen| {
                let listeners = &mut preflight(&mut seen[0]).listeners;
                listeners.push(listener("0.0.0.0", 80, "nginx"));
                listeners.push(listener("0.0.0.0", 22, "sshd"));
            })
        },
    },
    Case {
        rule: &fitness::SE001,
        trips: || inspected(|_, seen| selinux(&mut seen[0], "Enforcing", false)),
        passes: || {
            inspected(|_, seen| {
                selinux(&mut seen[0], "Enforcing", true);
                selinux(&mut seen[1], "Permissive", false);
                selinux(&mut seen[2], "Enforcing", false);
                let relay = "httpd_can_network_relay".to_owned();
                preflight(&mut seen[2]).selinux_booleans.insert(relay, true);
            })
        },
    },
    Case {
        rule: &fitness::SY010,
        trips: || inspected(|_, seen| space(&mut seen[0], 16_383, None)),
        passes: || inspected(|_, seen| space(&mut seen[0], 16_384, None)),
    },
    Case {
        rule: &fitness::SY010,
        trips: || inspected(|_, seen| space(&mut seen[0], 1 << 30, Some(999))),
        passes: || inspected(|_, seen| space(&mut seen[0], 1 << 30, Some(1000))),
    },
    Case {
        rule: &fitness::SY011,
        trips: || inspected(|_, seen| preflight(&mut seen[0]).clock_is_synchronised = Some(false)),
        passes: || inspected(|_, seen| preflight(&mut seen[0]).clock_is_synchronised = None),
    },
    Case {
        rule: &fitness::SY012,
        trips: || {
            inspected(|_, seen| {
                preflight(&mut seen[0]).clock = Some(clock(-0.5));
                preflight(&mut seen[2]).clock = Some(clock(0.8));
            })
        },
        passes: || {
            inspected(|_, seen| {
                preflight(&mut seen[0]).clock = Some(clock(-0.5));
                preflight(&mut seen[2]).clock = Some(clock(0.6));
            })
        },
    },
    Case {
        rule: &fitness::SY013,
        trips: || {
            inspected(|_, seen| {
                let units = ["unattended-upgrades.service", "apt-daily-upgrade.timer"];
                runs(&mut seen[0], &units);
            })
        },
        passes: || inspected(|_, seen| runs(&mut seen[0], &["unattended-upgrades.service"])),
    },
    Case {
        rule: &fitness::SY014,
        trips: || {
            inspected(|_, seen| {
                seen[0]
                    .interfaces
                    .insert("eth0".to_owned(), "lowerlayerdown".to_owned());
            })
        },
        passes: || {
            inspected(|_, seen| {
                seen[0]
                    .interfaces
                    .insert("eth0".to_owned(), "unknown".to_owned());
                seen[0]
                    .interfaces
                    .insert("eth1".to_owned(), "down".to_owned());
            })
        },
    },
    Case {
        rule: &fitness::SY016,
        trips: || {
            inspected(|_, seen| {
                space(&mut seen[0], 1 << 30, None);
                let spaces = preflight(&mut seen[0]).space.values_mut();
                for space in spaces {
                    space.is_writable = false;
                }
            })
        },
        passes: || inspected(|_, seen| space(&mut seen[0], 1 << 30, None)),
    },
    Case {
        rule: &fitness::SY015,
        trips: || inspected(|_, seen| runs(&mut seen[0], &["keepalived@other.service"])),
        passes: || inspected(|_, seen| runs(&mut seen[0], &["keepalived.service"])),
    },
];
