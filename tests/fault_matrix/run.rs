//! One combination: a change that is stopped at a step on a node, broken there, and followed to its
//! end.

use std::fmt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::bench::{Bench, CONFIRM_TIMEOUT, Is, Verb, patiently};
use crate::cluster::Ended;
use crate::fault::Fault;
use crate::judge::{Rest, Seen, judge, next_change};
use crate::steps::{Step, Who};

/// hactl's own limits end every change long before this.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// A fault at a step of a change.
#[derive(Debug, Clone)]
pub(crate) struct Combination {
    pub(crate) fault: Fault,
    pub(crate) step: Step,
    pub(crate) verb: Verb,
    /// The node in activation order, if the step does not determine it.
    pub(crate) place: usize,
}

impl Combination {
    pub(crate) fn key(&self) -> String {
        format!(
            "{}/{}/{}",
            self.verb.word(),
            self.fault.key(),
            self.step.name()
        )
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fault, step) = (self.fault.name(), self.step.name());
        write!(f, "{}: {fault} at {step}", self.verb.word())
    }
}

/// The outcome of a combination that kept all guarantees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) is_new: bool,
    /// The side that the cluster is on now.
    pub(crate) side: usize,
    /// hactl's exit code, or `None` if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) rest: Rest,
    pub(crate) took: Duration,
}

/// Runs a combination on a cluster that is entirely on side `from`. The error lists all broken
/// guarantees.
pub(crate) fn run(bench: &Bench, what: &Combination, from: usize) -> Result<Outcome, String> {
    let started = Instant::now();
    let node = what.node(bench);
    let mut hactl = stopped(bench, what, &node, 1 - from)?;
    let seen = broken(bench, what, &node, from, &mut hactl);
    let said = Ended::new(&[what.verb.word()], hactl.wait_with_output().unwrap());
    let verdict = judge(bench, what.fault, &seen, from, said.code());
    let took = started.elapsed();
    let mut problems = verdict.problems;
    let mut side = if verdict.is_new { 1 - from } else { from };
    if problems.is_empty() && verdict.rest != Rest::Nothing {
        side = 1 - side;
        problems.extend(next_change(bench, side).err());
    }
    if problems.is_empty() {
        return Ok(Outcome {
            is_new: verdict.is_new,
            side,
            code: said.code(),
            rest: verdict.rest,
            took,
        });
    }
    let steps = bench.taken(&node).join(", ");
    Err(format!(
        "{}\nsteps of {node}: {steps}\n{said}",
        problems.join("\n")
    ))
}

impl Combination {
    fn node(&self, bench: &Bench) -> String {
        let place = match self.step.who {
            Who::First => 0,
            Who::Other => self.place.max(1),
            Who::Any => self.place,
        };
        // The VIP's holder comes last. It dies while another node is being worked on.
        let is_last_taken = self.fault == Fault::HolderDies;
        let place = if is_last_taken { place.min(1) } else { place };
        bench.order[place].clone()
    }
}

/// Starts hactl and waits until it has stopped at the step.
fn stopped(bench: &Bench, what: &Combination, node: &str, to: usize) -> Result<Child, String> {
    let mut command = bench.start(what.verb, to, CONFIRM_TIMEOUT);
    bench.stop_at(node, &what.step.token);
    let mut hactl = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut is_over = false;
    patiently(PATIENCE, || {
        is_over = hactl.try_wait().unwrap().is_some();
        is_over || bench.is_stopped(node)
    });
    if bench.is_stopped(node) {
        return Ok(hactl);
    }
    let _ = hactl.kill();
    bench.release();
    let said = Ended::new(&[what.verb.word()], hactl.wait_with_output().unwrap());
    Err(format!("{node} never came to {}\n{said}", what.step.token))
}

/// Injects the fault, lets hactl continue, and undoes the fault in time. Returns the state when
/// hactl ended.
fn broken(bench: &Bench, what: &Combination, node: &str, from: usize, hactl: &mut Child) -> Seen {
    what.fault.make(bench, node, 1 - from, hactl);
    bench.release();
    let made = Instant::now();
    let mut is_fixed = false;
    let has_ended = patiently(PATIENCE, || {
        if !is_fixed && made.elapsed() > what.fault.lasts() {
            what.fault.undo(bench, node);
            is_fixed = true;
        }
        hactl.try_wait().unwrap().is_some()
    });
    if !has_ended {
        hactl.kill().unwrap();
    }
    let is_open = bench.order.iter().any(|node| bench.is_under_way(node));
    let mut nodes = bench.look();
    if !is_open {
        // A daemon just started by a boot may not have read its file yet.
        patiently(Duration::from_secs(5), || {
            nodes = bench.look();
            !nodes.iter().any(|is| matches!(is, Is::Between(_)))
        });
    }
    let is_hidden = !is_fixed && what.fault.hides_a_node();
    if !is_fixed {
        what.fault.undo(bench, node);
    }
    Seen {
        has_ended,
        is_open,
        is_hidden,
        nodes,
    }
}
