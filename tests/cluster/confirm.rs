//! Manual confirmation, and locks: several machines work on one cluster.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Ended, VIP, machines};
use crate::lab::wait_for;

/// A cluster with a change that is ready to be applied.
fn with_a_change() -> Option<Cluster> {
    let cluster = Cluster::up(&machines())?;
    cluster.apply();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    Some(cluster)
}

/// The confirmation timeout in these tests, long enough for activation on a busy machine.
const SHORT: &str = "45s";

/// Waits until the timers have expired and no node has a change in flight.
fn wait_for_the_timers(cluster: &Cluster) {
    let started = Instant::now();
    let is_under_way = |node: &String| {
        let state = cluster.node_root(node).join("var/lib/hactl");
        let unit = "etc/systemd/system/hactl-revert.timer";
        state.join("journal").exists() || cluster.node_root(node).join(unit).exists()
    };
    while cluster.nodes().iter().any(is_under_way) {
        assert!(
            started.elapsed() < Duration::from_mins(3),
            "the change is still under way"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// hactl as another operator runs it, with nothing but a copy of the inventory.
fn elsewhere(cluster: &Cluster, folder: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let inventory = folder.path().join("hactl.yml");
    std::fs::copy(cluster.inventory_path(), &inventory).unwrap();
    let mut command = cluster.command(&["-i", inventory.to_str().unwrap()]);
    command
        .args(arguments)
        .env("USER", "bob")
        .env("TMPDIR", folder.path())
        .current_dir(folder.path());
    command
}

fn run_elsewhere(cluster: &Cluster, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let output = elsewhere(cluster, &folder, arguments).output().unwrap();
    Ended::new(arguments, output)
}

#[test]
fn a_change_that_waits_is_confirmed_from_another_machine() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    run_elsewhere(&cluster, &["confirm"])
        .exits(0)
        .says("there is nothing to confirm");
    let old = cluster.all_served();
    cluster
        .run(&["apply", "--yes", "--confirm", "manual"])
        .exits(0)
        .says("Pending confirmation: generation 2 is live on lb1, lb2 and lb3")
        .says("Each host rolls it back at")
        .says("(in ")
        .says("hactl confirm keeps it")
        .says("hactl cancel rolls it back now");
    assert_ne!(cluster.all_served(), old);

    // Meanwhile nobody else can change anything, and every verb reports the pending change.
    run_elsewhere(&cluster, &["apply", "--yes"])
        .exits(6)
        .says("a change by tester@")
        .says("is pending confirmation")
        .says("keep it with `hactl confirm`, or roll it back with `hactl cancel`");
    run_elsewhere(&cluster, &["plan"])
        .exits(6)
        .says("is pending confirmation");
    run_elsewhere(&cluster, &["rollback", "--yes"]).exits(6);
    run_elsewhere(&cluster, &["status"])
        .exits(1)
        .says("is pending confirmation")
        .never_says("runs another configuration");
    run_elsewhere(&cluster, &["lock", "show"])
        .exits(0)
        .says("tester@")
        .says("to be confirmed");
    run_elsewhere(&cluster, &["lock", "break", "--yes"])
        .exits(1)
        .says("it belongs to a change in progress")
        .says("end the change with `hactl confirm` or `hactl cancel`");
    run_elsewhere(&cluster, &["confirm", "--limit", "lb1"]).exits(64);

    let ended = run_elsewhere(&cluster, &["confirm", "--format", "json"]).exits(0);
    assert_eq!(ended.json()["outcome"]["result"], "confirmed");
    cluster
        .run(&["confirm"])
        .exits(0)
        .says("nothing to confirm");
    run_elsewhere(&cluster, &["cancel"])
        .exits(1)
        .says("The last change is confirmed");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);
    cluster.owner(VIP);
    // The next change finds the locks free.
    cluster.edit("192.168.1.13:8080", "192.168.1.12:8080");
    cluster.apply().says("generation 3 is live");
    cluster.assert_no_traces();
}

#[test]
fn a_node_that_is_asked_when_the_change_ends_keeps_no_unit_of_it() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let waits = [
        "apply",
        "--yes",
        "--confirm",
        "manual",
        "--format",
        "ndjson",
    ];
    let (events, document) = cluster.run(&waits).exits(0).lines();
    assert_eq!(document["outcome"]["result"], "waiting");
    assert_eq!(document["events"].as_array().unwrap().len(), events.len());
    let units = || {
        let list = "systemctl list-units --all --plain --no-legend 'hactl-*'";
        cluster.on("lb2", list)
    };
    // Another node that connects but sends no query for a while.
    cluster.on(
        "lb3",
        "systemd-run -q --collect bash -c 'exec 3<>/dev/tcp/10.0.0.12/112; sleep 40'",
    );
    wait_for("lb2 to be asked", || units().contains("hactl-peer@"));
    run_elsewhere(&cluster, &["cancel"]).exits(0);
    assert_eq!(units(), "");
    cluster.assert_no_traces();
}

