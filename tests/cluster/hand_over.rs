//! A node answers for the VIP until the neighbours know the next owner, without posing as the owner
//! meanwhile. Rolling hactl back removes everything needed for that.

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

/// The MAC address in the controller's neighbour table for the VIP.
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
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    cluster.apply();
    assert_eq!(cluster.owner(VIP), "lb1");
    assert_eq!(status(&cluster), "200");
    let of_lb1 = hardware(&cluster);
    // Longer than `TimeoutStopSec`, so that systemd kills the script halfway.
    cluster.on(
        "lb1",
        "sed -i 's/sleep 0.3/sleep 25/' /etc/keepalived/hand_over.sh; \
         mkdir -p /run/systemd/system/nginx.service.d; \
         printf '[Service]\nTimeoutStopSec=20\n' >/run/systemd/system/nginx.service.d/60-slow.conf; \
         systemctl daemon-reload; systemctl stop --no-block nginx.service",
    );
    wait_for("the VIP on lb2", || cluster.owners(VIP) == ["lb2"]);

    // A client that missed the announcement still sends its packets to lb1.
    let pin = |mac: &str| {
        let words = ["neigh", "replace", VIP, "lladdr", mac, "dev", "eth0"];
        cluster.on_controller("ip", &words);
    };
    for _ in 0..5 {
        pin(&of_lb1);
        assert_eq!(status(&cluster), "200", "lb1 no longer answers");
    }
    // A client that asks again learns only of lb2.
    for _ in 0..10 {
        cluster.on_controller("ip", &["neigh", "delete", VIP, "dev", "eth0"]);
        assert_eq!(status(&cluster), "200");
        assert_ne!(hardware(&cluster), of_lb1, "lb1 answers ARP for it");
    }
    assert!(on_loopback(&cluster, "lb1"));

    wait_for("the end of the stop", || {
        let state = cluster.on("lb1", "systemctl is-active nginx.service; :");
        !matches!(state.trim(), "active" | "deactivating")
    });
    wait_for("the end of the hand-over", || {
        !on_loopback(&cluster, "lb1") && is_as_before(&cluster, "lb1")
    });
    pin(&of_lb1);
    assert_ne!(status(&cluster), "200");
}

fn on_loopback(cluster: &Cluster, node: &str) -> bool {
    cluster.on(node, "ip -o addr show dev lo").contains(VIP)
}

/// Whether the node's ARP settings are back to the host's own.
fn is_as_before(cluster: &Cluster, node: &str) -> bool {
    let settings = "cd /proc/sys/net/ipv4/conf/eth0; cat arp_ignore arp_announce; ls -R /run/hactl";
    let said = cluster.on(node, &format!("{settings}; :"));
    said.starts_with("0\n0\n") && !said.contains("arp.") && !said.contains("handed-over")
}

