//! No trace of a lab is left, even if its starter is killed at any moment or its owner dies.

#![expect(clippy::unwrap_used, reason = "this is test code")]

#[path = "support/lab.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hactl::lab::{Lab, LabError, LabEvent, LabSpec, Owner};
use support::{TestLab, assert_nothing_left, skipped, text, wait_for};

/// Holds the lab's specification in a process that only starts a lab.
const STARTER: &str = "HACTL_TEST_STARTER";

/// Not a test, but the process that the tests below start and kill.
#[test]
#[ignore = "a helper of the other tests"]
fn starter() {
    let Ok(spec) = std::env::var(STARTER) else {
        return;
    };
    let spec: LabSpec = serde_json::from_str(&spec).unwrap();
    Lab::up(&spec, &mut |event| println!("{event:?}")).unwrap();
}

/// A separate process that starts a lab.
fn start(spec: &LabSpec) -> Child {
    starter_command(spec).spawn().unwrap()
}

fn starter_command(spec: &LabSpec) -> Command {
    let mut starter = Command::new(std::env::current_exe().unwrap());
    starter
        .args(["--exact", "starter", "--ignored", "--nocapture"])
        .env(STARTER, serde_json::to_string(spec).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    starter
}

/// Kills a starter with SIGKILL as soon as it has printed `moment`.
fn kill_at(mut starter: Child, moment: &str) {
    let said = BufReader::new(starter.stdout.take().unwrap()).lines();
    let reached = said.map_while(Result::ok).any(|line| line.contains(moment));
    starter.kill().unwrap();
    starter.wait().unwrap();
    assert!(reached, "the starter never said {moment}");
}

/// Occupies a slot, so that these labs count towards the limit of parallel labs.
fn slot() -> Option<TestLab> {
    TestLab::up(&LabSpec {
        nodes: 1,
        backends: 0,
        ..TestLab::spec()
    })
}

#[test]
fn a_starter_killed_at_any_moment_leaves_nothing_that_down_does_not_remove() {
    let Some(_slot) = slot() else { return };
    for moment in [
        "NetworkMade",
        "\"lb1\"",
        "\"lb2\"",
        "BackendsReady",
        "NodeReady",
        "LabReady",
    ] {
        let spec = LabSpec {
            nodes: 2,
            backends: 2,
            ..TestLab::spec()
        };
        kill_at(start(&spec), moment);
        assert!(Lab::remove(&spec.name).unwrap(), "{moment}");
        assert_nothing_left(&spec.name);
        assert!(!Lab::remove(&spec.name).unwrap(), "{moment}");
    }
}

#[test]
fn a_starter_killed_after_any_time_leaves_nothing_either() {
    let Some(_slot) = slot() else { return };
    for millis in [10, 20, 30, 40, 60, 80, 110, 150, 200, 300] {
        let spec = LabSpec {
            nodes: 2,
            backends: 2,
            ..TestLab::spec()
        };
        let mut starter = start(&spec);
        std::thread::sleep(Duration::from_millis(millis));
        starter.kill().unwrap();
        starter.wait().unwrap();
        // It may have been killed before it created anything.
        Lab::remove(&spec.name).unwrap();
        assert_nothing_left(&spec.name);
    }
}

#[test]
fn an_image_build_that_is_killed_leaves_no_process_and_no_mount() {
    if skipped() {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let mut build = starter_command(&TestLab::spec());
    build.env("HACTL_LAB_CACHE", cache.path());
    kill_at(build.spawn().unwrap(), "ImageProgress");
    let place = cache.path().to_str().unwrap().to_owned();
    wait_for("the end of the build", || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        !processes
            .filter_map(|it| fs::read_to_string(it.path().join("cmdline")).ok())
            .any(|line| line.contains(&place))
    });
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&place), "{mounts}");
    // An incomplete build must not look like an image.
    for entry in fs::read_dir(&place).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(
            [".draft", ".lock", ".log"]
                .iter()
                .any(|end| name.ends_with(end)),
            "{name}"
        );
    }
}

#[test]
fn a_lab_outlives_the_process_that_made_it() {
    let Some(_slot) = slot() else { return };
    let spec = LabSpec {
        nodes: 1,
        backends: 1,
        ..TestLab::spec()
    };
    let output = start(&spec).wait_with_output().unwrap();
    assert!(output.status.success());
    let lab = Lab::open(&spec.name).unwrap();
    let said = text(
        lab.controller("curl")
            .args(["-sSf", "http://192.168.1.10:8080/"]),
    );
    assert_eq!(said, "b1\n");
    assert_eq!(
        text(lab.node("lb1", "hostname").unwrap().arg("-s")),
        "lb1\n"
    );
    lab.down().unwrap();
    assert_nothing_left(&spec.name);
}

#[test]
fn up_takes_the_place_of_one_that_was_interrupted() {
    let Some(_slot) = slot() else { return };
    let spec = LabSpec {
        nodes: 1,
        backends: 1,
        ..TestLab::spec()
    };
    kill_at(start(&spec), "NodeStarted");
    let mut events = Vec::new();
    let lab = Lab::up(&spec, &mut |event| events.push(event)).unwrap();
    assert!(
        events.contains(&LabEvent::LeftoverRemoved {
            name: spec.name.clone()
        }),
        "{events:?}"
    );
    assert_eq!(lab.status().unwrap().nodes.len(), 1);
    lab.down().unwrap();
    assert_nothing_left(&spec.name);
}

