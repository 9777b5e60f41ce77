//! Whether nodes with one configuration hear nodes with another, against a model of what keepalived does with an
//! advert.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::change::Change;
use super::disagreement::compare;
use super::strictness::Strictness;
use super::{gap, routers};
use crate::conf::keepalived::Conf;

fn read_text(text: &str) -> routers::Routers {
    routers::of(&Conf::of_text(text, None))
}

const STRICT: Strictness = Strictness {
    compares_addresses: true,
};

/// A cluster's VRRP settings, from which the file is written.
#[derive(Debug, Clone, PartialEq)]
struct Settings {
    name: &'static str,
    nodes: BTreeSet<u8>,
    unicast: bool,
    group: Option<&'static str>,
    interface: &'static str,
    version: u8,
    id: u8,
    password: Option<&'static str>,
    advert: &'static str,
    vips: BTreeSet<u8>,
    prefix: u8,
    priority: u8,
    strict: bool,
    inline: bool,
}

prop_compose! {
    fn settings()(
        name in prop_oneof![Just("VI_1"), Just("other")],
        nodes in proptest::collection::btree_set(11_u8..14, 2..4),
        unicast in any::<bool>(),
        group in prop_oneof![3 => Just(None), 1 => Just(Some("224.0.0.19"))],
        interface in prop_oneof![3 => Just("eth0"), 1 => Just("eth1")],
        version in prop_oneof![Just(2_u8), Just(3)],
        id in prop_oneof![3 => Just(51_u8), 1 => Just(52)],
        password in prop_oneof![Just(None), Just(Some("one")), Just(Some("two"))],
        advert in prop_oneof![Just("1"), Just("2")],
        vips in proptest::collection::btree_set(100_u8..102, 1..3),
        prefix in prop_oneof![Just(24_u8), Just(32)],
        priority in 100_u8..103,
        strict in prop_oneof![3 => Just(false), 1 => Just(true)],
        inline in any::<bool>(),
    ) -> Settings {
        Settings { name, nodes, unicast, group, interface, version, id, password, advert, vips, prefix, priority, strict, inline }
    }
}

impl Settings {
    fn text(&self, node: u8) -> String {
        let block = |name: &str, lines: Vec<String>| {
            if self.inline {
                format!(
                    "  {name} {{ {} }} # braces beside items\n",
                    lines.join("\n")
                )
            } else {
                format!("  {name}\n  {{\n    {}\n  }}\n", lines.join("\n    "))
            }
        };
        let address = |last: &u8| format!("10.0.0.{last}");
        let strict = if self.strict { "  vrrp_strict\n" } else { "" };
        let group = self.group.map_or(String::new(), |group| {
            format!("  vrrp_mcast_group4 {group}\n")
        });
        let unicast = if self.unicast {
            let peers = self.nodes.iter().filter(|peer| **peer != node);
            let peers = block("unicast_peer", peers.map(address).collect());
            format!("  unicast_src_ip 10.0.0.{node}\n{peers}")
        } else {
            String::new()
        };
        let authentication = self.password.map_or(String::new(), |password| {
            let lines = vec!["auth_type PASS".to_owned(), format!("auth_pass {password}")];
            block("authentication", lines)
        });
        let vips = self.vips.iter();
        let vips = vips.map(|last| format!("10.0.0.{last}/{}", self.prefix));
        let vips = block("virtual_ipaddress", vips.collect());
        let Self {
            name,
            interface,
            version,
            id,
            priority,
            advert,
            ..
        } = self;
        format!(
            "global_defs {{\n  vrrp_version {version}\n{strict}{group}}}\nvrrp_instance {name} {{\n  interface {interface}\n  virtual_router_id {id}\n  priority {priority}\n  advert_int {advert}\n{unicast}{authentication}{vips}}}\n"
        )
    }

