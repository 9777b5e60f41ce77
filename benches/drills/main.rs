//! Produces the records behind docs/failover.md: every drill with every profile and, for
//! comparison, with the configuration of a widely read guide, on a lab, with the same clients.
//!
//!     cargo bench --bench drills -- --repeat 20 --profile fast,guide --drill nginx-kill --minutes 40
//!
//! Writes one file per drill and profile, examples/drills/PROFILE/DRILL.json. Existing files are
//! skipped, so that a run that was stopped or ran out of time can be resumed. `--again` overwrites
//! them. Run it as root on an idle machine: on a busy one, the figures measure the machine and not
//! the cluster. Afterwards run `UPDATE=1 cargo test --test drill_docs`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark's result is what it prints"
)]

#[path = "../../tests/support/cluster.rs"]
mod cluster;
#[path = "../../tests/support/documents.rs"]
mod documents;
mod guide;
#[path = "../../tests/support/lab.rs"]
mod lab;
#[path = "../../tests/support/snapshot.rs"]
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use hactl::drill::{DRILLS, DrillEventKind, DrillReport};

use crate::cluster::{Cluster, machines};

/// Produces the records of docs/failover.md.
#[derive(Parser)]
struct Args {
    /// Number of runs per drill
    #[arg(long, default_value_t = 20)]
    repeat: u32,
    /// Profiles; `guide` is the guide's configuration, `guide-no-restart` the same with nginx
    /// masked
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "fast,standard,wan,guide,guide-no-restart"
    )]
    profile: Vec<String>,
    /// Drills [default: all]
    #[arg(long, value_delimiter = ',')]
    drill: Vec<String>,
    /// Time budget in minutes: start nothing that would exceed it
    #[arg(long, default_value_t = 40)]
    minutes: u64,
    /// Overwrite existing records
    #[arg(long)]
    again: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long to hold a fault that does not heal on its own: long enough for the profile's timers,
/// and no longer, since there are many runs.
fn hold(profile: &str, drill: &str) -> &'static str {
    match (profile, drill) {
        ("wan", "link-down" | "vrrp-blocked" | "cascade" | "flap") => "12s",
        ("fast", _) if !["nginx-hang", "overload"].contains(&drill) => "2s",
        _ => "5s",
    }
}

/// The estimated time of a run, from its baseline to full recovery, before any has been measured.
fn guess(profile: &str) -> Duration {
    Duration::from_secs(match profile {
        "fast" => 6,
        "standard" => 10,
        "wan" => 20,
        _ => 25,
    })
}

fn is_guide(profile: &str) -> bool {
    [guide::GUIDE, guide::NO_RESTART].contains(&profile)
}

/// A file to produce.
struct Job {
    profile: String,
    drill: &'static str,
    path: PathBuf,
}

fn main() {
    let args = Args::parse();
    let jobs = jobs(&args);
    let each = |job: &Job| guess(&job.profile) * args.repeat;
    let total: Duration = jobs.iter().map(each).sum();
    println!(
        "{} to make, {} runs each: about {} minutes, of which {} may be used now",
        jobs.len(),
        args.repeat,
        total.as_secs().div_ceil(60),
        args.minutes
    );
    let (begun, limit) = (Instant::now(), Duration::from_secs(args.minutes * 60));
    for profile in &args.profile {
        let own: Vec<&Job> = jobs.iter().filter(|job| job.profile == *profile).collect();
        if own.is_empty() || begun.elapsed() + guess(profile) * args.repeat > limit {
            continue;
        }
        // One lab per profile, one after the other: two at once would slow each other down.
        let Some(cluster) = Cluster::up(&machines()) else {
            return;
        };
        prepare(&cluster, profile);
        let mut expected = guess(profile) * args.repeat;
        for job in own {
            if begun.elapsed() + expected > limit {
                println!("{profile}: out of minutes; call again to go on");
                break;
            }
            let started = Instant::now();
            make(&cluster, job, args.repeat);
            expected = started.elapsed();
            println!("{profile} {}: {} s", job.drill, expected.as_secs());
        }
    }
}

fn jobs(args: &Args) -> Vec<Job> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/drills");
    let mut jobs = Vec::new();
    for profile in &args.profile {
        for spec in DRILLS {
            let wanted = args.drill.is_empty() || args.drill.iter().any(|name| name == spec.name);
            let possible = !is_guide(profile) || guide::can(profile, spec.name);
            let path = folder.join(profile).join(format!("{}.json", spec.name));
            if wanted && possible && (args.again || !path.exists()) {
                jobs.push(Job {
                    profile: profile.clone(),
                    drill: spec.name,
                    path,
                });
            }
        }
    }
    jobs
}

fn prepare(cluster: &Cluster, profile: &str) {
    if is_guide(profile) {
        guide::deploy(cluster);
        return;
    }
    let inventory = cluster.inventory();
    cluster.set_inventory(&format!(
        "{inventory}\nvrrp: {{ failover: {profile} }}\nnginx: {{ worker_connections: 500 }}\n"
    ));
    cluster.apply();
}

fn make(cluster: &Cluster, job: &Job, repeat: u32) {
    let report = if is_guide(&job.profile) {
        Some(guide::drill(cluster, &job.profile, job.drill, repeat))
    } else {
        hactl(cluster, job.drill, hold(&job.profile, job.drill), repeat)
    };
    let Some(mut report) = report else { return };
    // Daemon logs help to explain a single run. Twenty of them are only long.
    for run in &mut report.runs {
        run.timeline
            .retain(|event| !matches!(event.what, DrillEventKind::Log { .. }));
    }
    fs::create_dir_all(job.path.parent().unwrap()).unwrap();
    let mut text = serde_json::to_string(&report).unwrap();
    text.push('\n');
    // Atomic rename, so that a file that exists is complete.
    let part = job.path.with_extension("part");
    fs::write(&part, text).unwrap();
    fs::rename(part, &job.path).unwrap();
}

/// Runs hactl on the lab's controller. If it fails, prints its output and returns `None`.
fn hactl(cluster: &Cluster, drill: &str, hold: &str, repeat: u32) -> Option<DrillReport> {
    let repeat = repeat.to_string();
    let arguments = [
        "failover-test",
        "--yes",
        "--format",
        "json",
        "--drill",
        drill,
        "--repeat",
        &repeat,
        "--hold",
        hold,
    ];
    let mut command = cluster.command(&arguments);
    command.env("XDG_STATE_HOME", cluster.dir());
    let output = command.output().unwrap();
    let mut printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let report = serde_json::from_value(printed["report"].take());
    if report.is_err() {
        println!(
            "{drill}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    report.ok()
}
