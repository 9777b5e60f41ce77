//! Changes to peering, to the cluster's membership, and to only some nodes: on live clusters under
//! load, while the VIP's owners are watched from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clients::Load;
use crate::cluster::{Cluster, Ended, VIP, machines};

/// Runs `work`, and records when several nodes had the VIP meanwhile. Only two such observations in
/// a row count, since one observation does not query all nodes at the same instant.
fn two_owners_during(cluster: &Cluster, work: impl FnOnce() -> Ended) -> (Ended, Vec<String>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let begun = Instant::now();
            let mut found = Vec::new();
            let mut before = 0;
            while !over.load(Ordering::Relaxed) {
                let owners = cluster.owners(VIP);
                if owners.len() > 1 && before > 1 {
                    found.push(format!("{:?}: {}", begun.elapsed(), owners.join(" and ")));
                }
                before = owners.len();
                std::thread::sleep(Duration::from_millis(10));
            }
            found
        });
        let ended = work();
        over.store(true, Ordering::Relaxed);
        (ended, looks.join().unwrap())
    })
}

/// The strategy by which a plan would change the nodes.
fn strategy(cluster: &Cluster) -> String {
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0);
    let json = plan.json();
    let kind = &json["plan"]["strategy"]["kind"];
    kind.as_str().unwrap_or_else(|| panic!("{plan}")).to_owned()
}

/// Applies a change that must reach all nodes at once, under load.
#[track_caller]
fn applies_without_a_second_owner(cluster: &Cluster, what: &str) {
    assert_eq!(strategy(cluster), "at_once", "{what}");
    let (ended, found) = two_owners_during(cluster, || cluster.run(&["apply", "--yes"]));
    let ended = ended.exits(0);
    assert!(found.is_empty(), "{what}: {found:#?}\n{ended}");
    assert_eq!(cluster.owners(VIP).len(), 1, "{what}");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Every node that sends to the VIP, and the controller, sends to its owner.
#[track_caller]
fn everybody_knows(cluster: &Cluster, owner: &str) {
    let own = cluster.on(owner, "cat /sys/class/net/eth0/address");
    let show = format!("ip neigh show to {VIP}");
    let nodes = cluster.nodes();
    let others = nodes.iter().filter(|node| *node != owner);
    let mut known: Vec<String> = others.map(|node| cluster.on(node, &show)).collect();
    known.push(cluster.on_controller("ip", &["neigh", "show", "to", VIP]));
    for known in known {
        // A node that never sent anything to the VIP has no entry.
        let is_right = known.is_empty() || known.contains(own.trim());
        assert!(is_right, "{known} is not {own}");
    }
}

#[test]
fn nodes_that_hear_each_other_otherwise_never_both_own_the_vip() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    cluster.apply();
    let owner = cluster.owner(VIP);
    let plain = cluster.inventory();
    let load = Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 4);
    load.wait_for_answers(20);
    cluster.set_inventory(&format!("{plain}vrrp: {{ peering: multicast }}\n"));
    let etc = cluster.all_etc();
    let manual = ["apply", "--yes", "--confirm", "manual"];
    for then in ["cancel", "confirm"] {
        assert_eq!(strategy(&cluster), "at_once");
        for verb in [&manual[..], &[then]] {
            let (ended, found) = two_owners_during(&cluster, || cluster.run(verb));
            let ended = ended.exits(0);
            assert!(found.is_empty(), "{then}: {verb:?}: {found:#?}\n{ended}");
            assert_eq!(cluster.owner(VIP), owner, "{then}: {verb:?}");
            everybody_knows(&cluster, &owner);
        }
        if then == "cancel" {
            cluster.assert_etc(&etc);
        }
        cluster.assert_no_traces();
    }
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.set_inventory(&plain);
    applies_without_a_second_owner(&cluster, "multicast to unicast");
    load.wait_for_answers(20);
    let seen = load.end_without_failures();
    assert_eq!(cluster.owner(VIP), owner, "{seen:?}");
}

