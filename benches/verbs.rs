//! How long `plan` and an `apply` that has nothing to do take on a lab, as ratios to a bare
//! `ssh NODE true` in the same run: figures of one machine say nothing about another, ratios do.
//! `cargo bench --bench verbs`, as root.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark's result is what it prints"
)]

#[path = "../tests/support/cluster.rs"]
mod cluster;
#[path = "../tests/support/lab.rs"]
mod lab;
#[path = "../tests/support/snapshot.rs"]
mod snapshot;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, machines};

/// An odd number, for a median that was measured.
const RUNS: usize = 15;

fn main() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let ssh = median(|| cluster.ssh("lb1", "true"));
    println!("ssh lb1 true      {:>6.1} ms", milliseconds(ssh));
    for verb in [&["plan"][..], &["apply", "--yes"], &["status"]] {
        let took = median(|| cluster.command(verb));
        println!(
            "hactl {:<12}{:>6.1} ms  {:>5.1} x ssh, for {} nodes",
            verb[0],
            milliseconds(took),
            took.as_secs_f64() / ssh.as_secs_f64(),
            cluster.nodes().len()
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(command: impl Fn() -> Command) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let mut command = command();
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let started = Instant::now();
            assert!(command.status().unwrap().success(), "{command:?}");
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}
