//! Checks the history of a drill: one owner that answers, none for no longer than the budget, and no takeover without a
//! cause.
//!
//! VRRP hands an address over by an advertisement: the new owner already has it when the old one receives that. So both
//! have it for a moment at every failback, which is a violation only if it lasts.
//!
//! Times of two hosts may be off against each other by the errors of their clocks' estimates. A violation is what no
//! clock within these errors could explain. The checks are pure: a run and the expectations of its drill in, violations
//! out.

use super::expect::Expect;
use super::record::{Adverts, DrillEventKind, DrillRun, Event, Millis, Violation};
use super::spans::{Span, any, both, grown, none, spans};
use super::window::{Mark, Window};
use crate::model::NodeName;

/// The violations in `run`, given the cluster's advertisements. A record that contradicts itself is not checked
/// further.
pub fn violations(run: &DrillRun, adverts: Adverts) -> Vec<Violation> {
    judge(run, run.drill.expectation(), adverts, &CHECKS)
}

/// A check of a property that every history must have.
pub(super) type Check = fn(&History<'_>) -> Vec<Violation>;

/// All checks for a consistent history.
pub(super) const CHECKS: [Check; 4] = [
    |history| history.two_owners(),
    |history| history.no_owner(),
    |history| history.unexplained(),
    |history| history.answered_by_nobody(),
];

pub(super) fn judge(
    run: &DrillRun,
    expect: Expect,
    adverts: Adverts,
    checks: &[Check],
) -> Vec<Violation> {
    let unclear = contradictions(run);
    if !unclear.is_empty() {
        let unclear = unclear.into_iter();
        return unclear.map(|why| Violation::Unclear { why }).collect();
    }
    let history = History::of(run, expect, adverts);
    checks.iter().flat_map(|check| check(&history)).collect()
}

/// Reasons why a record is unusable.
fn contradictions(run: &DrillRun) -> Vec<String> {
    let mut found = Vec::new();
    let times = run.timeline.iter().map(|event| event.at_ms);
    if !times.clone().all(f64::is_finite) {
        found.push("an event has no time".to_owned());
    }
    if !times.is_sorted() {
        found.push("the events are out of order".to_owned());
    }
    let mut lacking: Vec<&NodeName> = run
        .timeline
        .iter()
        .filter_map(|event| event.node.as_ref())
        .filter(|node| error_of(run, node).is_none())
        .collect();
    lacking.sort();
    lacking.dedup();
    found.extend(
        lacking
            .iter()
            .map(|node| format!("the clock offset of {node} is unknown")),
    );
    found
}

/// Error bound of a node's times, in milliseconds. `None` if it is not recorded.
fn error_of(run: &DrillRun, node: &NodeName) -> Option<f64> {
    let offset = run.offsets.iter().find(|offset| offset.node == *node)?;
    (offset.error_ms.is_finite() && offset.error_ms >= 0.0).then_some(offset.error_ms)
}

/// The states of a node over time, by its own clock.
struct Lane<'a> {
    node: &'a NodeName,
    /// Error bound of its times.
    error: f64,
    /// When it had the VIP.
    owns: Vec<Span>,
    /// When it had the VIP, was reachable, and nginx answered.
    answers: Vec<Span>,
    /// The same, extended by the time for which it may go on answering from its loopback interface.
    may_answer: Vec<Span>,
}

/// Why the VIP may leave a node, or return to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CauseKind {
    /// The node failed.
    Trouble,
    /// The node recovered.
    Return,
}

struct Cause<'a> {
    at: Millis,
    node: &'a NodeName,
    kind: CauseKind,
    /// The nodes that took over because of it.
    used_by: Vec<&'a NodeName>,
    /// When the first of them took over.
    used_at: Option<Millis>,
}

/// A run, prepared for the checks.
pub(super) struct History<'a> {
    run: &'a DrillRun,
    lanes: Vec<Lane<'a>>,
    may_overlap: Vec<Span>,
    expect: Expect,
    /// Upper bound of a handover, in milliseconds.
    handover: f64,
    /// Nodes that miss the same advertisements take over within this time of each other.
    together: f64,
}

