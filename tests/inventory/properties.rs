//! Properties of every text, and of every valid inventory.

use std::fmt::Write as _;

use super::{errors_of, inventory, rendered};
use proptest::prelude::*;

/// Text that resembles YAML often enough to reach the parser's later stages.
fn yaml_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("cluster"),
        Just("nodes"),
        Just("vips"),
        Just("sites"),
        Just("listen"),
        Just("address"),
        Just("vrrp"),
        Just("upstreams"),
        Just("servers"),
        Just("password"),
        Just(": "),
        Just(":\n  "),
        Just("\n"),
        Just("- "),
        Just("{ "),
        Just(" }"),
        Just("["),
        Just("]"),
        Just(", "),
        Just("&a "),
        Just("*a"),
        Just("<<: "),
        Just("!t "),
        Just("'"),
        Just("\""),
        Just("|\n  "),
        Just("# "),
        Just("\t"),
        Just("10.0.0.1"),
        Just("80 tls"),
        Just("no"),
        Just("~"),
        Just("é"),
        Just("\r\n"),
        Just("---\n"),
        Just("? "),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_or_explained(text in prop_oneof![yaml_like(), any::<String>()]) {
        if let Err(errors) = inventory::load("any.yml", &text) {
            prop_assert!(errors.total() > 0);
            for error in errors.errors() {
                prop_assert!(error.place().is_none() || error.offending().is_some());
            }
            rendered(&errors);
        }
    }

    #[test]
    fn any_bytes_are_read_or_explained(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if inventory::load_bytes("any.yml", &bytes).is_err() {
            rendered(&errors_of("any.yml", &bytes));
        }
    }
}

/// A hostile value for any place that takes a text.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z;{}$`'\"#\\\\ \n\r\t\u{0}\u{1b}\u{202e}(|&<>]{1,20}",
        Just("$(reboot)".to_owned()),
        Just("eth0\n}".to_owned()),
    ]
}

proptest! {
    #[test]
    fn a_valid_inventory_means_what_it_says(
        nodes in 1..20_u8,
        vips in 1..10_u8,
        servers in 1..20_u8,
        prefer in any::<prop::sample::Index>(),
    ) {
        let mut text = String::from("cluster: c\nnodes:\n");
        for n in 0..nodes {
            let _ = writeln!(text, "  - {{ name: n{n}, address: 10.0.0.{}, interface: eth0 }}", n + 1);
        }
        text.push_str("vips:\n");
        for v in 0..vips {
            let _ = writeln!(text, "  - {{ address: 10.0.1.{}/16, prefer: n{} }}", v + 1, prefer.index(nodes.into()));
        }
        let list: Vec<_> = (0..servers).map(|s| format!("10.0.2.{}:80", s + 1)).collect();
        let _ = writeln!(text, "upstreams: {{ u: {{ servers: [{}] }} }}", list.join(", "));
        let cluster = inventory::load("valid.yml", &text).expect("it is valid").cluster;
        prop_assert_eq!(cluster.nodes.len(), usize::from(nodes));
        prop_assert_eq!(cluster.upstreams[0].servers.len(), usize::from(servers));
        for instance in &cluster.instances {
            prop_assert_eq!(instance.priority_order.len(), usize::from(nodes));
            let preferred = instance.preferred().expect("somebody").as_str();
            prop_assert_eq!(preferred, format!("n{}", prefer.index(nodes.into())));
            prop_assert!(instance.priority_order.windows(2).all(|pair| pair[0].1 > pair[1].1));
        }
    }

    #[test]
    fn a_starter_is_read_back_or_refused_at_the_value(value in hostile()) {
        let options = inventory::StarterOptions { cluster: Some(value.clone()), ..Default::default() };
        match inventory::load("hactl.yml", &inventory::starter(&options)) {
            Ok(inventory) => prop_assert_eq!(inventory.cluster.name.as_str(), value),
            Err(errors) => prop_assert_eq!(errors.total(), 1, "{}", rendered(&errors)),
        }
    }
}

/// The largest difference between the VIP counts of any two surviving nodes, over all sets of
/// `failed` dead nodes.
fn imbalance(nodes: usize, vips: usize, failed: u32) -> usize {
    let mut text = String::from("cluster: c\nnodes:\n");
    for n in 0..nodes {
        let _ = writeln!(
            text,
            "  - {{ name: n{n}, address: 10.0.0.{}, interface: eth0 }}",
            n + 1
        );
    }
    text.push_str("vips:\n");
    for v in 0..vips {
        let _ = writeln!(text, "  - {{ address: 10.0.1.{}/16 }}", v + 1);
    }
    text.push_str("upstreams: { u: { servers: [10.0.2.1:80] } }\n");
    let cluster = inventory::load("valid.yml", &text)
        .expect("it is valid")
        .cluster;
    let place = |name: &str| {
        cluster
            .nodes
            .iter()
            .position(|node| node.name.as_str() == name)
    };
    let sets = (0..1_u32 << nodes).filter(|set| set.count_ones() == failed);
    let differ = sets.map(|set| {
        let dead = |node: usize| set & (1 << node) != 0;
        let mut shares = vec![0_usize; nodes];
        for instance in &cluster.instances {
            let mut order = instance
                .priority_order
                .iter()
                .filter_map(|(name, _)| place(name.as_str()));
            shares[order.find(|node| !dead(*node)).expect("somebody is left")] += 1;
        }
        let left = (0..nodes)
            .filter(|node| !dead(*node))
            .map(|node| shares[node]);
        left.clone().max().unwrap_or(0) - left.min().unwrap_or(0)
    });
    differ.max().unwrap_or(0)
}

#[test]
fn vips_are_shared_evenly_by_the_nodes_that_are_left() {
    for nodes in 2..=6 {
        for vips in 1..=18 {
            for failed in 0..3.min(u32::try_from(nodes).expect("few")) {
                let differ = imbalance(nodes, vips, failed);
                // With three nodes an even distribution is always possible. With more, no order
                // works for every pair of failures.
                let accepted = if failed == 2 && nodes > 3 { 2 } else { 1 };
                assert!(
                    differ <= accepted,
                    "{nodes} nodes, {vips} VIPs, {failed} failed: {differ}"
                );
            }
        }
    }
}
