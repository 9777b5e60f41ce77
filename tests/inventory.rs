//! Inventories as operators write them: good ones mean what they should, and for a bad one every
//! mistake is reported with its place and a remedy.

#![expect(
    clippy::expect_used,
    reason = "a test that can't go on says so by panicking"
)]

use std::path::{Path, PathBuf};

use hactl::inventory::{self, Inventory, InventoryErrors};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn shipped(name: &str) -> Inventory {
    let bytes = std::fs::read(project("inventories").join(name)).expect("the file exists");
    match inventory::load_bytes(name, &bytes) {
        Ok(inventory) => inventory,
        Err(errors) => panic!("{}", rendered(&errors)),
    }
}

/// A report as it looks in a plain log: 80 columns, ASCII, no colour.
fn rendered(diagnostic: &dyn Diagnostic) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(80);
    handler
        .render_report(&mut text, diagnostic)
        .expect("a String takes it all");
    text.lines()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn errors_of(name: &str, bytes: &[u8]) -> InventoryErrors {
    match inventory::load_bytes(name, bytes) {
        Ok(_) => panic!("{name} has no errors"),
        Err(errors) => errors,
    }
}

#[test]
fn the_twelve_lines_mean_what_an_expert_would_choose() {
    insta::assert_debug_snapshot!(shipped("small.yml").cluster);
}

#[test]
fn the_guides_inventory_means_the_guides_cluster() {
    insta::assert_debug_snapshot!(shipped("guide.yml").cluster);
}

#[test]
fn the_full_inventory_means_what_it_says() {
    insta::assert_debug_snapshot!(shipped("full.yml").cluster);
}

#[test]
fn every_malformed_inventory_is_explained() {
    let mut count = 0;
    insta::glob!("inventories/malformed/*.yml", |path| {
        count += 1;
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a plain name");
        let bytes = std::fs::read(path).expect("the file exists");
        insta::assert_snapshot!(rendered(&errors_of(name, &bytes)));
    });
    assert!(count >= 40, "{count} malformed inventories");
}

/// Fails if a generated file differs from the committed one, or rewrites it with `UPDATE=1`.
fn assert_fresh(path: &str, expected: &str) {
    let file = project(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "{path} is stale: UPDATE=1 cargo test --test inventory"
    );
}

#[test]
fn the_committed_schema_is_fresh() {
    let schema = serde_json::to_string_pretty(&inventory::schema()).expect("it is JSON");
    assert_fresh("schema/inventory.schema.json", &format!("{schema}\n"));
}

#[test]
fn the_committed_reference_is_fresh() {
    let first = std::fs::read_to_string(project("inventories/small.yml")).expect("it exists");
    assert_fresh(
        "docs/inventory.md",
        &inventory::reference(&inventory::schema(), &first),
    );
}

/// The small inventory with `tail` appended.
fn small_with(tail: &str) -> String {
    let small = std::fs::read_to_string(project("inventories/small.yml")).expect("it exists");
    format!("{small}{tail}")
}

#[test]
fn what_is_underlined_is_what_offends() {
    let cases = [
        ("vrrp: { failover: quick }\n", "quick"),
        ("vrrp:\n  failover: \"quick\"\n", "\"quick\""),
        ("vrrp: { advert_int: 1s }\n", "advert_int"),
        ("health: { fall: [3, 4] }\n", "[3, 4]"),
        ("health: { fall: 3x }   # a comment\n", "3x"),
        ("höhe: 3\n", "höhe"),
        ("health:\n  fall:\n    - 3\n", "fall"),
        ("nginx:\n  log_format: |\n    a\n    b\n", "a"),
        (
            "streams:\n  - listen: 53 udp\n    proxy: dns  # which\n",
            "dns",
        ),
        ("streams:\n  -\n    listen: 53 udp\n", "listen: 53 udp"),
        ("streams:\r\n  - listen: 53\r\n    proxy: dns\r\n", "dns"),
        ("notify: { hook: relative }\n", "relative"),
        (
            "notify: { hook: \u{e9}\u{1f980} } # \u{1f980}\n",
            "\u{e9}\u{1f980}",
        ),
    ];
    for (tail, offending) in cases {
        let errors = errors_of("inventory.yml", small_with(tail).as_bytes());
        let found: Vec<_> = errors
            .errors()
            .iter()
            .map(|error| error.offending())
            .collect();
        assert_eq!(found, [Some(offending)], "{tail}");
    }
}

