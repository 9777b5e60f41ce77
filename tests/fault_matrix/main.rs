//! The fault matrix: every fault at every step of a change, on real machines, judged from outside.
//!
//! `cargo test` runs a selection that covers every fault and every step. All of it:
//!
//!     HACTL_FAULT_MATRIX=all cargo test --test fault_matrix -- --nocapture
//!
//! With `UPDATE=1` that writes its table into docs/reliability.md. Part of a combination's name,
//! such as `apply/kill/activate`, runs the matching ones. Separate several by commas.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "this is test code"
)]

mod bench;
#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/documents.rs"]
mod documents;
mod fault;
mod judge;
#[path = "../support/lab.rs"]
mod lab;
mod run;
#[path = "../support/snapshot.rs"]
mod snapshot;
mod steps;
mod table;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

use bench::{Bench, Is, Verb};
use fault::Fault;
use lab::Slots;
use run::Combination;
use steps::{Step, union};
use table::Results;

/// The number of parallel labs, unless `HACTL_FAULT_LABS` is set. A combination mostly waits for
/// timers.
const LABS: usize = 4;

#[test]
fn every_fault_at_every_step_leaves_all_nodes_on_one_side() {
    if lab::skipped() {
        return;
    }
    let wish = std::env::var("HACTL_FAULT_MATRIX").unwrap_or_default();
    let slots = lab::all_slots();
    let first = Bench::up(&slots);
    let columns = union(&first.steps[&Verb::Rollback], &first.steps[&Verb::Apply]);
    let all = combinations(&columns, &first.steps);
    let mut wanted: Vec<Combination> = match wish.as_str() {
        "" => spread(&all),
        "all" => all,
        parts => {
            let is_meant = |it: &Combination| parts.split(',').any(|part| it.key().contains(part));
            all.into_iter().filter(is_meant).collect()
        }
    };
    // The late steps take longest, so start with them.
    wanted.reverse();
    assert!(!wanted.is_empty(), "nothing is called like {wish}");
    let begun = Instant::now();
    let results = carry_out(wanted, first, &slots);
    let page = table::render(&columns, &results, begun.elapsed());
    eprintln!("{page}");
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        table::write(&page);
    }
    let failed: Vec<String> = results
        .iter()
        .filter_map(|((fault, step), (verb, result))| {
            let problem = result.as_ref().err()?;
            Some(format!(
                "== {}: {} at {step}\n{problem}",
                verb.word(),
                fault.name()
            ))
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} failed\n{}",
        failed.len(),
        failed.join("\n\n")
    );
    is_in_the_page(&columns);
}

/// Every fault at every step, alternating between `apply` and `rollback`.
fn combinations(columns: &[Step], own: &BTreeMap<Verb, Vec<Step>>) -> Vec<Combination> {
    let mut all = Vec::new();
    for (column, step) in columns.iter().enumerate() {
        let verbs = [Verb::Apply, Verb::Rollback].into_iter();
        let verbs: Vec<Verb> = verbs.filter(|verb| own[verb].contains(step)).collect();
        for (row, fault) in Fault::ALL.into_iter().enumerate() {
            all.push(Combination {
                fault,
                step: step.clone(),
                verb: verbs[(row + column) % verbs.len()],
                place: (row + column) % 3,
            });
        }
    }
    all
}

/// A selection with every fault and every step at least once. Slow faults go to the first steps,
/// where they take least time because nothing is activated yet.
fn spread(all: &[Combination]) -> Vec<Combination> {
    let (slow, quick): (Vec<Fault>, Vec<Fault>) =
        Fault::ALL.into_iter().partition(|fault| fault.is_slow());
    let of_steps = all
        .chunk_by(|one, other| one.step == other.step)
        .enumerate();
    of_steps
        .filter_map(|(index, row)| {
            let fault = slow
                .get(index)
                .copied()
                .unwrap_or(quick[index % quick.len()]);
            row.iter().find(|it| it.fault == fault).cloned()
        })
        .collect()
}

/// Runs all combinations on a few labs, with a new lab after each failure.
fn carry_out(wanted: Vec<Combination>, first: Bench, slots: &Slots) -> Results {
    let count = wanted.len();
    let told = std::env::var("HACTL_FAULT_LABS").ok();
    let labs = told.map_or(LABS, |number| {
        number.parse().expect("HACTL_FAULT_LABS is a number")
    });
    let queue = Mutex::new(VecDeque::from(wanted));
    let results = Mutex::new(Results::new());
    let work = |mut bench: Option<Bench>| {
        let mut side = 0;
        loop {
            let Some(next) = queue.lock().unwrap().pop_front() else {
                return;
            };
            let own = bench.take().unwrap_or_else(|| {
                side = 0;
                Bench::up(slots)
            });
            let tried = catch_unwind(AssertUnwindSafe(|| run::run(&own, &next, side)));
            let result = tried.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Err(text.unwrap_or_else(|| "it panicked".to_owned()))
            });
            let mut results = results.lock().unwrap();
            let number = results.len() + 1;
            match &result {
                Ok(it) => {
                    let end = if it.is_new { "new" } else { "old" };
                    let seconds = it.took.as_secs_f64();
                    eprintln!(
                        "{number}/{count} {next}: {end} {:?} {seconds:.1} s",
                        it.code
                    );
                    side = it.side;
                    bench = Some(own);
                }
                Err(problem) => eprintln!("{number}/{count} {next}: FAILS\n{problem}"),
            }
            results.insert((next.fault, next.step.name()), (next.verb, result));
        }
    };
    std::thread::scope(|scope| {
        for index in 1..labs.min(count) {
            let work = &work;
            std::thread::Builder::new()
                .name(format!("lab {index}"))
                .spawn_scoped(scope, move || work(None))
                .unwrap();
        }
        assert!(first.look().iter().all(|is| *is == Is::Whole(0)));
        work(Some(first));
    });
    results.into_inner().unwrap()
}

/// Asserts that the page's table has these faults and steps.
fn is_in_the_page(columns: &[Step]) {
    let page = table::written();
    for fault in Fault::ALL {
        let row = format!("\n| {} |", fault.name());
        assert_eq!(
            page.matches(&row).count(),
            1,
            "docs/reliability.md lacks {}",
            fault.name()
        );
    }
    let legend: String = (1..)
        .zip(columns)
        .map(|(number, step)| table::legend(number, step))
        .collect();
    assert!(
        page.contains(&legend),
        "docs/reliability.md has other steps than these: run all of it with UPDATE=1\n{legend}"
    );
}