impl<'a> History<'a> {
    fn of(run: &'a DrillRun, expect: Expect, adverts: Adverts) -> Self {
        let mut nodes = vec![&run.from];
        for node in run.timeline.iter().filter_map(|event| event.node.as_ref()) {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        let windows = expect.two_owners.into_iter();
        let lingers =
            f64::from(expect.lingers.ms) + f64::from(expect.lingers.adverts) * adverts.every_ms;
        Self {
            run,
            lanes: nodes
                .into_iter()
                .map(|node| lane(run, node, lingers))
                .collect(),
            may_overlap: any(windows.flat_map(|window| open(run, window, adverts.every_ms))),
            expect,
            handover: HANDOVER_MS,
            together: (f64::from(adverts.missing) + 1.0) * adverts.every_ms,
        }
    }

    /// No two nodes both answer for longer than a handover.
    fn two_owners(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (index, one) in self.lanes.iter().enumerate() {
            for other in &self.lanes[index + 1..] {
                let error = one.error + other.error;
                let surely = both(
                    &grown(&one.answers, -one.error),
                    &grown(&other.answers, -other.error),
                );
                let expected = any(grown(&self.may_overlap, error));
                let overlaps = both(&surely, &none(&expected)).into_iter();
                for (from, to) in overlaps.filter(|span| span.1 - span.0 > self.handover) {
                    found.push(Violation::TwoOwners {
                        at_ms: from.max(self.run.begin_ms),
                        length_ms: to.min(self.run.end_ms) - from.max(self.run.begin_ms),
                        nodes: vec![one.node.clone(), other.node.clone()],
                    });
                }
            }
        }
        found
    }

    /// When, allowing for clock errors, no node that answers had the VIP.
    fn ownerless(&self) -> Vec<Span> {
        let perhaps = self
            .lanes
            .iter()
            .flat_map(|lane| grown(&lane.may_answer, lane.error));
        both(
            &none(&any(perhaps)),
            &[(self.run.begin_ms, self.run.end_ms)],
        )
    }

    /// The VIP is never without an owner for longer than the budget.
    fn no_owner(&self) -> Vec<Violation> {
        let none_at_all = self.expect.nobody_resigns.then_some(0.0);
        let Some(budget) = none_at_all.or(self.run.budget_ms) else {
            return Vec::new();
        };
        let stretches = self.ownerless().into_iter();
        let long = stretches.filter(|span| span.1 - span.0 > budget);
        long.map(|(from, to)| Violation::NoOwner {
            at_ms: from,
            length_ms: to - from,
        })
        .collect()
    }

    /// Every takeover has a preceding cause.
    fn unexplained(&self) -> Vec<Violation> {
        let mut causes = causes(self.run, self.expect);
        let begins = |lane: &'_ Lane<'a>| {
            let node = lane.node;
            let begins = lane.owns.iter().map(|span| span.0);
            let begins = begins.filter(|at| at.is_finite());
            begins.map(|at| (at, node)).collect::<Vec<_>>()
        };
        let mut takeovers: Vec<(Millis, &NodeName)> = self.lanes.iter().flat_map(begins).collect();
        takeovers.sort_by(|a, b| a.0.total_cmp(&b.0));
        takeovers.retain(|&(at, node)| !self.is_explained(at, node, &mut causes));
        let left = takeovers.into_iter();
        left.map(|(at_ms, to)| Violation::Unexplained {
            at_ms,
            to: to.clone(),
        })
        .collect()
    }

    /// Whether `node`'s takeover at `at` has a cause, which is then used up: a fault does not explain what happens a
    /// minute later.
    fn is_explained(&self, at: Millis, node: &'a NodeName, causes: &mut [Cause<'a>]) -> bool {
        let error = self.error(node);
        let mut explained = false;
        let losers = self.losers(at, node);
        for cause in causes {
            if cause.at > at + error + self.error(cause.node) {
                continue;
            }
            let explains = match cause.kind {
                CauseKind::Trouble => {
                    losers.contains(&cause.node)
                        && self.is_of_its_ownership(cause, at)
                        && !cause.used_by.contains(&node)
                        && cause.used_at.is_none_or(|used| at - used <= self.together)
                }
                CauseKind::Return => {
                    cause.node == node
                        && cause.used_at.is_none()
                        && self
                            .last_ownership(node, at)
                            .is_some_and(|own| cause.at >= own.0 - error)
                }
            };
            if explains {
                cause.used_by.push(node);
                cause.used_at.get_or_insert(at);
                explained = true;
            }
        }
        explained
    }

