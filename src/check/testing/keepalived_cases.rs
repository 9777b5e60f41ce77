//! Cases for rules on keepalived and VRRP.

use std::net::IpAddr;
use std::time::Duration;

use super::case::{Case, with};
use super::sample::{cluster, sample, weight};
use crate::check::families::{
    addresses, health, password, priority_order, protocol, raw, simulation, versions,
};
use crate::check::{Finding, VersionEvidence, keepalived_version, password, run};
use crate::model::{
    AdvertInterval, Authentication, Cluster, DownTimerAdverts, Failover, InstanceName, Peering,
    Preemption, SecretRef, Secrets, Version, VirtualRoute, VirtualRouterId, VrrpVersion,
};

fn global(snippet: &str) -> Vec<Finding> {
    let mut cluster = sample();
    cluster.raw.keepalived_global = Some(snippet.to_owned());
    run(&cluster)
}

fn instance(snippet: &str) -> Vec<Finding> {
    let mut cluster = sample();
    cluster.raw.keepalived_instance = Some(snippet.to_owned());
    run(&cluster)
}

fn version(version: Version, change: fn(&mut Cluster)) -> Vec<Finding> {
    let mut cluster = sample();
    change(&mut cluster);
    of_version(&cluster, version, false)
}

fn of_version(cluster: &Cluster, version: Version, leaves_profile_open: bool) -> Vec<Finding> {
    keepalived_version(&VersionEvidence {
        cluster,
        node: &cluster.nodes[0],
        version,
        leaves_profile_open,
    })
}

fn of_default_profile(version: Version) -> Vec<Finding> {
    let mut cluster = sample();
    cluster.vrrp.failover = Failover::Standard;
    of_version(&cluster, version, true)
}

fn with_password(secret: &str) -> Vec<Finding> {
    let mut cluster = sample();
    let reference = SecretRef::Env("VRRP_PASSWORD".to_owned());
    let mut secrets = Secrets::default();
    secrets.insert(reference.clone(), secret.to_owned().into());
    cluster.vrrp.authentication = Some(Authentication {
        password: reference,
    });
    password(&cluster, &secrets)
}

fn authenticated(cluster: &mut Cluster, version: VrrpVersion) {
    let password = SecretRef::Env("VRRP_PASSWORD".to_owned());
    cluster.vrrp.version = version;
    cluster.vrrp.failover = Failover::Standard;
    every(cluster, 1000, 3);
    cluster.vrrp.authentication = Some(Authentication { password });
}

fn strict(cluster: &mut Cluster, peering: Peering) {
    cluster.vrrp.strict = true;
    cluster.vrrp.peering = peering;
}

fn guide(number: i64) -> Vec<Finding> {
    let mut cluster = cluster(&[100, 90, 80]);
    cluster.vrrp.on_nginx_failure = weight(number);
    run(&cluster)
}

fn delayed(seconds: u64) -> Preemption {
    Preemption::Preempt {
        delay: Duration::from_secs(seconds),
    }
}

fn vip(cluster: &mut Cluster, networks: &[&str]) {
    cluster.instances[0].addresses = networks
        .iter()
        .map(|network| network.parse().expect("a network"))
        .collect();
}

fn route(cluster: &mut Cluster, destination: &str) {
    cluster.instances[0].routes = vec![VirtualRoute {
        destination: destination.parse().expect("a network"),
        via: IpAddr::from([10, 0, 0, 1]),
        interface: None,
    }];
}

