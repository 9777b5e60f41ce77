//! The election of `check`'s simulator, held against real keepaliveds: random clusters of two to five nodes with several
//! versions of keepalived, and random events. After each one, the kernels must agree with the simulator about who owns
//! each VIP.
//!
//!     cargo bench --bench election -- --scenarios 2000
//!
//! as root. `--seed N` starts elsewhere, `--labs N` says how many labs to use at the same time.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark's result is what it prints"
)]

#[path = "../../tests/support/lab.rs"]
mod lab;

mod forecast;
mod machines;
mod rng;
mod run;
mod scenario;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use hactl::lab::Release;

use machines::Machines;
use run::{Disagreement, Summary};
use scenario::Scenario;

/// The machines' releases, a lab at a time.
const MIXES: [&[Release]; 4] = [
    &[Release::Debian12],
    &[Release::Debian13, Release::Debian12, Release::Debian11],
    &[Release::Debian11],
    &[Release::Debian13],
];
/// Scenarios of one lab, before the next mix.
const TOGETHER: u64 = 25;

fn main() {
    let option = |name: &str, default: u64| {
        let mut arguments = std::env::args()
            .skip_while(|argument| argument != name)
            .skip(1);
        arguments
            .next()
            .map_or(default, |text| text.parse().unwrap())
    };
    let scenarios = option("--scenarios", 50);
    let seed = option("--seed", 1);
    let labs = option("--labs", 2);
    if lab::skipped() {
        return;
    }
    let begun = Instant::now();
    let summary = Mutex::new(Summary::default());
    let next = AtomicU64::new(0);
    let slots = lab::all_slots();
    thread::scope(|scope| {
        for _ in 0..labs {
            scope.spawn(|| {
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    let first = batch * TOGETHER;
                    if first >= scenarios {
                        break;
                    }
                    let mix = MIXES[usize::try_from(batch).unwrap() % MIXES.len()];
                    let machines = Machines::up(&slots, mix);
                    for number in first..scenarios.min(first + TOGETHER) {
                        one(&machines, seed + number, &summary);
                    }
                }
            });
        }
    });
    let summary = summary.into_inner().unwrap();
    println!("{summary}");
    println!(
        "{scenarios} scenarios from seed {seed} in {} s",
        begun.elapsed().as_secs()
    );
    assert!(
        summary.disagreements.is_empty(),
        "the simulator and keepalived disagree"
    );
}

fn one(machines: &Machines, seed: u64, summary: &Mutex<Summary>) {
    let scenario = Scenario::random(seed, &machines.versions);
    match run::play(machines, &scenario, &scenario.steps) {
        Ok(played) => summary.lock().unwrap().add(&played),
        Err(found) => {
            let found = run::shrink(machines, &scenario, *found);
            let text = Disagreement::text(&found, &scenario, machines);
            println!("{text}");
            summary.lock().unwrap().disagreements.push(text);
        }
    }
}
