//! The guarantees of every change, whatever breaks it, checked against the state of the nodes.

use std::time::{Duration, Instant};

use crate::bench::{Bench, Is, Unserved, now_and_then, patiently};
use crate::fault::Fault;
use crate::run::PATIENCE;

/// The state when hactl ended.
pub(crate) struct Seen {
    /// Without being killed for taking too long.
    pub(crate) has_ended: bool,
    /// Whether a node was undecided.
    pub(crate) is_open: bool,
    /// Whether a node was unreachable.
    pub(crate) is_hidden: bool,
    /// The nodes in activation order.
    pub(crate) nodes: Vec<Is>,
}

/// What a change leaves for the next one to clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    /// A lock that has to expire, and the staged tree.
    Lock,
    /// A node that could neither complete the change nor roll it back, which hactl reported.
    Open,
}

/// The outcome of a combination.
pub(crate) struct Verdict {
    pub(crate) is_new: bool,
    pub(crate) rest: Rest,
    /// Broken guarantees.
    pub(crate) problems: Vec<String>,
}

/// Waits until the change is over, and checks the guarantees.
pub(crate) fn judge(
    bench: &Bench,
    fault: Fault,
    seen: &Seen,
    from: usize,
    code: Option<i32>,
) -> Verdict {
    let to = 1 - from;
    let mut problems = Vec::new();
    if !seen.has_ended {
        problems.push("hactl never ended".to_owned());
    }
    problems.extend(false_code(code, fault, seen, from));
    let rest = settled(bench, fault, code).unwrap_or_else(|left| {
        problems.push(format!("left behind:\n{}", left.join("\n")));
        Rest::Nothing
    });
    if rest == Rest::Open {
        return Verdict {
            is_new: false,
            rest,
            problems,
        };
    }

    let all = |nodes: &[Is], side| nodes.iter().all(|is| *is == Is::Whole(side));
    let mut nodes = Vec::new();
    patiently(Duration::from_secs(30), || {
        nodes = bench.look();
        all(&nodes, from) || all(&nodes, to)
    });
    let is_new = all(&nodes, to);
    if is_new || all(&nodes, from) {
        match code {
            Some(0) if !is_new => problems.push("hactl said 0, and all is old".to_owned()),
            Some(1 | 4) if is_new => problems.push(format!("hactl said {code:?}, and all is new")),
            _ => {}
        }
    } else {
        problems.push(format!("not on one side: {}", tell(bench, &nodes, to)));
    }

    problems.extend(unserved(bench));
    Verdict {
        is_new,
        rest,
        problems,
    }
}

/// The reason why the VIP is not served, if it persists. A booting node gets time to serve. Hosts
/// that send to a node other than the owner must be corrected within 5 s, long before their entries
/// expire.
fn unserved(bench: &Bench) -> Option<String> {
    let mut last = None;
    let mut misled: Option<(String, Instant)> = None;
    patiently(Duration::from_mins(1), || {
        last = bench.serves().err();
        misled = match (&last, misled.take()) {
            (Some(Unserved::Misled { owner, .. }), Some((of, since))) if of == *owner => {
                Some((of, since))
            }
            (Some(Unserved::Misled { owner, .. }), _) => Some((owner.clone(), Instant::now())),
            _ => None,
        };
        let is_left_so = misled
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > Duration::from_secs(5));
        last.is_none() || is_left_so
    });
    last.map(|unserved| unserved.to_string())
}

/// Waits until nothing is left of the change, except what the next one cleans up. The error lists
/// everything else.
fn settled(bench: &Bench, fault: Fault, code: Option<i32>) -> Result<Rest, Vec<String>> {
    let mut left: Vec<String> = Vec::new();
    let mut rest = Rest::Nothing;
    let mut seen_abandoned = 0_u32;
    let is_over = now_and_then(PATIENCE, || {
        let of_node = |node: &String| {
            let own = bench.left(node).into_iter();
            own.map(|line| format!("{node}: {line}"))
                .collect::<Vec<_>>()
        };
        left = bench.order.iter().flat_map(of_node).collect();
        // The lock's owner removes these along with it: the staged tree, an incomplete note, and
        // the marker of an interrupted disarming.
        let goes_with_it = [": lock", ": tx", ": agent", ": peer-key", ".new"];
        // Temporary files that could neither be finished nor removed.
        let is_lock = |line: &String| {
            goes_with_it.iter().any(|end| line.ends_with(end)) || line.contains(": .hactl.")
        };
        if left.is_empty() {
            rest = Rest::Nothing;
            return true;
        }
        if fault.may_keep_a_lock() && left.iter().all(is_lock) {
            rest = Rest::Lock;
            return true;
        }
        // It became read-only, and no timer will roll it back there. A rollback in its last steps
        // has no timer either, so look repeatedly.
        let is_abandoned = fault == Fault::ReadOnly
            && code == Some(5)
            && !bench.order.iter().any(|node| bench.has_timer(node));
        seen_abandoned = if is_abandoned { seen_abandoned + 1 } else { 0 };
        rest = Rest::Open;
        seen_abandoned > 10
    });
    if is_over { Ok(rest) } else { Err(left) }
}

/// Why the exit code contradicts the nodes' state when hactl ended. A node that is off counts as
/// either side, since its disk cannot be seen.
fn false_code(code: Option<i32>, fault: Fault, seen: &Seen, from: usize) -> Option<String> {
    let may_be = |side| {
        let fits = |is: &Is| matches!(is, Is::Off) || *is == Is::Whole(side);
        seen.nodes.iter().all(fits)
    };
    let (old, new) = (may_be(from), may_be(1 - from));
    let problem = match code {
        None if fault == Fault::Kill => return None,
        Some(0) if !new => "and not all was new",
        Some(1 | 4) if !old => "and not all was old",
        Some(5) if !seen.is_hidden && !seen.is_open && (old || new) => "and all was on one side",
        Some(0 | 1 | 4 | 5) => return None,
        _ => "which is none of the codes that this can end with",
    };
    Some(format!("hactl said {code:?}, {problem}: {:?}", seen.nodes))
}

fn tell(bench: &Bench, nodes: &[Is], new: usize) -> String {
    let one = |(name, is): (&String, &Is)| {
        let is = match is {
            Is::Whole(side) if *side == new => "new".to_owned(),
            Is::Whole(_) => "old".to_owned(),
            Is::Between(how) => format!("between\n{how}"),
            Is::Off => "off".to_owned(),
        };
        format!("{name} is {is}")
    };
    let each: Vec<String> = bench.order.iter().zip(nodes).map(one).collect();
    each.join("; ")
}

/// Applies side `to`, which has to take over the expired lock of a dead holder and clean up
/// everything left open.
pub(crate) fn next_change(bench: &Bench, to: usize) -> Result<(), String> {
    bench.let_locks_end();
    bench.cluster.set_inventory(&bench.sides[to].inventory);
    let ended = bench.cluster.run(&["apply", "--yes"]);
    if ended.code() != Some(0) {
        return Err(format!("the next apply fails:\n{ended}"));
    }
    let is_there = || bench.look().iter().all(|is| *is == Is::Whole(to));
    if !patiently(Duration::from_secs(30), is_there) {
        return Err("the next apply does not bring all nodes to its side".to_owned());
    }
    let left: Vec<String> = bench
        .order
        .iter()
        .flat_map(|node| bench.left(node))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(format!(
        "left behind after the next apply:\n{}",
        left.join("\n")
    ))
}