#[test]
fn a_node_joins_and_leaves_and_is_never_a_second_owner() {
    let mut spec = machines();
    spec.nodes = 4;
    let Some(cluster) = Cluster::up_quietly(&spec) else {
        return;
    };
    let four = cluster.inventory();
    let without = |node: &str| {
        let own = format!("name: {node},");
        let lines = four.split_inclusive('\n');
        lines
            .filter(|line| !line.contains(&own))
            .collect::<String>()
    };
    cluster.set_inventory(&without("lb4"));
    cluster.apply();
    let load = Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 4);
    load.wait_for_answers(20);
    cluster.set_inventory(&four);
    applies_without_a_second_owner(&cluster, "a node joins");
    load.wait_for_answers(20);
    load.end_without_failures();

    // A backup, then the owner, disappears from the inventory without being stopped.
    let etc = cluster.all_etc();
    cluster.set_inventory(&without("lb3"));
    for verb in [&["plan"][..], &["apply", "--yes"]] {
        let refused = cluster.run(verb).exits(1);
        refused.says("lb3 (10.0.0.13)").says("--forget lb3");
    }
    cluster
        .run(&["apply", "--yes", "--forget", "lb9"])
        .exits(64);
    cluster.set_inventory(&without("lb1"));
    let refused = cluster.run(&["apply", "--yes"]).exits(1);
    refused.says(&format!("lb1 (10.0.0.11) has {VIP}"));
    cluster.assert_etc(&etc);

    // hactl checks the node instead of trusting `--forget`.
    cluster.set_inventory(&without("lb3"));
    for (state, said) in [
        (":", "its keepalived runs"),
        ("systemctl stop keepalived", "starts again with the machine"),
    ] {
        cluster.on("lb3", state);
        for verb in [&["plan"][..], &["apply", "--yes"]] {
            let refused = cluster.run(&[verb, &["--forget", "lb3"]].concat());
            let refused = refused.exits(1);
            refused
                .says("cannot forget lb3 (10.0.0.13)")
                .says(said)
                .says("systemctl disable --now keepalived");
        }
    }
    cluster.assert_etc(&etc);
    cluster.on("lb3", "systemctl disable -q --now keepalived nginx");
    let done = cluster.run(&["apply", "--yes", "--forget", "lb3"]);
    done.exits(0);
    // From then on, no node is missing.
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["plan", "--forget", "lb3"]).exits(64);
    assert_eq!(cluster.owners(VIP), ["lb1"]);
}

#[test]
fn some_nodes_are_changed_and_the_others_only_looked_at() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let owner = cluster.owner(VIP);
    let etc = cluster.all_etc();
    // A backup alone, while another node owns the VIP.
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    cluster
        .run(&["plan", "--limit", "lb3"])
        .exits(0)
        .never_says("no node owns");
    cluster
        .run(&["apply", "--yes", "--limit", "lb3"])
        .exits(0)
        .never_says("no node owns")
        .says("lb1 and lb2 would change, too");
    let status = cluster.run(&["status", "--limit", "lb3", "--format", "json"]);
    let json = status.json();
    assert_eq!(json["vips"][0]["owners"][0], owner.as_str(), "{status}");
    assert_eq!(json["nodes"].as_array().unwrap().len(), 1, "{status}");
    cluster
        .run(&["rollback", "--yes", "--limit", "lb3"])
        .exits(0)
        .never_says("would change, too");
    cluster.assert_etc(&etc);

    // A change that all nodes have to agree on is refused before anything is sent.
    let plain = cluster.inventory();
    cluster.set_inventory(&format!("{plain}vrrp: {{ peering: multicast }}\n"));
    for verb in [&["plan"][..], &["apply", "--yes"]] {
        let limited = [verb, &["--limit", "lb3"]].concat();
        cluster.run(&limited).exits(1).says("unicast to multicast");
    }
    cluster.assert_etc(&etc);

    // With a node down, the others can be changed, except for settings that all nodes have to agree
    // on.
    cluster.power_off("lb3").unwrap();
    let refused = cluster
        .run(&["apply", "--yes", "--connect-timeout", "3s"])
        .exits(1);
    refused
        .says("unicast to multicast")
        .never_says("--limit lb1,lb2");
    cluster.set_inventory(&plain);
    let refused = cluster
        .run(&["apply", "--yes", "--connect-timeout", "3s"])
        .exits(1);
    refused.says("--limit lb1,lb2").says("lb3");
    let done = cluster.run(&[
        "apply",
        "--yes",
        "--limit",
        "lb1,lb2",
        "--connect-timeout",
        "3s",
    ]);
    done.exits(0).says("lb3");
    assert_eq!(cluster.owner(VIP), owner);
}
