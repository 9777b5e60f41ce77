//! Read-only verbs write nothing, whatever state the hosts are in. An interrupted change is
//! completed or rolled back only after that was shown and approved.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cluster::{Cluster, changes_of, machines};
use crate::lab::wait_for;
use crate::snapshot::{Detail, Snapshot, assert_same, snapshot};

/// The running state according to systemd and the kernel: units, the daemons' processes, sysctls,
/// addresses and rules.
const RUNS: &str = "systemctl list-units --all --plain --no-legend --type service,timer,socket 'nginx*' \
    'keepalived*' 'hactl*' 'policy*' | sort
    for unit in nginx keepalived; do
        systemctl show -p MainPID,ActiveEnterTimestampMonotonic,NRestarts,UnitFileState $unit
        pid=$(systemctl show -p MainPID --value $unit)
        [ \"$pid\" = 0 ] || cat /proc/$pid/task/*/children
    done
    cat /proc/sys/net/ipv4/ip_nonlocal_bind /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_fin_timeout
    ip -o addr show; ip rule show; ls -l /tmp /run/hactl 2>/dev/null | grep -v -e '^total' -e ' check_nginx$'; :";

/// The neighbour entries that the test added, without their states. The kernel manages all others,
/// and may drop stale ones once there are many, counted across network namespaces.
const NEIGHBOURS: &str =
    "ip neigh show | grep extern_learn | while read -r address _ interface _; do
        echo \"$address $interface\"
    done";

/// Logs changes of neighbour entries.
const WATCH_NEIGHBOURS: &str = "setsid ip monitor neigh >/run/neighbours 2>&1 </dev/null &";

/// Nothing may be written below these paths.
const KEPT: [&str; 5] = [
    "etc",
    "var/lib",
    "var/cache/apt",
    "run/hactl",
    "usr/lib/systemd",
];

/// Files that systemd writes at any time, and notes of keepalived's check on a busy machine.
const NOISE: [&str; 4] = [
    "systemd/timers",
    "systemd/random-seed",
    "systemd/coredump",
    "check_nginx",
];

type Host = (BTreeMap<&'static str, Snapshot>, String);

fn look(cluster: &Cluster) -> BTreeMap<String, Host> {
    let host = |node: &String| {
        let root = cluster.node_root(node);
        let kept = KEPT.map(|path| (path, snapshot(&root.join(path), Detail::Identity, &NOISE)));
        (BTreeMap::from(kept), cluster.on(node, RUNS))
    };
    let nodes = cluster.nodes().into_iter();
    nodes.map(|node| (node.clone(), host(&node))).collect()
}

fn neighbours(cluster: &Cluster, node: &str) -> BTreeSet<String> {
    let known = cluster.on(node, NEIGHBOURS);
    known.lines().map(str::to_owned).collect()
}

/// Runs every read-only verb, and returns the reports of plan and check.
#[track_caller]
fn only_looks(cluster: &Cluster, when: &str) -> (Value, Value) {
    let before = look(cluster);
    let nodes = cluster.nodes().into_iter();
    let known: BTreeMap<String, BTreeSet<String>> = nodes
        .map(|node| (node.clone(), neighbours(cluster, &node)))
        .collect();
    let check = |arguments: &[&str]| {
        let ended = cluster.run(arguments);
        let after = look(cluster);
        for (node, (files, runs)) in &before {
            for (path, before) in files {
                let what = format!("{when}: hactl {}: {node}'s /{path}", arguments.join(" "));
                assert_same(before, &after[node].0[path], &what);
            }
            assert_eq!(*runs, after[node].1, "{when}: {node}: {ended}");
            let known_now = neighbours(cluster, node);
            let forgotten: Vec<_> = known[node].difference(&known_now).collect();
            assert!(
                forgotten.is_empty(),
                "{when}: {node}: {forgotten:?}: {ended}"
            );
            let deleted = "grep Deleted.*extern_learn /run/neighbours || :";
            let deleted = cluster.on(node, deleted);
            assert_eq!(deleted, "", "{when}: {node}: {ended}");
        }
        ended
    };
    check(&["status"]);
    check(&["status", "--format", "json"]);
    let plan = check(&["plan", "--format", "json"]).json();
    check(&["rollback", "--check-only", "--to", "0"]);
    (
        plan,
        check(&["apply", "--check-only", "--format", "json"]).json(),
    )
}

fn is_active(cluster: &Cluster, node: &str) -> bool {
    let journal = cluster.node_root(node).join("var/lib/hactl/journal");
    std::fs::read_to_string(journal).is_ok_and(|text| text.contains("phase\tactivated"))
}

/// Starts an apply, and kills it as soon as `when` holds.
fn kill_an_apply(cluster: &Cluster, when: impl Fn() -> bool) {
    let mut hactl = cluster.start(&["apply", "--yes", "--confirm-timeout", "10m"]);
    wait_for("the moment to kill it", when);
    hactl.kill().unwrap();
    hactl.wait().unwrap();
}

#[test]
fn plan_status_and_check_only_write_nothing() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    // A freshly booted machine is still doing duplicate address detection.
    for node in cluster.nodes() {
        wait_for("duplicate address detection to end", || {
            cluster.on(&node, "ip -o addr show tentative").is_empty()
        });
        // A neighbour entry of a former owner, which must neither be dropped nor be taken for the
        // owner.
        cluster.on(
            &node,
            "ip neigh replace 10.0.0.100 lladdr 02:00:00:00:00:99 dev eth0 nud stale extern_learn",
        );
        cluster.on(&node, WATCH_NEIGHBOURS);
    }
    let (plan, check) = only_looks(&cluster, "hosts that hactl has never seen");
    assert_eq!(plan["recovery"]["changes"], json!([]));
    assert_eq!(check["outcome"]["result"], "checked");

    cluster.apply();
    let (plan, check) = only_looks(&cluster, "nothing to do");
    assert_eq!(plan["changes"], false);
    assert_eq!(check["outcome"]["result"], "nothing_to_do");
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    only_looks(&cluster, "a change to make");

    // An interrupted observation leaves none of keepalived's dumps behind.
    for moment in 1..=12 {
        let mut hactl = cluster.start(&["status"]);
        std::thread::sleep(std::time::Duration::from_millis(60 * moment));
        hactl.kill().unwrap();
        hactl.wait().unwrap();
    }
    for node in cluster.nodes() {
        wait_for("the answer to go", || {
            cluster
                .on(&node, "ls /tmp | grep keepalived || :")
                .is_empty()
        });
    }

    // Killed while holding a lock, perhaps with a staged tree.
    let lock = cluster.node_root("lb1").join("var/lib/hactl/lock");
    kill_an_apply(&cluster, || lock.exists());
    let (_, check) = only_looks(&cluster, "a stale lock");
    assert_eq!(check["outcome"]["result"], "checked");
    assert_eq!(check["recovered"], false);
    cluster.apply();
    cluster.assert_no_traces();
}

#[test]
fn an_interrupted_change_is_shown_first_and_ended_only_when_agreed_to() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    kill_an_apply(&cluster, || {
        is_active(&cluster, "lb2") && is_active(&cluster, "lb3")
    });
    let left: Vec<String> = cluster
        .nodes()
        .into_iter()
        .filter(|node| is_active(&cluster, node))
        .collect();

    let (plan, check) = only_looks(&cluster, "an interrupted change");
    for document in [&plan, &check] {
        let change = &document["recovery"]["changes"][0];
        assert_eq!(change["direction"], "roll_back", "{document:#}");
        assert_eq!(
            change["by"].as_str().unwrap().split('@').next(),
            Some("tester")
        );
        assert_eq!(change["generation"], 2);
        let mut nodes: Vec<&str> = change["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        nodes.sort_unstable();
        assert_eq!(nodes, left);
        // Relative to the recovered state: the upstream changes on all hosts, and nothing was
        // edited by hand.
        for node in document["plan"]["nodes"].as_array().unwrap() {
            let causes: Vec<&Value> = changes_of(node, "file")
                .map(|file| &file["reason"])
                .collect();
            assert_eq!(causes, ["inventory"], "{node:#}");
        }
    }
    assert_eq!(plan["changes"], true);
    assert_eq!(check["outcome"]["result"], "checked");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(2);

    // Without approval, nothing happens.
    let before = look(&cluster);
    cluster.run(&["apply"]).exits(64);
    assert!(
        before == look(&cluster),
        "an apply that nobody agreed to wrote something"
    );

    // With approval, it is rolled back, and the plan shown is applied without another prompt.
    let applied = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(applied["recovered"], true);
    assert_eq!(applied["outcome"]["result"], "applied");
    let events: Vec<&str> = applied["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["event"].as_str())
        .filter(|event| event.starts_with("recovery"))
        .collect();
    assert_eq!(events, ["recovery_started", "recovery_finished"]);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.assert_no_traces();
}

#[test]
fn a_change_that_was_confirmed_on_a_node_is_completed() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    let live = |node: &str| cluster.on(node, "readlink /var/lib/hactl/live");
    let before = live("lb2");
    // The first node is confirmed first. By then, the other two are unreachable.
    let shut =
        "nft 'add table inet shut; add chain inet shut in { type filter hook input priority 0; }
        add rule inet shut in tcp dport 22 tcp flags & (syn | ack) == syn drop'";
    let mut hactl = cluster.start(&["apply", "--yes", "--confirm-timeout", "10m"]);
    cluster.wait_for_file("lb1", "/var/lib/hactl/lock", true);
    cluster.on("lb1", shut);
    cluster.on("lb3", shut);
    wait_for("lb2 to be confirmed", || live("lb2") != before);
    hactl.kill().unwrap();
    hactl.wait().unwrap();
    for node in ["lb1", "lb3"] {
        cluster.on(node, "nft delete table inet shut");
    }
    let (plan, check) = only_looks(&cluster, "a change confirmed on one node");
    for document in [&plan, &check] {
        assert_eq!(
            document["recovery"]["changes"][0]["direction"], "complete",
            "{document:#}"
        );
        for node in document["plan"]["nodes"].as_array().unwrap() {
            assert_eq!(changes_of(node, "file").count(), 0, "{node:#}");
        }
    }
    let applied = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(applied["outcome"]["result"], "nothing_to_do");
    assert_eq!(applied["recovered"], true);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    let served = cluster.all_served();
    assert!(served.iter().all(|id| *id == served[0]), "{served:?}");
    cluster.assert_no_traces();
}
