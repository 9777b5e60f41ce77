//! Wording of figures and violations, shared by all output formats.

use crate::drill::{
    DrillEventKind, DrillRun, DrillStats, MEASUREMENT_OVERHEAD_MS, PredictionResult, Trend,
    Verdict, Violation,
};

use crate::view::text::{and, count};

/// `0 ms`, `8.4 ms`, `25 ms`, `1.25 s`, `13.4 s`.
pub(super) fn milliseconds(time: f64) -> String {
    let size = time.abs();
    if size == 0.0 {
        "0 ms".to_owned()
    } else if size < 9.95 {
        format!("{time:.1} ms")
    } else if size < 999.5 {
        format!("{time:.0} ms")
    } else if size < 9_995.0 {
        format!("{:.2} s", time / 1000.0)
    } else if size < 99_950.0 {
        format!("{:.1} s", time / 1000.0)
    } else {
        format!("{:.0} s", time / 1000.0)
    }
}

/// A configured time, not a measured one, with the precision it was given: `5 ms`, `0.5 ms`, `1.5 s`.
pub(super) fn exactly(time: f64) -> String {
    let digits = |value: f64| {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if time.abs() < 1000.0 {
        format!("{} ms", digits(time))
    } else {
        format!("{} s", digits(time / 1000.0))
    }
}

/// A number of requests. The median of an even number of runs may end in .5.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.trim_end_matches(".0").to_owned()
}

/// The length of an outage, or `none`.
pub(super) fn outage(time: f64) -> String {
    if time > 0.0 {
        milliseconds(time)
    } else {
        "none".to_owned()
    }
}

/// Failback may also cut requests in flight on the interim owner. That is a second outage, which is not added to
/// the first.
pub(super) fn cut_off(run: &DrillRun) -> String {
    let longest = milliseconds(run.outage_ms());
    match run.new.gaps.len() {
        0 => "never".to_owned(),
        1 => longest,
        2 => format!("twice, {longest} at most"),
        times => format!("{times} times, {longest} at most"),
    }
}

/// What happened to persistent connections. One of them may break more than once.
pub(super) fn held(stats: &DrillStats) -> String {
    let connections = count(stats.held, "connection");
    match stats.held_broken {
        0 => format!("{connections}, none broke"),
        1 => format!("{connections}, one broke"),
        times => format!("{connections}, which broke {times} times"),
    }
}

/// How a drill ended.
pub(super) fn verdict(verdict: Verdict, budget_ms: Option<f64>) -> &'static str {
    match (verdict, budget_ms) {
        (Verdict::Passed, Some(_)) => "within budget",
        (Verdict::Passed, None) => "recovered",
        (Verdict::OverBudget, _) => "over budget",
        (Verdict::Violated, _) => "violated",
        (Verdict::NotRecovered, _) => "not recovered",
    }
}

/// The prediction, and whether it held.
pub(super) fn predicted(stats: &DrillStats) -> Option<String> {
    let range = stats.predicted?;
    let came = match stats.against? {
        PredictionResult::Within => "as predicted",
        PredictionResult::Sooner => "sooner than predicted",
        PredictionResult::Later => "later than predicted",
    };
    let (earliest, latest) = (
        milliseconds(range.earliest_ms),
        milliseconds(range.latest_ms),
    );
    let range = if range.latest_ms <= 0.0 {
        "none".to_owned()
    } else if earliest == latest {
        latest
    } else {
        format!("{earliest} to {latest}")
    };
    Some(format!(
        "{came} ({range}, plus up to {} beyond the timers)",
        exactly(MEASUREMENT_OVERHEAD_MS)
    ))
}

/// The label of a histogram bucket.
pub(super) fn bucket(from_ms: f64, to_ms: Option<f64>) -> String {
    match to_ms {
        Some(to) if to <= 0.0 => "none lost".to_owned(),
        Some(to) => format!("below {}", milliseconds_short(to)),
        None => format!("{} and more", milliseconds_short(from_ms)),
    }
}

fn milliseconds_short(time: f64) -> String {
    if time < 1000.0 {
        format!("{time:.0} ms")
    } else {
        format!("{:.0} s", time / 1000.0)
    }
}

