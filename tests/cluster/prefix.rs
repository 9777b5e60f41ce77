//! A VIP is added to its interface without the network's prefix (/32 or /128) if the host has an
//! address in that network. With the prefix it could become the primary address, and removing it
//! would also remove the host's own. Clusters with prefixed VIPs are migrated without a lost
//! request.

use std::fs;

use hactl::lab::VIP6_ADDRESS;

use crate::clients::Load;
use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

/// A node's addresses on eth0, as `ADDRESS/PREFIX`, with the primary address before secondary ones.
fn addresses(cluster: &Cluster, node: &str) -> Vec<String> {
    let said = cluster.on(node, "ip -o addr show dev eth0 scope global");
    let address = |line: &str| line.split_whitespace().nth(3).unwrap().to_owned();
    said.lines().map(address).collect()
}

/// Simulates a restart of the network configuration: all addresses are removed and the host's own
/// come back, but keepalived was faster with the VIP.
fn addresses_are_flushed(cluster: &Cluster, node: &str) {
    let number = node.trim_start_matches("lb");
    cluster.on(
        node,
        &format!(
            "ip addr flush dev eth0 scope global
             n=0; until ip -o addr show dev eth0 | grep -q {VIP} || [ $n -gt 500 ]; do sleep 0.01; n=$((n + 1)); done
             ip addr add 10.0.0.1{number}/24 dev eth0; ip addr add fd00:10::1{number}/64 dev eth0 nodad
             ip route replace default via 10.0.0.254; ip -6 route replace default via fd00:10::254"
        ),
    );
}

/// The secondary addresses, which the kernel removes along with the primary one.
fn secondary(cluster: &Cluster, node: &str) -> Vec<String> {
    let said = cluster.on(node, "ip -o -4 addr show dev eth0 secondary");
    let address = |line: &str| line.split_whitespace().nth(3).unwrap().to_owned();
    said.lines().map(address).collect()
}

#[test]
fn an_owner_whose_addresses_were_flushed_keeps_its_own_when_the_vip_leaves() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    assert_eq!(cluster.owner(VIP), "lb1");
    let vip = format!("{VIP}/32");
    assert!(addresses(&cluster, "lb1").contains(&vip));
    addresses_are_flushed(&cluster, "lb1");
    wait_for("the VIP back on lb1", || cluster.owners(VIP) == ["lb1"]);
    assert!(addresses(&cluster, "lb1").contains(&vip));
    assert!(secondary(&cluster, "lb1").is_empty());
    cluster.on("lb1", "systemctl stop keepalived");
    wait_for("the VIP on lb2", || cluster.owners(VIP) == ["lb2"]);
    let left = addresses(&cluster, "lb1");
    assert!(left.contains(&"10.0.0.11/24".to_owned()), "{left:?}");
    assert!(!left.contains(&vip), "{left:?}");
    cluster.run(&["status"]).exits(1);
    // The plan does not depend on who owns the VIP.
    cluster.on("lb1", "systemctl start keepalived");
    wait_for("the VIP on lb1", || cluster.owners(VIP) == ["lb1"]);
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(plan["changes"], false, "{plan:#}");
}

/// Older templates: the VIP with its network's prefix, and a different `hand_over.sh`.
fn templates_of_before(cluster: &Cluster) -> String {
    let folder = cluster.dir().join("templates-of-before");
    fs::create_dir(&folder).unwrap();
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let read = |name: &str| fs::read_to_string(format!("{built_in}/{name}")).unwrap();
    let prefix =
        r#"{{ address | replace(from="/32", to="/24") | replace(from="/128", to="/64") }}"#;
    let keepalived = read("keepalived.conf.tera").replace("{{ address }}", prefix);
    assert!(keepalived.contains(prefix));
    let hand_over = read("hand_over.sh.tera") + "# as it was\n";
    fs::write(folder.join("keepalived.conf.tera"), keepalived).unwrap();
    fs::write(folder.join("hand_over.sh.tera"), hand_over).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_cluster_that_has_its_vips_with_a_prefix_loses_it_and_gets_it_back_without_a_lost_request() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    cluster.edit(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24 }\n  - { address: \"fd00:10::100/64\" }",
    );
    // If the VIP is the primary address, any takeover takes the host off the network. On a busy
    // machine `fast` may cause one.
    let standard = format!("{}vrrp: {{ failover: standard }}\n", cluster.inventory());
    cluster.set_inventory(&standard);
    let before = templates_of_before(&cluster);
    cluster
        .run(&["--templates", &before, "apply", "--yes"])
        .exits(0);
    let six = VIP6_ADDRESS.to_string();
    let owners = || (cluster.owner(VIP), cluster.owner(&six));
    let (four, other) = owners();
    let has = |node: &str, address: &str, prefix: u8| {
        let found = addresses(&cluster, node);
        let of_it: Vec<_> = found
            .iter()
            .filter(|it| it.starts_with(&format!("{address}/")))
            .collect();
        assert_eq!(of_it, [&format!("{address}/{prefix}")], "{node}: {found:?}");
    };
    let is_with_prefix = || (has(&four, VIP, 24), has(&other, &six, 64));
    let is_alone = || (has(&four, VIP, 32), has(&other, &six, 128));
    is_with_prefix();

    let start = || {
        let ctl = cluster.netns("ctl");
        let load = [
            Load::start(&ctl, &format!("{VIP}:80"), 40),
            Load::start(&ctl, &format!("[{six}]:80"), 20),
        ];
        for load in &load {
            load.wait_for_answers(50);
        }
        load
    };
    let end = |load: [Load; 2]| {
        for load in load {
            load.wait_for_answers(50);
            load.end_without_failures();
        }
        assert_eq!(owners(), (four.clone(), other.clone()), "a VIP moved");
        for node in cluster.nodes() {
            let own = format!("10.0.0.1{}/24", node.trim_start_matches("lb"));
            let found = addresses(&cluster, &node);
            assert!(found.contains(&own), "{node}: {found:?}");
            let setting = "cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries";
            assert_eq!(cluster.on(&node, setting), "0\n", "{node}");
        }
        cluster.assert_no_traces();
    };

    let load = start();
    cluster.apply();
    is_alone();
    cluster.run(&["rollback", "--yes"]).exits(0);
    is_with_prefix();
    end(load);

    // In this state, removing the VIP would take the node off the network.
    addresses_are_flushed(&cluster, &four);
    wait_for("the VIP", || cluster.owners(VIP) == [four.as_str()]);
    let own = format!("10.0.0.1{}/24", four.trim_start_matches("lb"));
    assert_eq!(secondary(&cluster, &four), [own]);
    let load = start();
    cluster.apply();
    is_alone();
    assert!(secondary(&cluster, &four).is_empty());
    end(load);
}