    /// The nodes that `node` took the VIP from at `at`: those that have it at that time, or had it last.
    fn losers(&self, at: Millis, node: &NodeName) -> Vec<&'a NodeName> {
        let others = || self.lanes.iter().filter(|lane| lane.node != node);
        let last = |lane: &Lane<'_>| self.last_ownership(lane.node, at).map(|own| own.1.min(at));
        let latest = others().filter_map(last).fold(f64::NEG_INFINITY, f64::max);
        others()
            .filter(|lane| last(lane).is_some_and(|end| end >= latest - self.together - lane.error))
            .map(|lane| lane.node)
            .collect()
    }

    /// The last period in which a node had the VIP, of those that began before `at`.
    fn last_ownership(&self, node: &NodeName, at: Millis) -> Option<Span> {
        let lane = self.lanes.iter().find(|lane| lane.node == node)?;
        lane.owns.iter().rfind(|own| own.0 < at).copied()
    }

    /// Whether the node had the VIP when it failed.
    fn is_of_its_ownership(&self, cause: &Cause<'_>, at: Millis) -> bool {
        let error = self.error(cause.node);
        // A daemon's log may report a release a little late.
        self.last_ownership(cause.node, at).is_some_and(|own| {
            cause.at >= own.0 - error && cause.at <= own.1 + self.together + error
        })
    }

    fn error(&self, node: &NodeName) -> f64 {
        let lane = self.lanes.iter().find(|lane| lane.node == node);
        lane.map_or(0.0, |lane| lane.error)
    }

    /// While no node had the VIP, no request can have been answered. If one was, an owner was missed.
    fn answered_by_nobody(&self) -> Vec<Violation> {
        let seen = &self.run.new;
        let lost = |span: &Span| {
            let overlaps = |at: f64, length: f64| at < span.1 && span.0 < at + length;
            seen.gaps
                .iter()
                .any(|gap| overlaps(gap.at_ms, gap.length_ms))
        };
        // A request that waited may have bridged anything shorter than the slowest response, and a very short period
        // falls between two requests.
        let least = seen.slowest_ms.max(MIN_UNANSWERED_MS);
        let found = self.ownerless().into_iter();
        found
            .filter(|span| seen.count > 0 && span.1 - span.0 > least && !lost(span))
            .map(|span| Violation::Unclear {
                why: format!(
                    "requests were answered at {:.0} ms, when no node was seen to have the VIP",
                    span.0
                ),
            })
            .collect()
    }
}

/// Time for an advertisement to arrive and for its receiver to release the address, on a busy machine.
const HANDOVER_MS: f64 = 30.0;

/// In milliseconds. A shorter period may fall between requests.
const MIN_UNANSWERED_MS: f64 = 100.0;

