//! Changes that all nodes make at once, on hosts that are slow, that fail, and that nobody tells how to go on:
//! how many nodes have the VIP is looked at all the while.

#![expect(clippy::print_stderr, reason = "what was measured is shown")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, VIP, machines};

/// What was seen of the VIP's owners.
#[derive(Debug, Default)]
struct Watched {
    looks: u64,
    /// Several owners in two looks in a row: the nodes of one look are not looked at in the same instant.
    two_owners: Vec<String>,
    /// The longest time without one.
    longest_gap: Duration,
}

/// Looks at all nodes until `work` is done.
fn watch<T>(cluster: &Cluster, work: impl FnOnce() -> T) -> (T, Watched) {
    let over = AtomicBool::new(false);
    let watched = Mutex::new(Watched::default());
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (begun, mut before, mut last) = (Instant::now(), 1, Instant::now());
            while !over.load(Ordering::Relaxed) {
                let owners = cluster.owners(VIP);
                let mut watched = watched.lock().unwrap();
                watched.looks += 1;
                if owners.len() > 1 && before > 1 {
                    let at = begun.elapsed();
                    watched
                        .two_owners
                        .push(format!("{at:?}: {}", owners.join(" and ")));
                }
                if !owners.is_empty() {
                    last = Instant::now();
                }
                watched.longest_gap = watched.longest_gap.max(last.elapsed());
                before = owners.len();
                drop(watched);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    });
    let watched = watched.into_inner().unwrap();
    assert!(watched.two_owners.is_empty(), "{:#?}", watched.two_owners);
    eprintln!(
        "{} looks, never two owners, none for {:?} at most",
        watched.looks, watched.longest_gap
    );
    (done, watched)
}

/// A setting of keepalived's unit on a node.
fn unit(cluster: &Cluster, node: &str, setting: &str) {
    let folder = "/etc/systemd/system/keepalived.service.d";
    let text = format!(
        "mkdir -p {folder}; printf '[Service]\\n%s\\n' '{setting}' >{folder}/test.conf; systemctl daemon-reload"
    );
    cluster.on(node, &text);
}

fn to_multicast(cluster: &Cluster) {
    let plain = cluster.inventory();
    cluster.set_inventory(&format!("{plain}vrrp: {{ peering: multicast }}\n"));
}

#[test]
fn what_moves_in_the_configuration_never_makes_two_owners() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let plain = cluster.inventory();
    for vrrp in [
        "advert_interval: 200ms, failover: standard",
        "version: 2, failover: standard",
    ] {
        cluster.set_inventory(&format!("{plain}vrrp: {{ {vrrp} }}\n"));
        eprintln!("{vrrp}");
        let (ended, _) = watch(&cluster, || cluster.run(&["apply", "--yes"]));
        ended.exits(0);
        assert_eq!(cluster.owners(VIP).len(), 1, "{vrrp}");
    }
    eprintln!("back");
    cluster.set_inventory(&plain);
    let (ended, _) = watch(&cluster, || cluster.run(&["apply", "--yes"]));
    ended.exits(0);
}

#[test]
fn a_slow_host_is_waited_for_and_one_that_fails_takes_all_back() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let owner = cluster.owner(VIP);
    unit(&cluster, "lb3", "ExecStop=/bin/sleep 5");
    let etc = cluster.all_etc();
    let plain = cluster.inventory();
    to_multicast(&cluster);
    let (ended, _) = watch(&cluster, || cluster.run(&["apply", "--yes"]));
    ended.exits(0);
    assert_eq!(cluster.owner(VIP), owner);
    cluster.set_inventory(&plain);
    cluster.run(&["apply", "--yes"]).exits(0);

    // The owner has the new configuration, and so has lb2, when lb3 refuses to start with it.
    let only_unicast = "ExecStartPre=/bin/grep -q unicast_peer /etc/keepalived/keepalived.conf";
    unit(&cluster, "lb3", only_unicast);
    let etc_of_lb3 = cluster.all_etc();
    assert_eq!(etc.len(), etc_of_lb3.len());
    to_multicast(&cluster);
    let (ended, _) = watch(&cluster, || cluster.run(&["apply", "--yes"]));
    ended.exits(4);
    cluster.assert_etc(&etc_of_lb3);
    assert_eq!(cluster.owner(VIP), owner);
    cluster.assert_no_traces();
}

#[test]
fn hosts_end_a_killed_switch_on_one_side() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let owner = cluster.owner(VIP);
    // lb3 starts slowly: the owner is new, and lb3 is not, when hactl dies.
    unit(&cluster, "lb3", "ExecStartPre=/bin/sleep 8");
    let etc = cluster.all_etc();
    to_multicast(&cluster);
    let ((), _) = watch(&cluster, || {
        let mut killed = cluster.start(&["apply", "--yes", "--confirm-timeout", "15s"]);
        let journal = cluster.node_root(&owner).join("var/lib/hactl/journal");
        crate::lab::wait_for("the owner", || {
            std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("phase\tactivated"))
        });
        killed.kill().unwrap();
        killed.wait().unwrap();
        // The timers, the owner's wait, and that of the others.
        let begun = Instant::now();
        let is_over = |node: &String| {
            let state = cluster.node_root(node).join("var/lib/hactl");
            !state.join("journal").exists() && !state.join("tx").exists()
        };
        while !cluster.nodes().iter().all(is_over) && begun.elapsed() < Duration::from_mins(4) {
            std::thread::sleep(Duration::from_secs(1));
        }
        assert!(
            cluster.nodes().iter().all(is_over),
            "some host has not ended it"
        );
        eprintln!("ended by the hosts after {:?}", begun.elapsed());
    });
    cluster.assert_etc(&etc);
    assert_eq!(cluster.owner(VIP), owner);
    cluster.assert_no_traces();
    // It tells that the change was undone.
    cluster.run(&["status"]);
}
