//! Changes while the cluster is in use.

use std::sync::atomic::Ordering;

use crate::clients::Load;
use crate::cluster::{Cluster, Ended, VIP, machines};

#[test]
fn a_changed_upstream_under_load_fails_nobody_and_moves_no_vip() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    cluster.apply();
    a_keepalived_that_answers_late_is_waited_for(&cluster);
    let owner = cluster.owner(VIP);
    let masters = cluster.masters();
    let processes = |node: &String| {
        cluster.on(
            node,
            "systemctl show -p MainPID --value nginx keepalived; cat /proc/sys/kernel/random/boot_id",
        )
    };
    let before: Vec<String> = cluster.nodes().iter().map(processes).collect();

    let load = Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 100);
    load.wait_for_answers(200);
    let third = ", 192.168.1.12:8080";
    cluster.edit(third, "");
    cluster.apply().says("generation 3 is live");
    let alone = cluster.backend_requests("b3");
    load.wait_for_answers(200);
    // This one makes keepalived reload, too.
    cluster.edit("garp_refresh: 30s", "garp_refresh: 20s");
    cluster.edit(
        "192.168.1.11:8080",
        "{ address: \"192.168.1.11:8080\", weight: 3 }",
    );
    cluster.apply().says("generation 4 is live");
    load.wait_for_answers(200);
    let seen = load.end_without_failures();
    assert!(seen.held.load(Ordering::Relaxed) >= 600);

    // The third server was really removed, and nothing but two reloads happened.
    assert_eq!(cluster.backend_requests("b3"), alone);
    assert_eq!(cluster.owner(VIP), owner);
    assert_eq!(cluster.masters(), masters, "the VIP moved");
    let after: Vec<String> = cluster.nodes().iter().map(processes).collect();
    assert_eq!(before, after, "a daemon was restarted");
}

/// A daemon may take its time on a busy host. That is not a failure.
fn a_keepalived_that_answers_late_is_waited_for(cluster: &Cluster) {
    let child = "pgrep -P $(systemctl show -p MainPID --value keepalived)";
    cluster.set_inventory(&format!(
        "{}vrrp: {{ garp_refresh: 30s }}\n",
        cluster.inventory()
    ));
    cluster.on("lb3", &format!("kill -STOP $({child})"));
    let apply = cluster.start(&["apply", "--yes"]);
    cluster.wait_for_file("lb3", "/var/lib/hactl/journal", true);
    cluster.on("lb3", &format!("sleep 1.2; kill -CONT $({child})"));
    let ended = apply.wait_with_output().unwrap();
    Ended::new(&["apply"], ended)
        .exits(0)
        .says("generation 2 is live");
}