#[test]
fn a_lab_goes_when_its_owner_has_died() {
    let Some(_slot) = slot() else { return };
    let mut owner = Command::new("sleep").arg("1000").spawn().unwrap();
    let spec = LabSpec {
        nodes: 1,
        backends: 1,
        owner: Owner::of(owner.id()),
        ..TestLab::spec()
    };
    let kept = LabSpec {
        owner: Owner::this_process(),
        ..spec.clone()
    };
    let kept = LabSpec {
        name: format!("{}-kept", kept.name),
        ..kept
    };
    Lab::up(&spec, &mut |_| {}).unwrap();
    let beside = Lab::up(&kept, &mut |_| {}).unwrap();
    assert!(!Lab::reap_orphans().unwrap().contains(&spec.name));

    owner.kill().unwrap();
    owner.wait().unwrap();
    // The `up` of any other lab may remove it first. Its lock file is the last thing to go.
    Lab::reap_orphans().unwrap();
    let lock = format!("/var/lib/hactl-lab/.{}.lock", spec.name);
    wait_for("the orphan's removal", || {
        !Lab::list().unwrap().contains(&spec.name) && !fs::exists(&lock).unwrap()
    });
    assert_nothing_left(&spec.name);
    assert!(beside.status().unwrap().nodes[0].leader.is_some());
    beside.down().unwrap();
}

#[test]
fn down_works_without_the_labs_own_notes() {
    let Some(_slot) = slot() else { return };
    let spec = LabSpec {
        nodes: 1,
        backends: 1,
        ..TestLab::spec()
    };
    let lab = Lab::up(&spec, &mut |_| {}).unwrap();
    fs::write(lab.dir().join("lab.json"), "{").unwrap();
    assert!(matches!(
        Lab::open(&spec.name),
        Err(LabError::Record { .. })
    ));
    fs::remove_file(lab.dir().join("lab.json")).unwrap();
    lab.down().unwrap();
    assert_nothing_left(&spec.name);
}

#[test]
fn two_starters_of_one_name_make_one_lab() {
    let Some(_slot) = slot() else { return };
    let spec = LabSpec {
        nodes: 1,
        backends: 0,
        ..TestLab::spec()
    };
    let starters = [start(&spec), start(&spec)];
    let made = starters.map(|it| it.wait_with_output().unwrap().status.success());
    assert_ne!(
        made[0], made[1],
        "one must find the other's lab, or find it busy"
    );
    let lab = Lab::open(&spec.name).unwrap();
    assert!(lab.status().unwrap().complete);
    lab.down().unwrap();
    assert_nothing_left(&spec.name);
}

#[test]
fn two_labs_live_side_by_side() {
    let spec = LabSpec {
        nodes: 1,
        backends: 1,
        ..TestLab::spec()
    };
    let Some(one) = TestLab::up(&spec) else {
        return;
    };
    let two = TestLab::up_beside(
        &one,
        &LabSpec {
            name: format!("{}-b", spec.name),
            ..spec
        },
    );
    one.on_node("lb1", "touch", &["/root/one"]);
    two.on_node("lb1", "touch", &["/root/two"]);
    assert_eq!(text(&mut one.ssh("lb1", "ls /root")), "one\n");
    assert_eq!(text(&mut two.ssh("lb1", "ls /root")), "two\n");
    let names = Lab::list().unwrap();
    assert!(names.contains(&one.name().to_owned()) && names.contains(&two.name().to_owned()));

    // The first lab's name is a prefix of the second's.
    one.down().unwrap();
    assert_nothing_left(one.name());
    assert_eq!(text(&mut two.ssh("lb1", "ls /root")), "two\n");
    assert_eq!(
        two.on_controller("curl", &["-sSf", "http://192.168.1.10:8080/"]),
        "b1\n"
    );
}

#[test]
fn a_lab_is_made_once_and_removed_once() {
    let spec = LabSpec {
        nodes: 1,
        backends: 1,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let again = Lab::up(&spec, &mut |_| {});
    assert!(
        matches!(again, Err(LabError::AlreadyUp { .. })),
        "{again:?}"
    );
    assert_eq!(text(&mut lab.ssh("lb1", "hostname")), "lb1\n");
    let opened = Lab::open(&spec.name).unwrap();
    assert_eq!(opened.spec(), &spec);
    let status = opened.status().unwrap();
    assert!(status.complete && status.backends[0].running);
    assert!(status.nodes[0].uptime.unwrap() < Duration::from_mins(10));
    assert_eq!(
        lab.on_controller("sh", &["-c", "cat \"$HACTL_INVENTORY\""]),
        { fs::read_to_string(lab.inventory_path()).unwrap() }
    );

    // Removal kills other processes on the controller, but not the one that requests it.
    let mut visitor = lab.controller("sleep").arg("1000").spawn().unwrap();
    assert!(Lab::remove(&spec.name).unwrap());
    assert!(!visitor.wait().unwrap().success());
    assert_nothing_left(&spec.name);
    assert!(!Lab::remove(&spec.name).unwrap());
    assert!(matches!(
        Lab::open(&spec.name),
        Err(LabError::NotFound { .. })
    ));
}

#[test]
fn impossible_labs_are_refused_before_anything_is_made() {
    let good = TestLab::spec();
    for bad in [
        LabSpec {
            name: "../x".to_owned(),
            ..good.clone()
        },
        LabSpec {
            nodes: 0,
            ..good.clone()
        },
        LabSpec {
            nodes: 10,
            ..good.clone()
        },
        LabSpec {
            backends: 51,
            ..good
        },
    ] {
        let error = Lab::up(&bad, &mut |_| {}).unwrap_err();
        assert!(matches!(error, LabError::Spec { .. }), "{error}");
    }
}
