//! Duration of verbs on a lab, relative to plain ssh in the same run: `ssh NODE true`, and `cat` of
//! all managed files on all nodes over ssh in parallel. Absolute figures do not carry over to
//! another machine, ratios do. `cargo bench --bench verbs`, as root.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark's result is what it prints"
)]

#[path = "../tests/support/cluster.rs"]
mod cluster;
#[path = "../tests/support/documents.rs"]
mod documents;
#[path = "../tests/support/lab.rs"]
mod lab;
#[path = "../tests/support/snapshot.rs"]
mod snapshot;

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, machines};

/// Odd, so that the median is a measured value.
const RUNS: usize = 15;

fn main() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let ssh = median(|| cluster.ssh("lb1", "true"));
    let cat = median(|| cat_everywhere(&cluster));
    println!("ssh lb1 true         {:>7.1} ms", milliseconds(ssh));
    println!("ssh cat, all nodes   {:>7.1} ms", milliseconds(cat));
    let tell = |what: &str, took: Duration| {
        println!(
            "{what:<21}{:>7.1} ms  {:>5.1} x ssh true, {:>4.1} x ssh cat",
            milliseconds(took),
            took.as_secs_f64() / ssh.as_secs_f64(),
            took.as_secs_f64() / cat.as_secs_f64(),
        );
    };
    for verb in [&["plan"][..], &["apply", "--yes"], &["status"]] {
        tell(
            &format!("hactl {}", verb[0]),
            median(|| cluster.command(verb)),
        );
    }
    let inventory = cluster.inventory();
    let run = Cell::new(0);
    let one_file = median(|| {
        run.set(run.get() + 1);
        let setting = format!("nginx: {{ keepalive_timeout: {}s }}\n", 60 + run.get());
        cluster.set_inventory(&format!("{inventory}{setting}"));
        cluster.command(&["apply", "--yes"])
    });
    tell("apply, one file", one_file);
}

/// Reads all managed files with ssh, from all nodes in parallel.
fn cat_everywhere(cluster: &Cluster) -> Command {
    let config = cluster.ssh_config_path();
    let files = "cat /etc/nginx/nginx.conf /etc/keepalived/* /etc/sysctl.d/90-hactl.conf";
    let ssh = format!("ssh -F {} -o BatchMode=yes", config.display());
    let one = |node: &String| format!("{ssh} {node} '{files}' &");
    let all: Vec<String> = cluster.nodes().iter().map(one).collect();
    let mut command = cluster.controller("sh");
    command.args(["-c", &format!("{}\nwait", all.join("\n"))]);
    command
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
