//! The network's view of a VIP, independent of what the nodes report.

use crate::cluster::{Cluster, Ended, VIP, machines};
use crate::lab::wait_for;

const VIP6: &str = "fd00:10::100";

/// A cluster whose owner announces itself only at takeover.
fn cluster() -> Option<Cluster> {
    let cluster = Cluster::up(&machines())?;
    let text = cluster.inventory().replace(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24 }\n  - { address: fd00:10::100/64 }",
    );
    cluster.set_inventory(&format!(
        "{text}vrrp: {{ failover: standard, garp_refresh: 0s }}\n"
    ));
    cluster.apply();
    // Each VIP prefers another node.
    wait_for("the owners", || {
        cluster.owner_now(VIP).as_deref() == Some("lb1")
            && cluster.owner_now(VIP6).as_deref() == Some("lb2")
    });
    // The controller has learned both owners.
    cluster.get(&format!("http://{VIP}/"));
    cluster.get(&format!("http://[{VIP6}]/"));
    cluster.run(&["status"]).exits(0);
    Some(cluster)
}

fn hardware(cluster: &Cluster, node: &str) -> String {
    let text = cluster.on(node, "cat /sys/class/net/eth0/address");
    text.trim().to_owned()
}

/// The controller's neighbour entry for a VIP.
fn known_to_users(cluster: &Cluster, vip: &str) -> String {
    cluster.on_controller("ip", &["neigh", "show", "to", vip])
}

fn known_to(cluster: &Cluster, node: &str, vip: &str) -> String {
    cluster.on(node, &format!("ip neigh show to {vip}"))
}

/// Announces the VIP with gratuitous ARP, as a node does that takes itself for the owner.
const ANNOUNCE: &str = r#"
my $mac = pack("C6", map { hex } split(/:/, $ARGV[0]));
my $vip = pack("C4", split(/\./, $ARGV[1]));
my $all = "\xff" x 6;
socket(my $s, 17, 3, 0) or die;
my $frame = pack("a6 a6 n n n C C n a6 a4 a6 a4 x18", $all, $mac, 0x0806, 1, 0x0800, 6, 4, 1, $mac, $vip, "\0" x 6, $vip);
send($s, $frame, 0, pack("S n i S C C a8", 17, 0x0806, $ARGV[2], 1, 0, 6, $all)) or die;
"#;

/// Makes lb2 announce the VIP while lb1 still owns it.
fn mislead(cluster: &Cluster) {
    let wrong = hardware(cluster, "lb2");
    let index = cluster.on("lb2", "cat /sys/class/net/eth0/ifindex");
    wait_for("neighbours that take lb2 for the owner", || {
        cluster.on_node("lb2", "perl", &["-e", ANNOUNCE, &wrong, VIP, index.trim()]);
        known_to_users(cluster, VIP).contains(&wrong)
            && known_to(cluster, "lb3", VIP).contains(&wrong)
    });
}

fn problems(ended: &Ended) -> Vec<serde_json::Value> {
    ended.json()["problems"].as_array().unwrap().clone()
}

#[test]
fn status_tells_that_neighbours_send_to_the_wrong_node() {
    let Some(cluster) = cluster() else {
        return;
    };
    mislead(&cluster);
    let ended = cluster.run(&["status", "--format", "json"]).exits(1);
    // hactl runs on the controller, on the clients' segment.
    let found = ["lb3", "this machine"].map(|from| {
        serde_json::json!({
            "problem": "wrong_hardware", "from": from, "vip": VIP,
            "learned": hardware(&cluster, "lb2"), "learned_is": "lb2", "owner": "lb1",
        })
    });
    assert_eq!(problems(&ended), found, "{ended}");
    assert_eq!(ended.json()["healthy"], false);
    // Looking corrects nobody.
    let wrong = hardware(&cluster, "lb2");
    assert!(known_to_users(&cluster, VIP).contains(&wrong));

    // A drill would measure something else.
    mislead(&cluster);
    cluster
        .run(&["failover-test", "--drill", "nginx-stop", "--yes"])
        .exits(1)
        .says("sends traffic for 10.0.0.100 to");

    // The same with IPv6.
    let right = hardware(&cluster, "lb1");
    cluster.on_node(
        "lb1",
        "sh",
        &[
            "-c",
            &format!("arping -q -U -c 1 -I eth0 -s {VIP} {VIP} || :"),
        ],
    );
    wait_for("neighbours that take lb1 for the owner", || {
        known_to_users(&cluster, VIP).contains(&right)
            && known_to(&cluster, "lb3", VIP).contains(&right)
    });
    cluster.run(&["status"]).exits(0);
    cluster.on(
        "lb3",
        &format!("ip -6 neigh replace {VIP6} lladdr {right} dev eth0 nud reachable"),
    );
    let ended = cluster.run(&["status", "--format", "json"]).exits(1);
    let problems = problems(&ended);
    assert_eq!(problems.len(), 1, "{ended}");
    assert_eq!(
        (
            &problems[0]["problem"],
            &problems[0]["vip"],
            &problems[0]["learned_is"]
        ),
        (&"wrong_hardware".into(), &VIP6.into(), &"lb1".into())
    );
}

