//! One change at a time, and no half-done change when hactl dies.

use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::{Cluster, Ended, VIP, machines};
use crate::lab::wait_for;

fn ended(child: Child) -> Ended {
    Ended::new(&["apply", "--yes"], child.wait_with_output().unwrap())
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn of_two_applies_at_once_one_works_and_the_other_says_who_is_at_it() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    let both = [(); 2].map(|()| cluster.start(&["apply", "--yes"]));
    let mut codes: Vec<_> = both.map(|child| ended(child).code()).into();
    codes.sort_unstable();
    // The second may have started so late that everything was already done.
    assert!(
        codes[0] == Some(0) && matches!(codes[1], Some(0 | 6)),
        "{codes:?}"
    );
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.assert_no_traces();

    // Pause one apply in the middle, until the other has noticed it.
    for round in 0..2 {
        let (from, to) = ("192.168.1.12:8080", "192.168.1.13:8080");
        let (from, to) = if round == 0 { (from, to) } else { (to, from) };
        cluster.edit(from, to);
        let first = cluster.start(&["apply", "--yes"]);
        cluster.wait_for_file("lb1", "/var/lib/hactl/lock", true);
        signal(&first, Signal::SIGSTOP);
        let before = cluster.all_etc();
        let pid = first.id();
        let second = cluster.run(&["apply", "--yes"]);
        let after = cluster.all_etc();
        signal(&first, Signal::SIGCONT);
        second
            .exits(6)
            .says(&format!("(pid {pid}) is changing this cluster since"));
        assert_eq!(before, after);
        ended(first).exits(0);
        cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
        cluster.assert_no_traces();
    }
}

#[test]
fn hosts_undo_what_a_killed_hactl_left_unconfirmed() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let before = cluster.all_etc();
    let served = cluster.all_served();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");

    let mut killed = cluster.start(&["apply", "--yes", "--confirm-timeout", "12s"]);
    // lb2 comes first and is activated, and lb3 is next.
    let journal = cluster.node_root("lb2").join("var/lib/hactl/journal");
    wait_for("the first activation", || {
        std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("phase\tactivated"))
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    cluster
        .run(&["status"])
        .exits(1)
        .says("lb2: the change")
        .says("is unfinished");
    for node in cluster.nodes() {
        cluster.wait_for_file(&node, "/var/lib/hactl/journal", false);
    }
    cluster.assert_etc(&before);
    assert_eq!(served, cluster.all_served());
    assert_eq!(cluster.owners(VIP).len(), 1);
    cluster
        .run(&["plan"])
        .exits(0)
        .says("lb2: the host rolled the last change")
        .says("it was not confirmed in time");
}
