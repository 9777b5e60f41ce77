//! Other releases of Debian than the one that most tests run on, with their keepalived and nginx.

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

/// What a node's keepalived said since its boot about the file that it tracks, where it complained.
fn complaints(cluster: &Cluster, node: &str) -> String {
    cluster.on(
        node,
        "journalctl -b -q -u keepalived -o cat --no-pager | grep -E 'realpath|track file|hactl_nginx'; :",
    )
}

#[test]
fn debian_13_takes_the_first_apply_tracks_its_file_from_the_start_and_passes_drills() {
    let Some(cluster) = Cluster::up(&of(Release::Debian13)) else {
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

    // After a restart the file is there before keepalived is.
    cluster.on("lb1", "systemctl reboot");
    wait_for("the VIP elsewhere", || cluster.owners(VIP) == ["lb2"]);
    wait_for("the VIP back", || cluster.owners(VIP) == ["lb1"]);
    assert_eq!(complaints(&cluster, "lb1"), "");
    assert_eq!(cluster.on("lb1", "cat /run/hactl/nginx"), "0\n");
    cluster.on("lb1", "systemctl kill -s KILL --kill-who=main nginx");
    wait_for("the VIP elsewhere", || cluster.owners(VIP) != ["lb1"]);
}