/// The cases for rules on keepalived and VRRP.
pub(in crate::check) static KEEPALIVED_CASES: &[Case] = &[
    Case {
        rule: &raw::KA004,
        trips: || instance("virtual_ipaddress_excluded { 10.0.0.101/24 }"),
        passes: || instance("virtual_ipaddress_excluded {\n  10.0.0.101/24  # { or } }\n}"),
    },
    Case {
        rule: &raw::KA005,
        trips: || instance("garp_master_refesh 10"),
        passes: || instance("@lb1 garp_master_refresh 10 ! every 10 s"),
    },
    Case {
        rule: &versions::KA006,
        trips: || {
            version(Version::new(2, 1, 5), |c| {
                c.raw.keepalived_global = Some("vrrp_min_garp\nreload_file".to_owned());
            })
        },
        passes: || {
            version(Version::new(2, 2, 0), |c| {
                c.raw.keepalived_global = Some("vrrp_min_garp\nreload_file".to_owned());
            })
        },
    },
    Case {
        rule: &raw::KA007,
        trips: || instance("priority 200"),
        passes: || global("vrrp_skip_check_adv_addr"),
    },
    Case {
        rule: &raw::KA008,
        trips: || instance("track_interface {\n  eth1"),
        passes: || instance("track_interface {\n  eth1\n}"),
    },
    Case {
        rule: &priority_order::KA010,
        trips: || {
            with(|c| {
                c.vrrp.on_nginx_failure = weight(-20);
                c.vrrp.preemption = Preemption::Keep;
            })
        },
        passes: || with(|c| c.vrrp.preemption = Preemption::Keep),
    },
    Case {
        rule: &priority_order::KA011,
        trips: || guide(-20),
        passes: || guide(-21),
    },
    Case {
        rule: &priority_order::KA063,
        trips: || guide(164),
        passes: || guide(163),
    },
    Case {
        rule: &priority_order::KA063,
        trips: || guide(174),
        passes: || guide(-174),
    },
    Case {
        rule: &simulation::KA012,
        trips: || guide(-20),
        passes: || guide(21),
    },
    Case {
        rule: &priority_order::KA013,
        trips: || run(&cluster(&[100, 90, 90])),
        passes: || run(&cluster(&[100, 90, 89])),
    },
    Case {
        rule: &priority_order::KA014,
        trips: || with(|c| c.instances[0].state_master_on = Some(c.nodes[0].name.clone())),
        passes: || with(|_| {}),
    },
    Case {
        rule: &priority_order::KA015,
        trips: || {
            with(|c| {
                c.vrrp.on_nginx_failure = weight(-20);
                c.vrrp.preemption = delayed(1);
            })
        },
        passes: || with(|c| c.vrrp.preemption = delayed(1)),
    },
    Case {
        rule: &priority_order::KA016,
        trips: || with(|_| {}),
        passes: || with(|c| c.vrrp.on_nginx_failure = weight(-20)),
    },
    Case {
        rule: &protocol::KA017,
        trips: || with(|c| c.vrrp.version = VrrpVersion::V2),
        passes: || {
            with(|c| {
                authenticated(c, VrrpVersion::V2);
                c.vrrp.authentication = None;
            })
        },
    },
    Case {
        rule: &protocol::KA018,
        trips: || {
            with(|c| {
                vip(c, &["2001:db8::100/64"]);
                c.vrrp.version = VrrpVersion::V2;
            })
        },
        passes: || with(|c| vip(c, &["2001:db8::100/64"])),
    },
    Case {
        rule: &protocol::KA019,
        trips: || with(|c| vip(c, &["2001:db8::100/64"])),
        passes: || {
            with(|c| {
                vip(c, &["2001:db8::100/64"]);
                c.vrrp.peering = Peering::Multicast;
            })
        },
    },
    Case {
        rule: &versions::KA023,
        trips: || version(Version::new(1, 3, 5), |_| {}),
        passes: || version(Version::new(1, 3, 5), |c| c.nodes.truncate(2)),
    },
    Case {
        rule: &addresses::KA025,
        trips: || with(|c| vip(c, &["10.0.0.12/24"])),
        passes: || with(|c| vip(c, &["10.0.0.14/24"])),
    },
    Case {
        rule: &addresses::KA026,
        trips: || with(|c| vip(c, &["10.0.1.100/24"])),
        passes: || with(|c| vip(c, &["10.0.1.100/23"])),
    },
    Case {
        rule: &priority_order::KA027,
        trips: || run(&cluster(&[254])),
        passes: || run(&cluster(&[254, 252])),
    },
    Case {
        rule: &addresses::KA028,
        trips: || with(|c| vip(c, &["10.0.0.255/24"])),
        passes: || with(|c| vip(c, &["10.0.0.255/23"])),
    },
    Case {
        rule: &password::KA030,
        trips: || with_password("123456789"),
        passes: || with_password("k3v9Qz1x"),
    },
    Case {
        rule: &password::KA031,
        trips: || with(|c| authenticated(c, VrrpVersion::V3)),
        passes: || with(|c| authenticated(c, VrrpVersion::V2)),
    },
    Case {
        rule: &password::KA032,
        trips: || {
            with(|c| {
                c.vrrp.peering = Peering::Multicast;
                c.instances[0].virtual_router_id = VirtualRouterId::new(51).expect("an id");
            })
        },
        passes: || with(|c| c.vrrp.peering = Peering::Multicast),
    },
    Case {
        rule: &health::KA046,
        trips: || with(|c| c.health.timeout = Duration::from_secs(2)),
        passes: || with(|c| c.health.timeout = Duration::from_secs(1)),
    },
    Case {
        rule: &health::KA047,
        trips: || with(|c| c.health.interval = Duration::from_secs(3)),
        passes: || with(|c| c.health.interval = Duration::from_secs(2)),
    },
    Case {
        rule: &protocol::KA050,
        trips: || with(|c| strict(c, Peering::Multicast)),
        passes: || with(|c| c.vrrp.peering = Peering::Multicast),
    },
    Case {
        rule: &addresses::KA051,
        trips: || with(|c| route(c, "0.0.0.0/0")),
        passes: || with(|c| route(c, "0.0.0.0/1")),
    },
    Case {
        rule: &versions::KA052,
        trips: || version(Version::new(2, 1, 5), |_| {}),
        passes: || version(Version::new(2, 2, 0), |_| {}),
    },
    Case {
        rule: &protocol::KA055,
        trips: || with(|c| c.vrrp.iptables_chain = InstanceName::new("NGINX_HA").ok()),
        passes: || {
            with(|c| {
                strict(c, Peering::Multicast);
                c.vrrp.iptables_chain = InstanceName::new("NGINX_HA").ok();
            })
        },
    },
    Case {
        rule: &protocol::KA056,
        trips: || with(|c| strict(c, Peering::Unicast)),
        passes: || with(|c| strict(c, Peering::Multicast)),
    },
    Case {
        rule: &versions::KA057,
        trips: || version(Version::new(1, 3, 9), |_| {}),
        passes: || version(Version::new(2, 0, 10), |_| {}),
    },
    Case {
        rule: &versions::KA058,
        trips: || version(Version::new(2, 1, 5), eight_adverts),
        passes: || version(Version::new(2, 2, 3), eight_adverts),
    },
    Case {
        rule: &versions::KA066,
        trips: || of_default_profile(Version::new(2, 1, 5)),
        passes: || of_default_profile(Version::new(2, 2, 3)),
    },
    Case {
        rule: &protocol::KA059,
        trips: || with(|c| every(c, 50, 3)),
        passes: || with(|c| every(c, 1000, 3)),
    },
    Case {
        rule: &protocol::KA059,
        trips: || with(|c| every(c, 1000, 2)),
        passes: || with(|c| every(c, 50, 5)),
    },
    Case {
        rule: &protocol::KA059,
        trips: || {
            with(|c| {
                every(c, 50, 3);
                strict(c, Peering::Multicast);
            })
        },
        passes: || with(|c| every(c, 990, 3)),
    },
    Case {
        rule: &protocol::KA059,
        trips: || with(|c| every(c, 3000, 1)),
        passes: || with(|c| every(c, 3000, 3)),
    },
    Case {
        rule: &protocol::KA060,
        trips: || {
            with(|c| {
                authenticated(c, VrrpVersion::V2);
                c.vrrp.failover = Failover::Fast;
            })
        },
        passes: || with(|c| authenticated(c, VrrpVersion::V2)),
    },
];

/// Sets the advert interval, and the number of adverts that may be missed.
fn every(cluster: &mut Cluster, milliseconds: u64, missing: i64) {
    let interval = Duration::from_millis(milliseconds);
    cluster.vrrp.advert_interval = AdvertInterval::new(interval).expect("valid");
    cluster.vrrp.down_timer_adverts = DownTimerAdverts::new(missing).expect("valid");
}

fn eight_adverts(cluster: &mut Cluster) {
    cluster.vrrp.down_timer_adverts = DownTimerAdverts::new(8).expect("valid");
}