/// The periods in which `window` is open in `run`.
fn open(run: &DrillRun, window: Window, advert_ms: f64) -> Vec<Span> {
    let is_fault = |event: &&Event| matches!(event.what, DrillEventKind::Fault { .. });
    let faults = run.timeline.iter().filter(is_fault);
    faults
        .map(|fault| {
            let heals = |event: &&Event| {
                event.what == DrillEventKind::Healed
                    && event.at_ms >= fault.at_ms
                    && (event.node.is_none() || fault.node.is_none() || event.node == fault.node)
            };
            let healed = run.timeline.iter().find(heals);
            let time = |mark| match mark {
                Mark::Fault => fault.at_ms,
                Mark::Healed => healed.map_or(run.end_ms, |event| event.at_ms),
            };
            let plus = f64::from(window.plus_ms) + f64::from(window.plus_adverts) * advert_ms;
            (time(window.from), time(window.to) + plus)
        })
        .collect()
}

/// When a node had the VIP, and when it could not have answered. All by its own clock, so the periods are consistent.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSpans {
    /// It had the VIP.
    pub owns: Vec<Span>,
    /// nginx did not answer.
    pub silent: Vec<Span>,
    /// It was unreachable.
    pub cut: Vec<Span>,
}

impl DrillRun {
    /// The states of `node` over time. A period is infinite where the watch did not see it begin or end.
    pub fn spans(&self, node: &NodeName) -> NodeSpans {
        let changes = |initially: bool, read: fn(&DrillEventKind) -> Option<bool>| {
            let own = self.timeline.iter();
            let own = own.filter(|event| event.node.as_ref() == Some(node));
            spans(
                initially,
                own.filter_map(|event| Some((event.at_ms, read(&event.what)?))),
            )
        };
        NodeSpans {
            owns: changes(*node == self.from, |what| match what {
                DrillEventKind::Owns => Some(true),
                DrillEventKind::Released => Some(false),
                _ => None,
            }),
            silent: changes(false, |what| match what {
                DrillEventKind::Silent => Some(true),
                DrillEventKind::Serves => Some(false),
                _ => None,
            }),
            cut: changes(false, |what| match what {
                DrillEventKind::Cut => Some(true),
                DrillEventKind::Joined => Some(false),
                _ => None,
            }),
        }
    }
}

fn lane<'a>(run: &'a DrillRun, node: &'a NodeName, lingers: f64) -> Lane<'a> {
    let spans = run.spans(node);
    let able = none(&any(spans.silent.into_iter().chain(spans.cut)));
    let longer = spans.owns.iter().map(|(from, to)| (*from, to + lingers));
    Lane {
        node,
        error: error_of(run, node).unwrap_or_default(),
        answers: both(&spans.owns, &able),
        may_answer: both(&any(longer), &able),
        owns: spans.owns,
    }
}

/// Everything that may make the VIP move, in order. An event that only repeats the current state is not a cause.
fn causes(run: &DrillRun, expect: Expect) -> Vec<Cause<'_>> {
    let mut causes: Vec<Cause<'_>> = Vec::new();
    let mut troubled: Vec<&NodeName> = Vec::new();
    for event in &run.timeline {
        let Some(node) = &event.node else { continue };
        let kind = match &event.what {
            DrillEventKind::Fault { .. } if !expect.moves_vip => continue,
            DrillEventKind::Fault { .. } | DrillEventKind::Silent | DrillEventKind::Cut => {
                CauseKind::Trouble
            }
            DrillEventKind::State { state } if state == "FAULT" && expect.nobody_resigns => {
                continue;
            }
            DrillEventKind::State { state } if matches!(state.as_str(), "FAULT" | "STOP") => {
                CauseKind::Trouble
            }
            DrillEventKind::Healed | DrillEventKind::Serves | DrillEventKind::Joined => {
                CauseKind::Return
            }
            DrillEventKind::State { state } if state == "BACKUP" => CauseKind::Return,
            _ => continue,
        };
        // Only a node that failed can return.
        match kind {
            CauseKind::Trouble if !troubled.contains(&node) => troubled.push(node),
            CauseKind::Return if !troubled.contains(&node) => continue,
            _ => {}
        }
        causes.push(Cause {
            at: event.at_ms,
            node,
            kind,
            used_by: Vec::new(),
            used_at: None,
        });
    }
    causes
}
