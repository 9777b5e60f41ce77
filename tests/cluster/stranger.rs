//! A compromised node: whatever it answers, it cannot control the operator's terminal, stall hactl
//! or crash it, and the other nodes are still reported correctly.

use std::fs;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Ended, machines};

/// Every kind of terminal control: a title, a cleared screen, C1, DEL, an overwritten line, and
/// reversed text.
const ESCAPES: &str = r"\033]0;owned\007\033[2J\033[31m\302\233\061m\177\rgone\342\200\256";

/// Replaces root's login shell on a node.
fn shell(cluster: &Cluster, node: &str, script: &str) {
    let path = cluster.node_root(node).join("usr/local/bin/stranger");
    fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
    cluster.on(
        node,
        "chmod 755 /usr/local/bin/stranger; usermod -s /usr/local/bin/stranger root",
    );
}

/// Runs the verbs that query hosts, in both formats and in colour, and checks every byte of output.
#[track_caller]
fn asks(cluster: &Cluster, mut look: impl FnMut(&[&str], Ended)) {
    for verb in [
        &["status"][..],
        &["plan"],
        &["history"],
        &["apply", "--yes"],
        &["rollback", "--yes"],
    ] {
        for more in [&["--color", "always", "-vv"][..], &["--format", "json"]] {
            let arguments = [verb, more].concat();
            let started = Instant::now();
            let ended = cluster.run(&arguments);
            let took = started.elapsed();
            assert!(took < Duration::from_mins(5), "{arguments:?}: {took:?}");
            assert!(ended.code().is_some(), "{ended}");
            for text in [&ended.stdout, &ended.stderr] {
                harmless(&ended, text);
            }
            assert!(!ended.stderr.contains("panicked"), "{ended}");
            look(&arguments, ended);
        }
    }
}

/// Asserts that there are no control sequences but hactl's own colours.
#[track_caller]
fn harmless(ended: &Ended, text: &str) {
    let own = [
        "0", "1", "2", "22", "31", "32", "33", "36", "39", "3", "34", "35", "1;31",
    ];
    let plain = own.iter().fold(text.to_owned(), |text, own| {
        text.replace(&format!("\u{1b}[{own}m"), "")
    });
    let harmful = plain.chars().find(|c| hactl::model::is_harmful(*c));
    assert_eq!(harmful, None, "{}\n{ended}", plain.escape_debug());
}

/// How often the node's text is visible, escaped, in a text or document.
fn shown(ended: &Ended) -> usize {
    let read = |text: &str| text.matches(r"\u{1b}]0;owned").count();
    read(&ended.stdout.replace(r"\\", r"\")) + read(&ended.stderr)
}

#[test]
fn a_node_that_was_taken_over_is_a_stranger() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    cluster.apply();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    let others = cluster.etc("lb1", crate::snapshot::Detail::Content);

    // Answers of the real program, with escapes in every field.
    shell(
        &cluster,
        "lb2",
        &format!(
            r#"/bin/sh "$@" | sed -u -e "/^ /!{{/^hactl-agent/!{{/^end/!s/\t/\t$(printf '{ESCAPES}')/g}}}}""#
        ),
    );
    let mut told = 0;
    asks(&cluster, |_, ended| told += shown(&ended));
    assert!(told > 5, "{told}");

    // Output of other programs, such as sudo or a login script.
    shell(
        &cluster,
        "lb2",
        &format!(
            "dd bs=9 count=1 >/dev/null 2>&1; printf '{ESCAPES} sudo: {ESCAPES}\\n' >&2; printf '{ESCAPES}\\n'; exit 1"
        ),
    );
    asks(&cluster, |arguments, ended| {
        assert!(shown(&ended) > 0, "{ended}");
        if arguments[0] == "plan" {
            ended.exits(1);
        }
    });

    // Endless output.
    shell(&cluster, "lb2", "cat /dev/zero");
    let said = cluster.run(&["plan"]).exits(1);
    said.says("lb2").says("exceeds 64 MiB and was cut off");
    shell(
        &cluster,
        "lb2",
        "dd bs=9 count=1 >/dev/null 2>&1; yes 'x' >&2",
    );
    cluster.run(&["plan"]).exits(1).says("was cut off");
    // Too many records, and an undecodable body.
    shell(
        &cluster,
        "lb2",
        "dd bs=9 count=1 >/dev/null 2>&1; printf 'hactl-agent\\t1\\n'; yes x | head -n 3000000; echo end",
    );
    cluster
        .run(&["plan"])
        .exits(1)
        .says("it has more than 50000 records");
    shell(
        &cluster,
        "lb2",
        "dd bs=9 count=1 >/dev/null 2>&1; printf 'hactl-agent\\t1\\nhost\\n !!!\\nend\\n'",
    );
    cluster.run(&["plan"]).exits(1).says("body is damaged");

    // The other node is reported correctly and was left alone.
    let status = cluster.run(&["status", "--format", "json"]).json();
    assert_eq!(status["nodes"][0]["node"], "lb1", "{status}");
    assert_eq!(
        status["nodes"][0]["units"]["nginx"]["service"]["active"], "active",
        "{status}"
    );
    crate::snapshot::assert_same(
        &others,
        &cluster.etc("lb1", crate::snapshot::Detail::Content),
        "lb1's /etc",
    );

    cluster.on("lb2", "usermod -s /bin/bash root");
    cluster.apply();
}