#[test]
fn a_change_ends_with_neighbours_that_know_the_owner() {
    let Some(cluster) = cluster() else {
        return;
    };
    // On a busy machine the VIP may move meanwhile. Then all have to know the new owner.
    let all_know_it = |what: &str| {
        let owner = cluster.owner(VIP);
        let right = hardware(&cluster, &owner);
        let others = cluster.nodes().into_iter().filter(|node| *node != owner);
        let mut known: Vec<String> = others.map(|node| known_to(&cluster, &node, VIP)).collect();
        known.push(known_to_users(&cluster, VIP));
        assert!(
            known.iter().all(|known| known.contains(&right)),
            "{what}: {known:?}, and {owner} has {right}"
        );
        cluster.get(&format!("http://{VIP}/"));
    };
    mislead(&cluster);
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    cluster.apply();
    all_know_it("applied");

    // lb1 comes last and cannot listen on the port, so all nodes are rolled back.
    cluster.on("lb1", "systemd-run --quiet --unit=taken -p Type=exec perl -MIO::Socket::INET -e \
        'my $s = IO::Socket::INET->new(LocalPort => 81, Listen => 1, ReuseAddr => 1) or die; sleep 3600'");
    cluster.edit("listen: [80]", "listen: [80, 81]");
    // It also lacks perl, the last program on it that could announce the VIP.
    cluster.on("lb1", "mv /usr/bin/perl /usr/bin/perl.gone");
    mislead(&cluster);
    let before = cluster.all_etc();
    let ended = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(4);
    let events = ended.json()["events"].to_string();
    assert!(events.contains("reached_again"), "{ended}");
    all_know_it("undone");
    cluster.assert_etc(&before);
    cluster.on(
        "lb1",
        "mv /usr/bin/perl.gone /usr/bin/perl; systemctl stop taken",
    );

    // A cancelled change is rolled back with the same result.
    cluster
        .run(&["apply", "--yes", "--confirm", "manual"])
        .exits(0);
    mislead(&cluster);
    cluster.run(&["cancel"]).exits(0);
    all_know_it("cancelled");
    cluster.run(&["status"]).exits(0);

    // The same when hosts roll back on their own, without hactl.
    let waiting = [
        "apply",
        "--yes",
        "--confirm",
        "manual",
        "--confirm-timeout",
        "30s",
    ];
    cluster.run(&waiting).exits(0);
    mislead(&cluster);
    for node in cluster.nodes() {
        cluster.wait_for_file(&node, "/var/lib/hactl/journal", false);
    }
    let right = hardware(&cluster, &cluster.owner(VIP));
    wait_for("neighbours that the owner corrected", || {
        known_to_users(&cluster, VIP).contains(&right)
            && known_to(&cluster, "lb3", VIP).contains(&right)
    });
}

#[test]
fn what_users_cannot_reach_is_not_proven() {
    let Some(cluster) = cluster() else {
        return;
    };
    let rule = "nft add table inet shut
        nft 'add chain inet shut input { type filter hook input priority 0; }'
        nft add rule inet shut input iifname eth0 tcp dport 80 drop";
    cluster.on("lb1", rule);
    let ended = cluster.run(&["status", "--format", "json"]).exits(1);
    let found = problems(&ended);
    let is_of = |node: &str, vip: &str| {
        found.iter().any(|problem| {
            problem["problem"] == "not_reached"
                && problem["from"] == node
                && problem["vip"] == vip
                && problem["port"] == 80
        })
    };
    for from in ["lb2", "lb3", "this machine"] {
        assert!(is_of(from, VIP), "{ended}");
    }
    // The rule also drops packets to the node's own address.
    let is_shut = |problem: &serde_json::Value| {
        problem["problem"] == "unreachable" && problem["node"] == "lb1"
    };
    assert!(found.iter().any(is_shut), "{ended}");
    assert_eq!(found.len(), 4, "{ended}");
    let before = cluster.all_etc();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    let ended = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(4);
    assert_eq!(
        ended.json()["outcome"]["failure"]["step"],
        "prove",
        "{ended}"
    );
    cluster.assert_etc(&before);
    cluster.on("lb1", "nft delete table inet shut");
    cluster.apply();
    cluster.run(&["status"]).exits(0);
}

const SHUT: &str = "add table inet shut
    add chain inet shut output { type filter hook output priority 0; }
    add rule inet shut output ip daddr 10.0.0.100 tcp dport 80 drop";

#[test]
fn what_this_machine_reached_before_a_change_it_reaches_after() {
    let Some(cluster) = cluster() else {
        return;
    };
    let nft = |script: &str| cluster.on_controller("nft", &[script]);
    // A firewall that affects only this machine.
    nft(SHUT);
    let ended = cluster.run(&["status", "--format", "json"]).exits(1);
    let lost = serde_json::json!({
        "problem": "not_reached", "from": "this machine", "vip": VIP, "port": 80, "owner": "lb1",
    });
    assert_eq!(problems(&ended), std::slice::from_ref(&lost), "{ended}");
    // The problem existed before, so it does not cause a rollback.
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    cluster.apply();

    nft("delete table inet shut");
    cluster.run(&["status"]).exits(0);
    cluster.edit("192.168.1.13:8080", "192.168.1.12:8080");
    let before = cluster.all_etc();
    let arguments = ["apply", "--yes", "--format", "json"];
    let hactl = cluster.start(&arguments);
    cluster.wait_for_file("lb2", "/var/lib/hactl/journal", true);
    nft(SHUT);
    let output = hactl.wait_with_output().unwrap();
    let ended = Ended::new(&arguments, output).exits(5);
    let outcome = &ended.json()["outcome"];
    assert_eq!(outcome["failure"]["step"], "prove", "{ended}");
    cluster.assert_etc(&before);
    // The rollback does not restore the previous state, either: this machine still cannot reach the
    // VIP.
    assert!(
        outcome["problems"].to_string().contains("this machine"),
        "{ended}"
    );
    nft("delete table inet shut");
    cluster.apply();
    cluster.run(&["status"]).exits(0);
}
