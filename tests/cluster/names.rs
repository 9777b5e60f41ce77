//! Upstream servers by DNS name: validation resolves names as the running nginx does, and a name
//! that stops resolving is reported before nginx's next start.

use std::fs;

use crate::cluster::{Cluster, VIP, machines};
use crate::dns::Dns;

/// Listeners on VIPs, which backups do not have, a name in an upstream, and a name in a raw
/// snippet.
const INVENTORY: &str = r#"
upstreams:
  backend: { servers: ["app.internal:8080", 192.168.1.11:8080] }
sites:
  - listen: ["10.0.0.100:80", "[fd00:10::100]:80"]
    proxy: backend
    raw: "access_log syslog:server=log.internal,facility=local7;"
"#;

/// A cluster whose nodes use a DNS server, configured in /etc/resolv.conf.
fn cluster_with_names() -> Option<(Cluster, Dns)> {
    let cluster = Cluster::up(&machines())?;
    let dns = Dns::start(&cluster.netns("ctl"), "10.0.0.1");
    dns.set("app.internal", Some("192.168.1.10"));
    dns.set("log.internal", Some("192.168.1.12"));
    for node in cluster.nodes() {
        let path = cluster.node_root(&node).join("etc/resolv.conf");
        fs::write(path, "nameserver 10.0.0.1\n").unwrap();
    }
    let text = cluster.inventory();
    let head = text.split("upstreams:").next().unwrap();
    let vip = "  - { address: 10.0.0.100/24 }\n";
    let both = format!("{vip}  - {{ address: \"fd00:10::100/64\" }}\n");
    cluster.set_inventory(&format!("{}{INVENTORY}", head.replace(vip, &both)));
    Some((cluster, dns))
}

fn names_in(report: &serde_json::Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    let rules = findings.iter().map(|finding| finding["rule"].as_str());
    rules.map(Option::unwrap).collect()
}

#[test]
fn servers_by_name_and_listeners_on_vips_go_together() {
    let Some((cluster, _dns)) = cluster_with_names() else {
        return;
    };
    // plan and apply run the same configuration test.
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(plan["refused"], false, "{plan:#}");
    cluster.apply();
    for url in [
        format!("http://{VIP}/"),
        "http://[fd00:10::100]/".to_owned(),
    ] {
        assert!(!cluster.get(&url).is_empty());
    }
    for node in cluster.nodes() {
        let listening = cluster.on(&node, "ss -Hltn 'sport = 80'");
        assert!(listening.contains("10.0.0.100:80"), "{node}: {listening}");
        assert!(
            listening.contains("[fd00:10::100]:80"),
            "{node}: {listening}"
        );
    }
}

#[test]
fn a_name_that_stops_resolving_is_told_before_nginx_starts_again() {
    let Some((cluster, dns)) = cluster_with_names() else {
        return;
    };
    cluster.apply();
    let status = || cluster.run(&["status", "--format", "json"]);
    assert!(names_in(&status().exits(0).json()).is_empty());

    dns.set("app.internal", None);
    let told = status().exits(1).json();
    assert_eq!(names_in(&told), ["NG017"], "{told:#}");
    for node in told["nodes"].as_array().unwrap() {
        assert_eq!(node["unresolved"][0], "app.internal", "{node:#}");
        // The running nginx keeps its addresses and serves.
        assert_eq!(
            node["units"]["nginx"]["service"]["active"], "active",
            "{node:#}"
        );
    }
    assert!(!cluster.get(&format!("http://{VIP}/")).is_empty());

    // No change is started, and the finding gives the reason.
    let etc = cluster.all_etc();
    cluster.edit("192.168.1.11:8080", "192.168.1.12:8080");
    for arguments in [
        &["plan"][..],
        &["apply", "--yes"],
        &["apply", "--check-only"],
    ] {
        let arguments = [arguments, &["--format", "json"]].concat();
        let refused = cluster.run(&arguments).exits(1).json();
        let finding = &refused["error"]["findings"][0];
        assert_eq!(finding["rule"], "NG017", "{refused:#}");
        assert_eq!(
            finding["path"], "upstreams.backend.servers[0]",
            "{refused:#}"
        );
    }
    cluster.assert_etc(&etc);

    // The prediction holds: nginx on this node cannot start, and the other nodes still serve.
    let backup = cluster
        .nodes()
        .into_iter()
        .find(|node| *node != cluster.owner(VIP));
    let backup = backup.unwrap();
    cluster.on(
        &backup,
        "systemctl restart nginx 2>/dev/null; ! systemctl is-active -q nginx",
    );
    assert!(!cluster.get(&format!("http://{VIP}/")).is_empty());

    dns.set("app.internal", Some("192.168.1.10"));
    cluster.apply();
    assert!(names_in(&status().exits(0).json()).is_empty());

    // A name in a raw snippet is resolved along with the rest and reported in the same words.
    dns.set("log.internal", None);
    let told = status().exits(1).json();
    assert_eq!(names_in(&told), ["NG017"], "{told:#}");
    assert_eq!(told["findings"][0]["path"], "sites[0].raw", "{told:#}");
    cluster
        .run(&["plan"])
        .exits(1)
        .says("cannot resolve log.internal");
}