#[test]
fn the_owner_alone_has_the_vip_on_its_loopback_and_after_a_rollback_nobody() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let prepared = || {
        let of = |node: &&str| on_loopback(&cluster, node);
        ["lb1", "lb2", "lb3"]
            .into_iter()
            .filter(of)
            .collect::<Vec<_>>()
    };
    let settles = |owner: &str| {
        // The owner of another VIP is prepared, too.
        let loopback = |node: &str| cluster.on(node, "ip -o addr show dev lo");
        let fits =
            |node: &str| is_as_before(&cluster, node) != loopback(node).contains("10.0.0.10");
        wait_for("one owner, prepared for its hand-over", || {
            let alone = cluster.owners(VIP) == [owner] && prepared() == [owner];
            alone && ["lb1", "lb2", "lb3"].into_iter().all(fits)
        });
    };
    settles("lb1");
    cluster.on("lb1", "systemctl stop keepalived.service");
    settles("lb2");
    cluster.on("lb1", "systemctl start keepalived.service");
    settles("lb1");
    cluster.on(
        "lb1",
        "systemctl kill --kill-who=main -s KILL nginx.service",
    );
    wait_for("nginx to be started again", || {
        cluster
            .on("lb1", "systemctl is-active nginx.service; :")
            .trim()
            == "active"
    });
    settles("lb1");
    cluster.on("lb1", "systemctl kill -s KILL keepalived.service");
    wait_for("keepalived to be started again", || {
        cluster
            .on("lb1", "systemctl is-active keepalived.service; :")
            .trim()
            == "active"
    });
    settles("lb1");
    // A script that is being replaced first removes the addresses that it added, and the new one
    // starts over.
    let inventory = cluster.inventory();
    let more = inventory.replace(
        "10.0.0.100/24",
        "10.0.0.100/24 }\n  - { address: 10.0.0.101/24",
    );
    assert_ne!(more, inventory);
    cluster.set_inventory(&more);
    cluster.apply();
    settles("lb1");
    cluster.set_inventory(&inventory);
    cluster
        .run(&["apply", "--yes", "--stop-serving", "10.0.0.101"])
        .exits(0);
    settles("lb1");
    assert!(
        !cluster
            .on("lb1", "ip -o addr show dev lo")
            .contains("10.0.0.101")
    );
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    assert!(prepared().is_empty(), "{:?}", prepared());
    for node in ["lb1", "lb2", "lb3"] {
        assert!(is_as_before(&cluster, node), "{node}");
    }
}

/// Nothing can be sent from the VIP once it is removed, so a client would wait for its answer until
/// it times out.
#[test]
fn a_request_that_the_former_owner_has_is_answered_or_its_client_is_told() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.edit(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24, prefer: lb1 }\n  - { address: \"fd00:10::100/64\", prefer: lb1 }",
    );
    cluster.apply();
    let vips = [VIP, "fd00:10::100"];
    let workers = |signal: &str| {
        cluster.on("lb1", &format!("pkill -{signal} -u www-data nginx"));
    };
    let lingers = |vip: &str| cluster.on("lb1", "ip -o addr show dev lo").contains(vip);
    // The kernel has accepted the requests, nginx does not answer yet, and the VIPs move.
    let moves_with_requests = || {
        for vip in vips {
            wait_for("the VIPs on lb1", || cluster.owners(vip) == ["lb1"]);
            wait_for("lb1 to be prepared", || lingers(vip));
        }
        workers("STOP");
        let clients = vips.map(|vip| {
            let host = if vip == VIP { vip } else { "[fd00:10::100]" };
            let mut client = cluster.controller("curl");
            let url = format!("http://{host}/");
            client.args(["-s", "-o", "/dev/null", "-m", "20", &url]);
            let client = client.spawn().unwrap();
            wait_for("the request at lb1", || {
                let ask = format!("ss -Htn state established src '[{vip}]'");
                let said = cluster.on("lb1", &ask);
                said.lines().any(|line| !line.starts_with("0 "))
            });
            client
        });
        cluster.on("lb1", "systemctl stop keepalived.service");
        for vip in vips {
            wait_for("another owner", || {
                cluster.owners(vip).iter().any(|node| node != "lb1")
            });
        }
        clients
    };
    let ends_with = |clients: [std::process::Child; 2], code: i32| {
        for mut client in clients {
            let ended = client.wait().unwrap().code();
            let meaning = "curl: 0 is an answer, 28 waited in vain, 56 was told";
            assert_eq!(ended, Some(code), "{meaning}");
        }
    };

    let clients = moves_with_requests();
    // Longer than the neighbours need.
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(vips.into_iter().all(lingers));
    workers("CONT");
    ends_with(clients, 0);
    wait_for("the end of the hand-over", || {
        !vips.into_iter().any(lingers)
    });

    cluster.on("lb1", "systemctl start keepalived.service");
    let clients = moves_with_requests();
    wait_for("the end of the hand-over", || {
        !vips.into_iter().any(lingers)
    });
    workers("CONT");
    ends_with(clients, 56);
    assert!(is_as_before(&cluster, "lb1"));
}
