//! A planned stop of nginx: the node answers for the VIP until the neighbours know its next owner, and is
//! never taken for the owner meanwhile.

use std::thread;
use std::time::Duration;

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

/// The hardware address that the controller takes for the VIP's.
fn hardware(cluster: &Cluster) -> String {
    let said = cluster.on_controller("ip", &["neigh", "show", VIP]);
    let mut words = said.split_whitespace();
    words.find(|word| *word == "lladdr");
    words.next().unwrap_or_default().to_owned()
}

fn status(cluster: &Cluster) -> String {
    let form = ["-s", "-o", "/dev/null", "-m", "2", "-w", "%{http_code}"];
    let url = format!("http://{VIP}/");
    let asked: Vec<&str> = form.into_iter().chain([url.as_str()]).collect();
    let said = cluster.controller("curl").args(asked).output();
    String::from_utf8_lossy(&said.unwrap().stdout).into_owned()
}

#[test]
fn a_stopping_node_answers_until_the_neighbours_know_the_next_owner() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    assert_eq!(cluster.owner(VIP), "lb1");
    assert_eq!(status(&cluster), "200");
    let of_lb1 = hardware(&cluster);
    // Longer than systemd waits for a stop, so that it is killed in the middle.
    cluster.on(
        "lb1",
        "sed -i 's/^sleep 0.3$/sleep 60/' /etc/keepalived/hand_over.sh; \
         mkdir -p /run/systemd/system/nginx.service.d; \
         printf '[Service]\nTimeoutStopSec=20\n' >/run/systemd/system/nginx.service.d/60-slow.conf; \
         systemctl daemon-reload; systemctl stop --no-block nginx.service",
    );
    wait_for("the VIP on lb2", || cluster.owners(VIP) == ["lb2"]);

    // A client that has not heard of it: its packets go to lb1 as before.
    let pin = |mac: &str| {
        let words = ["neigh", "replace", VIP, "lladdr", mac, "dev", "eth0"];
        cluster.on_controller("ip", &words);
    };
    for _ in 0..5 {
        pin(&of_lb1);
        assert_eq!(status(&cluster), "200", "lb1 no longer answers");
    }
    // One that asks learns of lb2 alone.
    for _ in 0..10 {
        cluster.on_controller("ip", &["neigh", "delete", VIP, "dev", "eth0"]);
        assert_eq!(status(&cluster), "200");
        assert_ne!(hardware(&cluster), of_lb1, "lb1 answers ARP for it");
    }
    assert!(cluster.on("lb1", "ip -o addr show dev lo").contains(VIP));

    wait_for("the end of the stop", || {
        let state = cluster.on("lb1", "systemctl is-active nginx.service; :");
        !matches!(state.trim(), "active" | "deactivating")
    });
    thread::sleep(Duration::from_millis(100));
    assert!(!cluster.on("lb1", "ip -o addr show dev lo").contains(VIP));
    let settings = "cd /proc/sys/net/ipv4/conf/eth0; cat arp_ignore arp_announce; ls /run/hactl";
    assert!(!cluster.on("lb1", settings).contains("arp."));
    assert!(cluster.on("lb1", settings).starts_with("0\n0\n"));
    pin(&of_lb1);
    assert_ne!(status(&cluster), "200");
}
