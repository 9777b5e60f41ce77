//! Debian releases other than the default one, with their versions of keepalived and nginx.

use hactl::lab::{LabSpec, Release};

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

fn of(release: Release) -> LabSpec {
    LabSpec {
        release,
        backends: 1,
        ..machines()
    }
}

/// Messages of a node's keepalived since boot that complain about its tracked file.
fn complaints(cluster: &Cluster, node: &str) -> String {
    cluster.on(
        node,
        "journalctl -b -q -u keepalived -o cat --no-pager | grep -E 'realpath|track file|hactl_nginx'; :",
    )
}

#[test]
fn debian_13_takes_the_first_apply_tracks_its_file_from_the_start_and_passes_drills() {
    let Some(cluster) = Cluster::up_quietly(&of(Release::Debian13)) else {
        return;
    };
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0).json();
    let nodes = plan["plan"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        let tests = node["tests"].as_array().unwrap();
        assert_eq!(tests.len(), 2, "{node:#}");
        assert!(tests.iter().all(|test| test["code"] == 0), "{node:#}");
    }
    assert_eq!(cluster.on("lb1", "ls -d /run/hactl 2>/dev/null; :"), "");
    cluster.apply();
    for node in cluster.nodes() {
        assert_eq!(complaints(&cluster, &node), "", "{node}");
    }
    let drills = [
        "failover-test",
        "--yes",
        "--format",
        "json",
        "--drill=nginx-kill",
        "--drill=keepalived-kill",
        "--drill=link-down",
    ];
    let ended = cluster.run(&drills).exits(0);
    let document = ended.json();
    let runs = document["report"]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3, "{ended}");

    // After a reboot, the file exists before keepalived starts.
    cluster.on("lb1", "systemctl reboot");
    wait_for("the VIP elsewhere", || cluster.owners(VIP) == ["lb2"]);
    wait_for("the VIP back", || cluster.owners(VIP) == ["lb1"]);
    assert_eq!(complaints(&cluster, "lb1"), "");
    assert_eq!(cluster.on("lb1", "cat /run/hactl/nginx"), "0\n");
    cluster.on("lb1", "systemctl kill -s KILL --kill-who=main nginx");
    wait_for("the VIP elsewhere", || cluster.owners(VIP) != ["lb1"]);
}

#[test]
fn debian_11_gets_standard_by_default_says_so_and_refuses_fast() {
    let mut spec = of(Release::Debian12);
    // One old keepalived limits all nodes.
    spec.other_releases
        .insert("lb3".to_owned(), Release::Debian11);
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    let findings = |document: &serde_json::Value| -> Vec<(String, String)> {
        let of = |it: &serde_json::Value| {
            let text = |key: &str| it[key].as_str().unwrap().to_owned();
            (text("rule"), text("message"))
        };
        document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .collect()
    };
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0).json();
    let said = findings(&plan);
    let standard: Vec<_> = said.iter().filter(|(rule, _)| rule == "KA066").collect();
    assert_eq!(standard.len(), 1, "{said:?}");
    assert!(
        standard[0].1.starts_with("lb3 has keepalived 2.1.5"),
        "{said:?}"
    );
    cluster
        .run(&["plan"])
        .exits(0)
        .says("all nodes get `standard`");
    cluster.apply();
    for node in cluster.nodes() {
        let conf = cluster.on(&node, "cat /etc/keepalived/keepalived.conf");
        assert!(conf.contains("advert_int 1\n"), "{conf}");
        assert!(!conf.contains("down_timer_adverts"), "{conf}");
    }
    cluster.run(&["status"]).exits(0);
    cluster
        .run(&["plan"])
        .exits(0)
        .says("web has nothing to change");
    cluster
        .run(&["failover-test", "--yes", "--drill=nginx-kill"])
        .exits(0);

    cluster.set_inventory(&format!(
        "{}vrrp: {{ failover: fast }}\n",
        cluster.inventory()
    ));
    let ended = cluster.run(&["plan", "--format", "json"]);
    assert!(
        ended.code() != Some(0) && ended.stdout.contains("KA058"),
        "{ended}"
    );
}