    /// True when node `to` with the settings `other` accepts an advert that `from` sends with `self`.
    fn is_heard(&self, from: u8, other: &Self, to: u8) -> bool {
        let arrives = match (self.unicast, other.unicast) {
            (true, true) => self.nodes.contains(&to) && other.nodes.contains(&from),
            (false, false) => self.group == other.group,
            _ => false,
        };
        let secret = |own: &Self| own.password.filter(|_| own.version == 2);
        arrives
            && self.interface == other.interface
            && self.id == other.id
            && self.version == other.version
            && self.advert == other.advert
            && self.strict == other.strict
            && secret(self) == secret(other)
            && self.vips == other.vips
    }
}

fn between(old: &Settings, new: &Settings, node: u8) -> Option<Change> {
    let read = |settings: &Settings| read_text(&settings.text(node)).routers;
    compare(&read(old), &read(new), STRICT)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// If a changed and an unchanged node would not hear each other, some node is found to change a setting that all
    /// must agree on.
    #[test]
    fn nodes_that_would_not_hear_each_other_are_never_changed_one_by_one(
        old in settings(), new in settings(),
    ) {
        let both: Vec<u8> = old.nodes.intersection(&new.nodes).copied().collect();
        let mixed = || both.iter().flat_map(|a| new.nodes.iter().map(move |b| (*a, *b))).filter(|(a, b)| a != b);
        let deaf = mixed().any(|(a, b)| {
            // A node that joins has no old configuration.
            old.nodes.contains(&a) && (!old.is_heard(a, &new, b) || !new.is_heard(b, &old, a))
        });
        let found = both.iter().any(|node| between(&old, &new, *node).is_some());
        if deaf {
            prop_assert!(found, "{:?}", both);
        }
    }

    /// Settings that peers do not see cause no disagreement.
    #[test]
    fn what_no_peer_sees_is_changed_one_by_one(old in settings(), other in settings()) {
        let new = Settings {
            name: other.name,
            prefix: other.prefix,
            priority: other.priority,
            inline: other.inline,
            ..old.clone()
        };
        for node in &old.nodes {
            prop_assert!(between(&old, &new, *node).is_none());
        }
    }
}

fn base() -> Settings {
    Settings {
        name: "VI_1",
        nodes: [11, 12, 13].into(),
        unicast: true,
        group: None,
        interface: "eth0",
        version: 2,
        id: 51,
        password: Some("one"),
        advert: "1",
        vips: [100].into(),
        prefix: 24,
        priority: 100,
        strict: false,
        inline: false,
    }
}

type Edit = fn(&mut Settings);

#[test]
fn each_setting_has_its_words_and_a_password_has_none() {
    let said = |edit: fn(&mut Settings)| {
        let mut new = base();
        edit(&mut new);
        between(&base(), &new, 11).map(|found| found.to_string())
    };
    let cases: [(Edit, &str); 9] = [
        (
            |s| s.unicast = false,
            "VI_1 changes from unicast to multicast",
        ),
        (
            |s| s.nodes = [11, 12, 13, 14].into(),
            "the unicast peers of VI_1 change: 10.0.0.14 joins",
        ),
        (
            |s| s.nodes = [11, 13, 22].into(),
            "the unicast peers of VI_1 change: 10.0.0.12 leaves and 10.0.0.22 joins",
        ),
        (|s| s.version = 3, "VI_1 changes from VRRPv2 to VRRPv3"),
        (
            |s| s.password = Some("secret"),
            "VI_1 changes its authentication",
        ),
        (
            |s| s.advert = "2",
            "VI_1 changes its advert interval from 1s to 2s",
        ),
        (
            |s| s.vips = [100, 101].into(),
            "the VIPs of VI_1 change: 10.0.0.101 joins",
        ),
        (
            |s| s.interface = "eth1",
            "10.0.0.100 moves from virtual router 51 on eth0 to virtual router 51 on eth1",
        ),
        (|s| s.strict = true, "VI_1 turns vrrp_strict on"),
    ];
    for (edit, words) in cases {
        assert_eq!(said(edit), Some(words.to_owned()));
    }
    assert_eq!(said(|s| s.name = "renamed"), None);
}

