//! Clusters other than three nodes with one VIP and unicast.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, VIP, machines};

fn up(nodes: u8) -> Option<Cluster> {
    let mut spec = machines();
    spec.nodes = nodes;
    Cluster::up(&spec)
}

/// Applies, inspects, changes something, and rolls back to the original state.
#[track_caller]
fn lives(cluster: &Cluster, vips: &[&str]) {
    let before = cluster.all_etc();
    cluster.apply().says("generation 1 is live");
    serves(cluster, vips);
    cluster.edit("192.168.1.12:8080", "192.168.1.11:8080");
    cluster.edit("192.168.1.11:8080, ", "");
    cluster.apply().says("generation 2 is live");
    serves(cluster, vips);
    cluster.run(&["status"]).exits(0);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_etc(&before);
    cluster.assert_no_traces();
}

#[track_caller]
fn serves(cluster: &Cluster, vips: &[&str]) {
    for vip in vips {
        cluster.owner(vip);
        let host = if vip.contains(':') {
            format!("[{vip}]")
        } else {
            (*vip).to_owned()
        };
        let page = cluster.get(&format!("http://{host}/"));
        assert!(page.starts_with('b'), "{vip}: {page}");
    }
}

#[test]
fn one_node() {
    if let Some(cluster) = up(1) {
        lives(&cluster, &[VIP]);
    }
}

#[test]
fn two_nodes_by_multicast_with_an_address_of_each_family() {
    let Some(cluster) = up(2) else {
        return;
    };
    cluster.edit(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24 }\n  - { address: \"fd00:10::100/64\" }",
    );
    cluster.set_inventory(&format!(
        "{}vrrp: {{ peering: multicast }}\n",
        cluster.inventory()
    ));
    lives(&cluster, &[VIP, "fd00:10::100"]);
}

#[test]
fn five_nodes_with_two_addresses_that_prefer_different_owners() {
    let Some(cluster) = up(5) else {
        return;
    };
    cluster.edit(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24, prefer: lb1 }\n  - { address: 10.0.0.101/24, prefer: lb2 }",
    );
    let vips = [VIP, "10.0.0.101"];
    let spread = |cluster: &Cluster| {
        let owners: BTreeSet<String> = vips.iter().map(|vip| cluster.owner(vip)).collect();
        assert_eq!(owners, BTreeSet::from(["lb1", "lb2"].map(str::to_owned)));
    };
    cluster.apply();
    spread(&cluster);
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    lives_again(&cluster, &vips);
}

/// After a rollback to the original state, generation numbers continue.
fn lives_again(cluster: &Cluster, vips: &[&str]) {
    let before = cluster.all_etc();
    cluster.apply();
    serves(cluster, vips);
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_etc(&before);
}

/// Debian packages nginx's stream module separately.
#[test]
fn a_stream_where_nginx_came_without_the_module() {
    let Some(cluster) = up(2) else {
        return;
    };
    let before = cluster.all_etc();
    cluster.apply();
    cluster.set_inventory(&format!(
        "{}streams:\n  - {{ listen: 5432, proxy: backend }}\n",
        cluster.inventory()
    ));
    cluster.run(&["plan"]).exits(0).says("libnginx-mod-stream");
    cluster.apply().says("generation 2 is live");
    let page = cluster.get(&format!("http://{VIP}:5432/"));
    assert!(page.starts_with('b'), "{page}");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_etc(&before);
    cluster.assert_no_traces();
}
