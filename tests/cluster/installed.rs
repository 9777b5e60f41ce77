//! Machines with both packages installed: plan changes nothing, and every rollback works.

use crate::cluster::{Cluster, GUIDE, VIP, machines};
use crate::snapshot::{Detail, Snapshot, assert_same, snapshot};

/// Written by logins and by systemd at any time, independent of hactl.
const NOT_HACTLS: [&str; 6] = [
    "var/log/journal",
    "var/log/wtmp",
    "var/log/lastlog",
    "var/log/btmp",
    "var/lib/systemd",
    "var/lib/private/systemd",
];

#[test]
fn generations_come_and_go_and_the_original_returns_to_the_byte() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.set_inventory(GUIDE);
    let original = cluster.all_etc();
    plan_writes_nothing(&cluster);

    cluster.apply();
    let first = cluster.all_etc();
    cluster.edit("weight: 1 }", "weight: 5 }");
    cluster.apply().says("generation 2 is live");
    cluster.edit("tcp_fin_timeout: 30", "tcp_fin_timeout: 25");
    cluster.apply().says("generation 3 is live");
    let third = cluster.all_etc();
    plan_writes_nothing(&cluster);

    cluster
        .run(&["rollback", "--to", "9", "--yes"])
        .exits(1)
        .says("there is no generation 9; there are 0, 1, 2, 3");
    cluster.run(&["rollback", "--to", "1", "--yes"]).exits(0);
    cluster.assert_etc(&first);
    let kernel = cluster.on("lb3", "cat /proc/sys/net/ipv4/tcp_fin_timeout");
    assert_eq!(kernel, "30\n");
    // Without a number, roll back to the generation before the live one: the third.
    cluster.run(&["rollback", "--yes"]).exits(0);
    cluster.assert_etc(&third);
    let history = cluster
        .run(&["history", "--format", "json"])
        .exits(0)
        .json();
    let numbers: Vec<u64> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["generation"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1, 0]);
    cluster
        .run(&["rollback", "--list"])
        .exits(0)
        .says("before hactl");
    // The inventory still matches the third apply.
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(cluster.get(&format!("http://{VIP}/health")), "ok\n");

    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_etc(&original);
    cluster.assert_no_traces();
    assert!(cluster.owners(VIP).is_empty());
    // And again from there.
    cluster.apply();
    assert_eq!(cluster.get(&format!("http://{VIP}/health")), "ok\n");
    cluster.assert_etc(&third);
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_etc(&original);
}

/// The disks, /run and /tmp, without systemd's records of logins.
fn everything(cluster: &Cluster) -> Vec<(String, Snapshot)> {
    let mut found = Vec::new();
    for node in cluster.nodes() {
        let disk = cluster.dir().join("nodes").join(&node).join("upper");
        let memory = format!("/proc/{}/root", cluster.leader(&node).unwrap());
        let look = |folder: &str, skip: &[&str]| {
            let folder = std::path::Path::new(&memory).join(folder);
            snapshot(&folder, Detail::Identity, skip)
        };
        found.push((
            format!("{node}'s disk"),
            snapshot(&disk, Detail::Identity, &NOT_HACTLS),
        ));
        found.push((
            format!("{node}'s /run"),
            look("run", &["systemd", "user", "utmp", "motd.dynamic", "log"]),
        ));
        found.push((format!("{node}'s /tmp"), look("tmp", &[])));
    }
    found
}

#[track_caller]
fn plan_writes_nothing(cluster: &Cluster) {
    let before = everything(cluster);
    let running = cluster.all_running();
    cluster.run(&["plan"]).exits(0);
    cluster.run(&["status"]);
    for ((what, before), (_, after)) in before.iter().zip(everything(cluster)) {
        assert_same(before, &after, what);
    }
    assert_eq!(running, cluster.all_running());
}
