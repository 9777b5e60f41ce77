//! Rules applied to inventories as operators write them: each finding points at the text in the
//! file.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up fails by panicking"
)]

use std::fmt::Write as _;

use hactl::check::{self, Finding, Severity};
use hactl::inventory::{self, Inventory};
use hactl::model::{Cluster, FileRole, NodeFacts, Secrets};
use hactl::render::{Templates, render};

fn shipped(name: &str) -> Inventory {
    let path = format!("{}/inventories/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the file exists");
    load(name, &text)
}

fn load(name: &str, text: &str) -> Inventory {
    inventory::load(name, text).unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(errors)))
}

/// Each finding with its place in the file, and the line there.
fn listing(inventory: &Inventory) -> String {
    let lines: Vec<_> = inventory.source.text().lines().collect();
    let mut listing = String::new();
    for finding in check::run(&inventory.cluster) {
        let place = inventory.source.place(&finding.path);
        let (line, column) = (place.line, place.column);
        let typed = lines.get(line - 1).copied().unwrap_or_default().trim();
        let Finding {
            rule,
            path,
            message,
            fix,
            ..
        } = &finding;
        let severity = finding.severity();
        writeln!(
            listing,
            "{severity} {} {line}:{column} {path}\n  | {typed}",
            rule.id
        )
        .and_then(|()| writeln!(listing, "  {message}\n  -> {fix}"))
        .expect("a string takes it");
    }
    listing
}

#[test]
fn the_shipped_inventories_have_no_errors() {
    for name in ["small.yml", "guide.yml", "full.yml"] {
        let inventory = shipped(name);
        let findings = check::run(&inventory.cluster);
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity() < Severity::Error),
            "{name}:\n{}",
            listing(&inventory)
        );
    }
}

#[test]
fn the_twelve_lines_get_no_warning() {
    let findings = check::run(&shipped("small.yml").cluster);
    let ids: Vec<_> = findings.iter().map(|finding| finding.rule.id).collect();
    assert_eq!(ids, ["KA016"]);
}

#[test]
fn the_guides_own_settings_are_explained() {
    insta::assert_snapshot!(listing(&shipped("guide.yml")));
}

#[test]
fn mistakes_are_shown_where_they_were_typed() {
    let text = "\
cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0, priority: 100 }
  - { name: lb2, address: 10.0.0.12, interface: eth0, priority: 90 }
  - { name: lb3, address: 10.0.0.13, interface: eth0, priority: 80 }
vips:
  - address: 10.0.1.100/24
    virtual_router_id: 51
    state_master_on: lb1
    routes:
      - { to: default, via: 10.0.0.1 }
vrrp:
  version: 2
  advert_interval: 50ms
  peering: multicast
  preempt_delay: 5s
  on_nginx_failure: { weight: -20 }
  iptables_chain: NGINX_HA
health:
  interval: 3s
  timeout: 4s
  fall: 3
upstreams:
  backend:
    balance: ip_hash
    servers:
      - 10.0.0.11:80
      - { address: 192.168.1.11:8080, down: true }
sites:
  - listen: [80]
    proxy: backend
nginx:
  backlog: 65535
sysctl:
  net.core.somaxconn: 4096
  net.ipv4.ip_local_port_range: 80 65535
raw:
  keepalived_instance: |
    garp_master_refesh 10
    priority 200
    track_interface { eth1 }
";
    insta::assert_snapshot!(listing(&load("bad.yml", text)));
}

#[test]
fn what_hactl_renders_has_no_keyword_that_keepalived_ignores() {
    // Checks the table of keywords against the templates: rendered configuration is passed as a raw
    // snippet, and the rules on snippets may complain only that its settings are hactl's.
    for name in ["small.yml", "guide.yml", "full.yml"] {
        let mut cluster = shipped(name).cluster;
        // Their certificates would have to be fetched, and concern only nginx.
        cluster.sites.clear();
        cluster.raw.keepalived = Some(keepalived_conf(&cluster));
        let findings = check::run(&cluster);
        let wrong = ["KA004", "KA005", "KA008"];
        let wrong: Vec<_> = findings
            .iter()
            .filter(|f| wrong.contains(&f.rule.id))
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

/// The keepalived.conf of the first node.
fn keepalived_conf(cluster: &Cluster) -> String {
    let mut secrets = Secrets::default();
    for reference in cluster.secret_refs() {
        secrets.insert(reference.clone(), "k3v9Qz1x".to_owned().into());
    }
    let templates = Templates::embedded().expect("the templates parse");
    let node = &cluster.nodes[0];
    let facts = NodeFacts::debian_12();
    let rendered = render(cluster, node, &facts, &secrets, &templates).expect("it renders");
    let file = rendered
        .files
        .into_iter()
        .find(|file| file.role == FileRole::KeepalivedConf);
    String::from_utf8(file.expect("it has a keepalived.conf").content).expect("it is text")
}
