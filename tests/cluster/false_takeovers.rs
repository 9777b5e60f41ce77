//! Measures how often a healthy node loses its VIP, by profile: with packet loss in the switch, and
//! with a CPU under contention. Run it by hand:
//!
//!     cargo test --release --test cluster -- --ignored --nocapture false_takeovers
//!
//! `SECONDS_PER_CELL` (60) sets the time per condition, and `PROFILES` (all of them) a
//! comma-separated list of profiles. The results go to `examples/false-takeovers.json`, and
//! docs/failover.md interprets them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::{text, wait_for};

const PROFILES: [&str; 3] = ["fast", "standard", "wan"];

/// The disturbance.
#[derive(Clone, Copy)]
enum Load {
    /// Percentage of packets dropped in the switch.
    Loss(u32),
    /// Busy loops per core, on the owner.
    Hogs(usize),
}

impl Load {
    const ALL: [Self; 6] = [
        Self::Loss(0),
        Self::Loss(1),
        Self::Loss(5),
        Self::Loss(10),
        Self::Hogs(1),
        Self::Hogs(4),
    ];

    fn name(self) -> String {
        match self {
            Self::Loss(percent) => format!("{percent} % loss"),
            Self::Hogs(number) => format!("{number} CPU hogs a core"),
        }
    }

    fn begin(self, cluster: &Cluster, owner: &str) {
        match self {
            Self::Loss(0) => {}
            Self::Loss(percent) => {
                let rules = format!(
                    "table bridge loss {{\nchain forward {{\n\
                     type filter hook forward priority 0;\n\
                     numgen random mod 100 < {percent} drop\n}}\n}}"
                );
                text(cluster.switch("nft").arg(&rules));
            }
            Self::Hogs(number) => {
                let cores = thread::available_parallelism().unwrap().get();
                for hog in 0..number * cores {
                    cluster.on(
                        owner,
                        &format!("systemd-run -q --unit hog-{hog} sh -c 'while :; do :; done'"),
                    );
                }
            }
        }
    }

    fn end(self, cluster: &Cluster, owner: &str) {
        match self {
            Self::Loss(0) => {}
            Self::Loss(_) => drop(text(
                cluster
                    .switch("nft")
                    .args(["delete", "table", "bridge", "loss"]),
            )),
            Self::Hogs(_) => drop(cluster.on(owner, "systemctl stop 'hog-*'")),
        }
    }
}

/// The result for one profile under one disturbance.
struct Cell {
    profile: &'static str,
    load: Load,
    watched: Duration,
    /// How often a node became MASTER needlessly.
    takeovers: usize,
}

impl Cell {
    fn measured(cluster: &Cluster, profile: &'static str, load: Load, watched: Duration) -> Self {
        wait_for("one owner", || cluster.owners(VIP) == ["lb1"]);
        // Let the effects of the previous disturbance end.
        thread::sleep(Duration::from_secs(12));
        let before = cluster.masters();
        load.begin(cluster, "lb1");
        let begun = Instant::now();
        thread::sleep(watched);
        let watched = begun.elapsed();
        load.end(cluster, "lb1");
        // The owner's return is a takeover as well. It is excluded here.
        thread::sleep(Duration::from_secs(12));
        let entered = cluster.masters() - before;
        Self {
            profile,
            load,
            watched,
            takeovers: entered,
        }
    }

    fn json(&self) -> Value {
        json!({
            "profile": self.profile,
            "load": self.load.name(),
            "seconds": self.watched.as_secs_f64(),
            "takeovers": self.takeovers,
        })
    }
}

fn table(cells: &[Cell], profiles: &[&str]) -> String {
    let mut table = "| load |".to_owned();
    for profile in profiles {
        let _ = write!(table, " {profile} |");
    }
    let _ = write!(table, "\n|---|{}\n", "---|".repeat(profiles.len()));
    for load in Load::ALL {
        let _ = write!(table, "| {} |", load.name());
        for profile in profiles {
            let is_it = |cell: &&Cell| cell.profile == *profile && cell.load.name() == load.name();
            let cell = cells.iter().find(is_it).unwrap();
            let _ = write!(table, " {} |", cell.takeovers);
        }
        table.push('\n');
    }
    table
}

#[test]
#[ignore = "a measurement of half an hour, for a machine with nothing else to do"]
fn false_takeovers() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    let seconds = std::env::var("SECONDS_PER_CELL").map_or(60, |text| text.parse().unwrap());
    let wanted = std::env::var("PROFILES").unwrap_or_else(|_| PROFILES.join(","));
    let is_wanted = |profile: &&str| wanted.split(',').any(|own| own == *profile);
    let profiles: Vec<&str> = PROFILES.into_iter().filter(is_wanted).collect();
    let inventory = cluster.inventory();
    let mut cells = Vec::new();
    for profile in profiles.iter().copied() {
        cluster.set_inventory(&format!("{inventory}\nvrrp: {{ failover: {profile} }}\n"));
        cluster.apply();
        for load in Load::ALL {
            let cell = Cell::measured(&cluster, profile, load, Duration::from_secs(seconds));
            println!("{}", cell.json());
            cells.push(cell);
        }
    }
    println!("{}", table(&cells, &profiles));
    let uptime = fs::read_to_string("/proc/loadavg").unwrap();
    let document = json!({
        "seconds_per_cell": seconds,
        "nodes": cluster.nodes().len(),
        "keepalived": cluster.on("lb1", "keepalived -v 2>&1 | head -n 1").trim(),
        "cores": thread::available_parallelism().unwrap().get(),
        "load_average_at_the_end": uptime.split_whitespace().next(),
        "cells": cells.iter().map(Cell::json).collect::<Vec<_>>(),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/false-takeovers.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let document = serde_json::to_string_pretty(&document).unwrap();
    fs::write(path, document + "\n").unwrap();
}
