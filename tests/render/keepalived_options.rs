//! The dimensions that affect keepalived.conf, the scripts and the drop-ins.

use std::time::Duration;

use hactl::model::*;

use crate::cluster::{instance, node};
use crate::variants::{Dimension, nothing, reference};

fn advert(cluster: &mut Cluster, version: VrrpVersion, millis: u64) {
    cluster.vrrp.version = version;
    cluster.vrrp.advert_interval = AdvertInterval::new(Duration::from_millis(millis)).unwrap();
}

fn weight(cluster: &mut Cluster, weight: i64) {
    let weight = Weight::new(weight).unwrap();
    cluster.vrrp.on_nginx_failure = OnNginxFailure::Weight { weight };
}

fn password(cluster: &mut Cluster, name: &str) {
    let password = reference(name);
    cluster.vrrp.authentication = Some(Authentication { password });
}

fn addresses(cluster: &mut Cluster, addresses: &[&str]) {
    cluster.instances = vec![instance("VI_1", 51, addresses, &cluster.nodes)];
}

fn routes(cluster: &mut Cluster, routes: &[(&str, &str, Option<&str>)]) {
    for instance in &mut cluster.instances {
        instance.routes = routes
            .iter()
            .map(|(destination, via, interface)| VirtualRoute {
                destination: destination.parse().unwrap(),
                via: via.parse().unwrap(),
                interface: interface.map(|name| InterfaceName::new(name).unwrap()),
            })
            .collect();
    }
}

pub(crate) const KEEPALIVED: &[Dimension] = &[
    // First, because it replaces the instances that later dimensions modify.
    Dimension {
        name: "hosts",
        values: &[
            ("owned", nothing),
            ("shared", |c| c.hosts.keepalived = Hold::Shared),
        ],
    },
    Dimension {
        name: "addresses",
        values: &[
            ("v4", nothing),
            ("two-v4", |c| {
                addresses(c, &["10.0.0.100/24", "10.0.0.101/32"]);
            }),
            ("v4-and-v6", |c| {
                addresses(c, &["fd00::100/64", "10.0.0.100/24"]);
            }),
            ("v6-over-v4-nodes", |c| addresses(c, &["fd00::100/64"])),
            ("v6-link-local-first", |c| {
                addresses(c, &["fe80::100/64", "fd00::100/128"]);
            }),
            ("v6-nodes", |c| {
                c.nodes = vec![
                    node(1, "fd00::11"),
                    node(2, "fd00::12"),
                    node(3, "fd00::13"),
                ];
                addresses(c, &["fd00::100/64", "10.0.0.100/24"]);
            }),
            ("active-active", |c| {
                let mut turned = c.nodes.clone();
                turned.rotate_left(1);
                c.instances
                    .push(instance("VI-2.b", 52, &["10.0.0.101/24"], &turned));
                c.instances.push(instance(
                    "VI_6",
                    53,
                    &["fe80::2/64", "fd00::101/64"],
                    &turned,
                ));
            }),
            ("one-node", |c| {
                c.nodes.truncate(1);
                addresses(c, &["10.0.0.100/24"]);
            }),
        ],
    },
    Dimension {
        name: "version",
        values: &[
            ("v3-50ms", |c| advert(c, VrrpVersion::V3, 50)),
            ("v3-10ms", |c| advert(c, VrrpVersion::V3, 10)),
            ("v3-40.95s", |c| advert(c, VrrpVersion::V3, 40_950)),
            ("v2-1s", |c| advert(c, VrrpVersion::V2, 1000)),
            ("v2-3s", |c| advert(c, VrrpVersion::V2, 3000)),
        ],
    },
    Dimension {
        name: "peering",
        values: &[
            ("unicast", nothing),
            ("multicast", |c| c.vrrp.peering = Peering::Multicast),
        ],
    },
    Dimension {
        name: "preemption",
        values: &[
            ("at-once", nothing),
            ("delayed", |c| {
                c.vrrp.preemption = Preemption::Preempt {
                    delay: Duration::from_millis(2500),
                };
            }),
            ("keep", |c| c.vrrp.preemption = Preemption::Keep),
        ],
    },
    Dimension {
        name: "on-failure",
        values: &[
            ("fault", nothing),
            ("-20", |c| weight(c, -20)),
            ("-253", |c| weight(c, -253)),
            ("+30", |c| weight(c, 30)),
        ],
    },
    Dimension {
        name: "password",
        values: &[
            ("none", nothing),
            ("short", |c| password(c, "PASSWORD")),
            ("long", |c| password(c, "LONG_PASSWORD")),
        ],
    },
    Dimension {
        name: "garp",
        values: &[
            ("60s", nothing),
            ("never", |c| c.vrrp.garp_refresh = None),
            ("half-a-second", |c| {
                c.vrrp.garp_refresh = Some(Duration::from_millis(500));
            }),
        ],
    },
    Dimension {
        name: "strict",
        values: &[("no", nothing), ("yes", |c| c.vrrp.strict = true)],
    },
    Dimension {
        name: "chain",
        values: &[
            ("none", nothing),
            ("NGINX_HA", |c| {
                c.vrrp.iptables_chain = Some(InstanceName::new("NGINX_HA").unwrap());
            }),
        ],
    },
    Dimension {
        name: "notify",
        values: &[
            ("all", nothing),
            ("none", |c| {
                c.notify = Notify {
                    master: false,
                    backup: false,
                    fault: false,
                };
            }),
            ("fault-and-hook", |c| {
                c.notify.master = false;
                c.notify.backup = false;
                c.notify_hook = Some(HostPath::new("/usr/local/bin/page-me").unwrap());
            }),
        ],
    },
    Dimension {
        name: "interface",
        values: &[
            ("own", nothing),
            ("eth1", |c| {
                for instance in &mut c.instances {
                    instance.interface = Some(InterfaceName::new("eth1").unwrap());
                }
            }),
            ("own-named", |c| {
                for instance in &mut c.instances {
                    instance.interface = Some(InterfaceName::new("eth0").unwrap());
                }
            }),
        ],
    },
    Dimension {
        name: "routes",
        values: &[
            ("none", nothing),
            ("default", |c| routes(c, &[("0.0.0.0/0", "10.0.0.1", None)])),
            ("several", |c| {
                routes(
                    c,
                    &[
                        ("10.9.0.0/16", "10.0.0.1", Some("eth1")),
                        ("fd09::/64", "fd00::1", None),
                    ],
                );
            }),
        ],
    },
    Dimension {
        name: "health",
        values: &[
            ("1s", nothing),
            ("500ms", |c| {
                c.health.interval = Duration::from_millis(500);
                c.health.timeout = Duration::from_millis(250);
                c.health.fall = 1;
                c.health.rise = 1;
            }),
            ("3s", |c| {
                c.health.interval = Duration::from_secs(3);
                c.health.timeout = Duration::from_millis(2500);
                c.health.fall = 3;
            }),
        ],
    },
    Dimension {
        name: "raw",
        values: &[
            ("none", nothing),
            ("all", |c| {
                c.raw = RawSnippets {
                    keepalived_global: Some("    vrrp_no_swap\n".to_owned()),
                    keepalived_instance: Some("    garp_master_delay 2\n\n".to_owned()),
                    keepalived: Some(
                        "static_routes {\n    10.8.0.0/16 via 10.0.0.1 dev eth0 no_track\n}\n"
                            .to_owned(),
                    ),
                };
            }),
        ],
    },
];