pub(super) fn violation(violation: &Violation) -> String {
    match violation {
        Violation::TwoOwners {
            at_ms,
            length_ms,
            nodes,
        } => format!(
            "{} both had the VIP and answered, for {} from {} on",
            and(nodes),
            milliseconds(*length_ms),
            milliseconds(*at_ms)
        ),
        Violation::NoOwner { at_ms, length_ms } => format!(
            "no node that answers had the VIP, for {} from {} on",
            milliseconds(*length_ms),
            milliseconds(*at_ms)
        ),
        Violation::Unexplained { at_ms, to } => format!(
            "the VIP moved to {to} at {} without an observed cause",
            milliseconds(*at_ms)
        ),
        Violation::Unclear { why } => format!("inconclusive: {why}"),
    }
}

/// One sentence for each thing that went wrong in a run.
pub(super) fn complaints(run: &DrillRun) -> Vec<String> {
    let mut complaints: Vec<String> = run.violations.iter().map(violation).collect();
    if !run.new.recovered {
        complaints.insert(0, "the service had not come back at the end".to_owned());
    }
    if let Some(budget) = run.budget_ms.filter(|budget| run.outage_ms() > *budget) {
        complaints.push(format!(
            "users were cut off for {}, over the budget of {}",
            milliseconds(run.outage_ms()),
            exactly(budget)
        ));
    }
    complaints
}

/// The path that the VIP took.
pub(super) fn way(run: &DrillRun) -> String {
    let from = &run.from;
    match (&run.to, &run.after) {
        (None, _) => format!("{} stayed on {from}", run.vip),
        (Some(to), Some(after)) if after == to => format!("{} moved from {from} to {to}", run.vip),
        (Some(to), Some(after)) if after == from => {
            format!("{} moved from {from} to {to} and back", run.vip)
        }
        (Some(to), Some(after)) => {
            format!("{} moved from {from} to {to}, then to {after}", run.vip)
        }
        (Some(to), None) => format!("{} moved from {from} to {to}; now it has no owner", run.vip),
    }
}

pub(super) fn event(what: &DrillEventKind) -> String {
    match what {
        DrillEventKind::Fault { name } => format!("fault: {name}"),
        DrillEventKind::Healed => "the fault ended".to_owned(),
        DrillEventKind::Owns => "has the VIP".to_owned(),
        DrillEventKind::Released => "no longer has the VIP".to_owned(),
        DrillEventKind::State { state } => format!("keepalived: {state}"),
        DrillEventKind::Serves => "nginx answers".to_owned(),
        DrillEventKind::Silent => "nginx does not answer".to_owned(),
        DrillEventKind::Cut => "cannot be reached".to_owned(),
        DrillEventKind::Joined => "can be reached".to_owned(),
        DrillEventKind::Announced { owner: Some(owner) } => {
            format!("neighbours know {owner} as owner")
        }
        DrillEventKind::Announced { owner: None } => "neighbours know another owner".to_owned(),
        DrillEventKind::Log { unit, line } => format!("{unit}: {line}"),
        DrillEventKind::Lost => "requests are lost".to_owned(),
        DrillEventKind::Answered => "requests are answered".to_owned(),
    }
}

pub(super) fn trend(trend: Trend) -> &'static str {
    match trend {
        Trend::Shorter => "shorter",
        Trend::Same => "same",
        Trend::Longer => "longer",
        Trend::TooFew => "too few runs",
    }
}

/// `12 of 20 runs`, `all 20 runs`.
pub(super) fn share(of: usize, all: usize) -> String {
    if of == all {
        format!("all {}", count(all, "run"))
    } else {
        format!("{of} of {}", count(all, "run"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_that_matter() {
        for (time, text) in [
            (0.0, "0 ms"),
            (0.04, "0.0 ms"),
            (8.44, "8.4 ms"),
            (9.96, "10 ms"),
            (999.4, "999 ms"),
            (999.6, "1.00 s"),
            (1254.0, "1.25 s"),
            (13_440.0, "13.4 s"),
            (125_000.0, "125 s"),
            (-480.0, "-480 ms"),
        ] {
            assert_eq!(milliseconds(time), text);
        }
        assert_eq!(exactly(5.0), "5 ms");
        assert_eq!(exactly(-0.5), "-0.5 ms");
        assert_eq!(exactly(1500.0), "1.5 s");
        assert_eq!(exactly(100.0), "100 ms");
        assert_eq!(number(4.0), "4");
        assert_eq!(number(4.5), "4.5");
        assert_eq!(number(0.0), "0");
    }
}