/// What keepalived takes for a new virtual router waits a full master-down interval: 3 × advert and (256 - 100)/256
/// of a second or, with VRRPv3, of an advert.
#[test]
fn nobody_owns_a_vip_while_its_router_is_made_anew() {
    const VIP: [u8; 4] = [10, 0, 0, 100];
    let read = |settings: &Settings, node| read_text(&settings.text(node)).routers;
    let gap = |edit: Edit, is_keepers| {
        let mut new = base();
        edit(&mut new);
        let held = [(VIP.into(), is_keepers)];
        gap::without_owner(&read(&base(), 11), &read(&new, 11), &held)
    };
    let millis = |millis: f64| Some(Duration::from_secs_f64(millis / 1000.0));
    let anew: [Edit; 3] = [
        |s| s.id = 52,
        |s| s.interface = "eth1",
        |s| s.unicast = false,
    ];
    for edit in anew {
        assert_eq!(gap(edit, true), millis(3609.375));
    }
    let version_3: Edit = |s| (s.id, s.version, s.advert) = (52, 3, "2");
    assert_eq!(gap(version_3, true), millis(7218.75));
    let goes_on: [Edit; 6] = [
        |s| s.version = 3,
        |s| s.password = None,
        |s| s.advert = "2",
        |s| s.nodes = [11, 12].into(),
        |s| s.vips = [100, 101].into(),
        |s| s.name = "renamed",
    ];
    for edit in goes_on {
        assert_eq!(gap(edit, true), Some(Duration::ZERO));
        // A VIP of another node may not have reached the keeper when the keeper loads the new file.
        assert!(gap(edit, false) > millis(3609.0));
    }
    // Another source address.
    let held = [(VIP.into(), true)];
    let other = gap::without_owner(&read(&base(), 11), &read(&base(), 21), &held);
    assert_eq!(other, millis(3609.375));
    // A VIP that is removed, and one that keepalived does not manage.
    assert_eq!(gap(|s| s.vips = [101].into(), true), Some(Duration::ZERO));
    let held = [([10, 0, 0, 9].into(), true)];
    assert_eq!(gap::without_owner(&read(&base(), 11), &[], &held), None);
}

#[test]
fn a_vip_that_another_instance_brings_is_never_two() {
    let two = |first: &str, second: &str| {
        let one = |id: u8, vip: &str| {
            format!(
                "vrrp_instance v{id} {{\n interface eth0\n virtual_router_id {id}\n virtual_ipaddress {{\n {vip}\n }}\n}}\n"
            )
        };
        read_text(&(one(51, first) + &one(52, second))).routers
    };
    let tolerant = Strictness {
        compares_addresses: false,
    };
    let (old, new) = (
        two("10.0.0.100/24", "10.0.0.101/24"),
        two("10.0.0.101/24", "10.0.0.100/24"),
    );
    assert!(compare(&old, &new, tolerant).is_some());
    // From 2.3.3 on, a list that differs is only logged, provided that no VIP changes its virtual router.
    let longer = two("10.0.0.100/24 dev eth0\n 10.0.0.103/24", "10.0.0.101/24");
    assert!(compare(&old, &longer, tolerant).is_none());
    assert!(compare(&old, &longer, STRICT).is_some());
    // An instance that exists on one side only.
    assert!(compare(&old, &old[..1], tolerant).is_some());
    assert!(compare(&old[..1], &old, tolerant).is_some());
    assert!(compare(&[], &old, tolerant).is_none(), "a node that joins");
}

#[test]
fn what_runs_counts_and_not_what_its_file_says_by_now() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let file = read_text(&base().text(11)).routers.remove(0);
    let wire = crate::agent::Wire {
        router_id: Some(60),
        peers: [address("10.0.0.12")].into(),
        ..crate::agent::Wire::default()
    };
    let running = file.clone().with_wire(&wire);
    assert_eq!(running.id, 60);
    assert!(compare(&[running], std::slice::from_ref(&file), STRICT).is_some());
    let told = crate::agent::Wire::default();
    let multicast = Settings {
        unicast: false,
        ..base()
    };
    let file = read_text(&multicast.text(11)).routers.remove(0);
    let running = file.clone().with_wire(&told);
    assert!(compare(&[running], &[file], STRICT).is_none());
}