#[test]
fn a_change_that_waits_is_cancelled_to_the_byte() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let (before, served) = (cluster.all_etc(), cluster.all_served());
    cluster
        .run(&[
            "apply",
            "--yes",
            "--confirm",
            "manual",
            "--confirm-timeout",
            "30m",
        ])
        .exits(0)
        .says("(in 2");
    run_elsewhere(&cluster, &["cancel"])
        .exits(0)
        .says("generation 2, applied by tester@")
        .says("is rolled back on lb1, lb2 and lb3");
    cluster.assert_etc(&before);
    assert_eq!(cluster.all_served(), served);
    cluster.assert_no_traces();
    // The operator that applied it is told once.
    cluster.run(&["confirm"]).exits(1).says("cancelled by bob@");
    cluster.run(&["cancel"]).exits(0).says("nothing to cancel");
    cluster.run(&["plan"]).exits(0).says("cancelled by bob@");
    cluster.apply().says("cancelled by bob@");
    cluster.run(&["status"]).never_says("cancelled by bob@");
}

#[test]
fn a_change_that_nobody_confirms_is_undone_and_said_so_once() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let before = cluster.all_etc();
    let manual = [
        "apply",
        "--yes",
        "--confirm",
        "manual",
        "--confirm-timeout",
        SHORT,
    ];
    cluster.run(&manual).exits(0);
    wait_for_the_timers(&cluster);
    for node in cluster.nodes() {
        cluster.wait_for_file(&node, "/var/lib/hactl/lock", false);
    }
    cluster.assert_etc(&before);
    run_elsewhere(&cluster, &["confirm"])
        .exits(1)
        .says("The last change was rolled back on lb1, lb2 and lb3")
        .says("it was not confirmed in time");
    run_elsewhere(&cluster, &["status"]).says("it was not confirmed in time");
    cluster.apply().says("it was not confirmed in time");
    cluster.run(&["status"]).exits(0).never_says("in time");
    cluster.assert_no_traces();
}

#[test]
fn one_that_confirms_and_one_that_cancels_at_the_same_time_agree() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let manual = ["apply", "--yes", "--confirm", "manual"];
    for round in 0..3 {
        let before = cluster.all_etc();
        cluster.run(&manual).exits(0);
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let both = ["confirm", "cancel"].into_iter().zip(&folders);
        let both: Vec<_> = both
            .map(|(verb, folder)| {
                let mut command = elsewhere(&cluster, folder, &[verb]);
                let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
                (verb, command.spawn().unwrap())
            })
            .collect();
        let ended: Vec<Ended> = both
            .into_iter()
            .map(|(verb, child)| Ended::new(&[verb], child.wait_with_output().unwrap()))
            .collect();
        let codes: Vec<i32> = ended.iter().map(|ended| ended.code().unwrap()).collect();
        let served = cluster.all_served();
        assert!(served.iter().all(|id| *id == served[0]), "{served:?}");
        let is_confirmed = codes[0] == 0;
        if is_confirmed {
            // The canceller saw the confirmation happen, or came too late.
            assert_eq!(codes[1], 1, "{round}: {}", ended[1]);
        } else {
            assert!(matches!(codes[0], 1 | 4), "{round}: {}", ended[0]);
            assert_eq!(codes[1], 0, "{round}: {}", ended[1]);
            cluster.assert_etc(&before);
        }
        cluster.run(&["plan"]).exits(0);
        let (from, to) = if is_confirmed == cluster.inventory().contains("192.168.1.13") {
            ("192.168.1.13:8080", "192.168.1.12:8080")
        } else {
            continue;
        };
        cluster.edit(from, to);
        cluster.apply();
        cluster.edit(to, from);
    }
}

