//! A cluster that is years old: what its operators, its packages and time have done to it.

use crate::cluster::{Cluster, machines};

/// sshd's bash reads `~/.bashrc` also for `bash -c`, whenever its standard input is a socket.
#[test]
fn a_shell_that_greets_is_no_part_of_any_answer() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up_quietly(&spec) else {
        return;
    };
    cluster.apply();
    for file in [".bashrc", ".profile", ".bash_profile"] {
        cluster.on(
            "lb2",
            &format!(
                "echo 'echo Welcome to $(uname -n); echo last login: never >&2' >>/root/{file}"
            ),
        );
    }
    let status = cluster.run(&["status", "--format", "json"]).exits(0).json();
    let lb2 = &status["nodes"][1];
    assert_eq!(lb2["serves"], lb2["applied"], "{lb2}");
    let up = lb2["backends"].as_array().unwrap();
    assert!(up.iter().all(|backend| backend["up"] == true), "{lb2}");

    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    cluster.apply();
    let test = ["failover-test", "--drill", "nginx-kill", "--yes"];
    cluster.run(&test).exits(0);
}

/// Changed twice, the machine would have one node's files, and the other node's machine none.
#[test]
fn two_nodes_that_are_one_machine_are_refused() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    cluster.apply();
    let before = cluster.all_etc();
    cluster.edit("name: lb2,", "name: lb2, host: 10.0.0.11,");
    for verb in [&["plan"][..], &["apply", "--yes"]] {
        cluster
            .run(verb)
            .exits(1)
            .says("lb1 and lb2 are the same machine, lb1");
    }
    cluster.assert_etc(&before);
}