#[test]
fn errors_come_in_the_order_of_the_file_and_know_their_place() {
    let text = small_with("vrrp: { strict: maybe, failover: quick }\nhealth: { fall: x }\n");
    let errors = errors_of("inventory.yml", text.as_bytes());
    let places = errors
        .errors()
        .iter()
        .filter_map(inventory::InventoryError::place);
    let places: Vec<_> = places.map(|place| (place.line, place.column)).collect();
    assert_eq!(places, [(12, 17), (12, 34), (13, 17)]);
    assert_eq!(errors.total(), 3);
}

#[test]
fn a_byte_order_mark_and_other_line_ends_are_fine() {
    let text = format!("\u{feff}{}", small_with("").replace('\n', "\r\n"));
    let cluster = inventory::load("inventory.yml", &text)
        .expect("it is valid")
        .cluster;
    assert_eq!(
        format!("{cluster:?}"),
        format!("{:?}", shipped("small.yml").cluster)
    );
}

#[test]
fn errors_are_also_data() {
    let errors = errors_of(
        "inventory.yml",
        small_with("health: { fall: x }\n").as_bytes(),
    );
    insta::assert_json_snapshot!(errors.errors());
}

#[test]
fn a_path_resolves_to_its_text_or_to_its_nearest_typed_ancestor() {
    let inventory = shipped("small.yml");
    let root = hactl::model::InventoryPath::root();
    let node = root.key("nodes").index(1);
    let cases = [
        (node.key("address"), "10.0.0.12"),
        (
            node.key("priority"),
            "{ name: lb2, address: 10.0.0.12, interface: eth0 }",
        ),
        (
            node.clone(),
            "{ name: lb2, address: 10.0.0.12, interface: eth0 }",
        ),
        (root.key("nodes"), "nodes"),
        (root.key("nodes").index(7), "nodes"),
        (
            root.key("vips").index(0).key("virtual_router_id"),
            "{ address: 10.0.0.100/24 }",
        ),
        (root.key("vrrp").key("failover"), "cluster: web"),
        (
            root.key("upstreams").key("backend").key("servers").index(2),
            "192.168.1.12:8080",
        ),
    ];
    for (path, expected) in cases {
        let place = inventory.source.place(&path);
        let text = &inventory.source.text()[place.offset..place.offset + place.length];
        assert_eq!(text, expected, "{path}");
    }
    assert!(inventory.source.is_typed(&node));
    assert!(!inventory.source.is_typed(&node.key("priority")));
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let text = "\
cluster: web
nodes:
  - &lb1 { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { <<: *lb1, name: lb2, address: 10.0.0.12 }
vips: [{ address: 10.0.0.100/24 }]
upstreams:
  one: { servers: &servers [192.168.1.10:8080] }
  two: { servers: *servers }
";
    let cluster = inventory::load("inventory.yml", text)
        .expect("it is valid")
        .cluster;
    assert_eq!(cluster.nodes[1].interface.as_str(), "eth0");
    assert_eq!(cluster.upstreams[0].servers, cluster.upstreams[1].servers);
}

#[test]
fn a_profile_chooses_adverts_how_many_may_be_missing_and_priorities() {
    for (vrrp, adverts, priorities) in [
        ("{}", (20, 8), [254, 228]),
        ("{ failover: fast, strict: true }", (50, 3), [254, 243]),
        ("{ failover: fast, version: 2 }", (1000, 3), [254, 252]),
        ("{ failover: standard }", (1000, 3), [254, 252]),
        ("{ failover: wan }", (3000, 3), [254, 252]),
        // For a custom interval, the RFC's three missed adverts apply.
        ("{ advert_interval: 100ms }", (100, 3), [254, 248]),
        (
            "{ advert_interval: 10ms, down_timer_adverts: 20 }",
            (10, 20),
            [254, 202],
        ),
        // The weight must exceed the difference between adjacent priorities.
        ("{ on_nginx_failure: { weight: -30 } }", (20, 8), [254, 252]),
    ] {
        let cluster = inventory::load("inventory.yml", &small_with(&format!("vrrp: {vrrp}\n")))
            .expect("it is valid")
            .cluster;
        let settings = &cluster.vrrp;
        let interval = settings.advert_interval.duration().as_millis();
        let number = settings.down_timer_adverts.get();
        assert_eq!((interval, number), adverts, "{vrrp}");
        let priority_order = cluster.instances[0].priority_order.iter();
        let own: Vec<_> = priority_order.map(|(_, priority)| priority.get()).collect();
        assert_eq!(own[..2], priorities, "{vrrp}");
    }
}

#[test]
fn many_nodes_share_the_priorities_that_there_are() {
    let nodes: Vec<String> = (1..=60)
        .map(|n| format!("{{ name: lb{n}, address: 10.0.0.{n}, interface: eth0 }}"))
        .collect();
    let nodes = nodes.join(", ");
    let text = format!("cluster: web\nnodes: [{nodes}]\nvips: [{{ address: 10.0.0.100/24 }}]\n");
    let cluster = inventory::load("inventory.yml", &text)
        .expect("it is valid")
        .cluster;
    let priority_order = cluster.instances[0].priority_order.iter();
    let own: Vec<_> = priority_order.map(|(_, priority)| priority.get()).collect();
    assert_eq!((own[0], own[1], own[59]), (254, 250, 18));
}

#[test]
fn a_plain_secret_is_not_repeated() {
    for tail in [
        "vrrp: { authentication: { password: hunter2-poison } }\n",
        "vrrp: { authentication: { password: [hunter2-poison] } }\n",
        "vrrp: { auth_pass: hunter2-poison }\n",
        "vrrp: { authentication: { pasword: hunter2-poison } }\n",
        "vrrp: { authentication: hunter2-poison }\n",
        "password: hunter2-poison\n",
        "vrrp: { authentication: { password: { env: A }, password: hunter2-poison } }\n",
        "vrrp: { authentication: { password: !vault hunter2-poison } }\n",
        "vrrp:\n  authentication:\n    password: |\n      hunter2-poison\n      hunter2-poison\n  strict: 3\n",
        "vrrp: { authentication: { password: { plain: hunter2-poison } } }\n",
        "vrrp: { authentication: { password: \"hunter2-poison } }\n",
        "vrrp:\n  auth_pass: [hunter2-poison\n",
    ] {
        let errors = errors_of("inventory.yml", small_with(tail).as_bytes());
        let report = rendered(&errors);
        assert!(!report.contains("poison"), "{report}");
        assert!(!format!("{errors:?}").contains("poison"), "{errors:?}");
    }
}

#[test]
fn the_starter_is_a_valid_inventory() {
    let text = inventory::starter(&inventory::StarterOptions::default());
    insta::assert_snapshot!(text);
    let starter = inventory::load("hactl.yml", &text)
        .expect("it is valid")
        .cluster;
    assert_eq!(
        format!("{starter:?}"),
        format!("{:?}", shipped("small.yml").cluster)
    );
}

#[test]
fn a_starter_holds_what_it_was_given() {
    let text = inventory::starter(&inventory::StarterOptions {
        cluster: Some("shop".into()),
        nodes: vec![inventory::StarterNode {
            name: "a".into(),
            address: "2001:db8::11".into(),
            interface: "ens3".into(),
        }],
        vip: Some("2001:db8::100/64".into()),
        servers: vec!["[2001:db8::10]:80".into()],
        virtual_router_id: Some(7),
        user: Some("admin".into()),
    });
    insta::assert_snapshot!(text);
    inventory::load("hactl.yml", &text).expect("it is valid");
}

#[path = "inventory/properties.rs"]
mod properties;

#[path = "inventory/bombs.rs"]
mod bombs;