#[test]
fn the_lock_of_a_killed_hactl_is_free_at_once_where_it_ran() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    // Killed while holding its lock, before any change.
    let mut hactl = cluster.start(&["apply", "--yes"]);
    cluster.wait_for_file("lb1", "/var/lib/hactl/lock", true);
    hactl.kill().unwrap();
    hactl.wait().unwrap();
    // It may have locked any number of nodes and got any distance.
    let started = Instant::now();
    cluster.apply().says("generation 2 is live");
    assert!(
        started.elapsed() < Duration::from_secs(90),
        "it waited for a lock"
    );
    cluster.assert_no_traces();

    // From another machine, nobody can know that the holder is dead.
    let lock = "read -r up _ </proc/uptime
        printf 'tx\\tsome-tx\\nholder\\talice@desk\\npid\\t4711\\norigin\\telsewhere/1\\nsince\\t2026-01-02T03:04:05Z\\nboot\\t%s\\nuntil\\t%s\\n' \
            \"$(cat /proc/sys/kernel/random/boot_id)\" $((${up%%.*} + 600)) >/var/lib/hactl/lock";
    cluster.on("lb2", lock);
    cluster.edit("192.168.1.13:8080", "192.168.1.12:8080");
    cluster
        .run(&["apply", "--yes"])
        .exits(6)
        .says(
            "lb2: alice@desk (pid 4711) is changing this cluster since 2026-01-02T03:04:05Z, until",
        )
        .says("`hactl lock break` breaks it now");
    cluster.run(&["lock", "break"]).exits(64).says("--yes");
    cluster
        .run(&["lock", "break", "--yes"])
        .exits(0)
        .says("alice@desk")
        .says("the lock is broken on lb2");
    cluster
        .run(&["lock", "break", "--yes"])
        .exits(0)
        .says("No node is locked");
    cluster.apply().says("generation 3 is live");
}

#[test]
fn a_lock_broken_during_a_change_leaves_it_to_its_timers() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let before = cluster.all_etc();
    let manual = [
        "apply",
        "--yes",
        "--confirm",
        "manual",
        "--confirm-timeout",
        SHORT,
    ];
    cluster.run(&manual).exits(0);
    cluster
        .run(&["lock", "break", "--yes", "--force"])
        .exits(0)
        .says("each host still rolls the change in progress back");
    // The next caller is told about the pending change, with or without a lock.
    cluster
        .run(&["apply", "--yes"])
        .exits(6)
        .says("is pending confirmation");
    wait_for_the_timers(&cluster);
    cluster.assert_etc(&before);
    cluster.apply();
}

#[test]
fn what_a_killed_hactl_has_activated_is_cancelled_or_ended_by_the_next_apply() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let before = cluster.all_etc();
    for verb in ["cancel", "apply"] {
        let mut hactl = cluster.start(&["apply", "--yes", "--confirm", "manual"]);
        // lb2 comes first.
        cluster.wait_for_file("lb2", "/var/lib/hactl/journal", true);
        hactl.kill().unwrap();
        hactl.wait().unwrap();
        if verb == "cancel" {
            // Before it is proven, it cannot be confirmed.
            cluster
                .run(&["confirm"])
                .exits(1)
                .says("was interrupted before it was proven on all nodes")
                .says("roll it back now with `hactl cancel`");
            cluster.run(&["cancel"]).exits(0).says("is rolled back");
            cluster.assert_etc(&before);
            cluster.assert_no_traces();
        } else {
            cluster.apply().says("rolled back the interrupted change");
        }
    }
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.assert_no_traces();
}

#[test]
fn ctrl_c_during_a_change_that_is_to_wait_undoes_it() {
    let Some(cluster) = with_a_change() else {
        return;
    };
    let before = cluster.all_etc();
    let hactl = cluster.start(&["apply", "--yes", "--confirm", "manual"]);
    cluster.wait_for_file("lb2", "/var/lib/hactl/journal", true);
    let pid = nix::unistd::Pid::from_raw(hactl.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = Ended::new(&["apply"], hactl.wait_with_output().unwrap());
    ended.exits(4).says("Rolled back");
    cluster.assert_etc(&before);
    for node in cluster.nodes() {
        cluster.wait_for_file(&node, "/var/lib/hactl/lock", false);
    }
    cluster.assert_no_traces();

    // On a second signal hactl leaves it to the timers, with the same result.
    let args = [
        "apply",
        "--yes",
        "--confirm",
        "manual",
        "--confirm-timeout",
        SHORT,
    ];
    let hactl = cluster.start(&args);
    cluster.wait_for_file("lb2", "/var/lib/hactl/journal", true);
    let pid = nix::unistd::Pid::from_raw(hactl.id().try_into().unwrap());
    for _ in 0..2 {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = Ended::new(&["apply"], hactl.wait_with_output().unwrap());
    if ended.code() == Some(5) {
        ended.says("hosts roll an unconfirmed change back when their timers end");
    }
    wait_for_the_timers(&cluster);
    cluster.assert_etc(&before);
}
