//! Drills: what they will do, how far they are, and what users saw of them.

use std::time::Duration;

use super::complaint::labelled;
use super::document::Document;
use super::paint;
use super::text::{count, elapsed, wrap};
use super::ui::Ui;
use crate::drill::{DrillRun, Phases};
use crate::ops::{CutShort, DrillIntent, DrillProgress, FailoverOutcome};

impl Ui {
    /// Says what will be done before it is done.
    pub fn announce_drills(&self, intents: &[DrillIntent]) {
        self.status(&intents_text(intents));
    }

    /// Asks whether to do it.
    pub fn ask_drills(&self, intents: &[DrillIntent], is_stopped: &dyn Fn() -> bool) -> bool {
        let what = match intents {
            [one] => format!("Do {} to {}?", one.drill.spec().name, one.node),
            several => format!("Do these {}?", count(several.len(), "drill")),
        };
        self.ask(&format!("{} [y/N] ", paint::strong(what)), is_stopped)
    }

    /// Tells how far a drill is.
    pub fn drill_progress(&self, progress: &DrillProgress) {
        self.status(&progress_line(progress));
    }

    /// Tells that the drill under way ends early.
    pub fn tell_drill_stops(&self) {
        self.status(
            "Stopping: the fault is ended, and the cluster looked at. Ctrl-C again leaves at once;\n\
             the host then ends the fault by itself.\n",
        );
    }

    /// Shows what users saw.
    pub fn show_drills(&self, outcome: Option<&FailoverOutcome>, exit_code: u8) {
        if self.is_json() {
            let document = Document::new("failover-test").with("exit_code", &exit_code);
            self.document(&match outcome {
                None => document.with("result", "declined"),
                Some(outcome) => document.with("report", &outcome.report),
            });
        } else {
            self.data(&outcome.map_or_else(
                || "Nothing was done.\n".to_owned(),
                |outcome| {
                    let runs: Vec<String> = outcome.report.runs.iter().map(drill_text).collect();
                    runs.join("\n")
                },
            ));
        }
        if let Some(cut_short) = outcome.and_then(|outcome| outcome.cut_short.as_ref()) {
            self.raw_error(&cut_short_text(cut_short));
        }
    }
}

/// What each drill will do, to whom, and what is expected of it.
pub(super) fn intents_text(intents: &[DrillIntent]) -> String {
    intents.iter().map(intent_text).collect()
}

fn intent_text(intent: &DrillIntent) -> String {
    let spec = intent.drill.spec();
    let whose = if intent.concerns_owner() {
        format!("which is {}", paint::strong(&intent.node))
    } else {
        format!(
            "here {}, which does not own {}: no outage is expected",
            paint::strong(&intent.node),
            intent.vip
        )
    };
    let mut words = format!("{}, {whose}; {}", spec.does(), spec.heals);
    if intent.times > 1 {
        words = format!("{words}; {} times", intent.times);
    }
    let label = paint::strong(format!("{}:", spec.name));
    labelled(&label, &words, "  ")
}

pub(super) fn progress_line(progress: &DrillProgress) -> String {
    match progress {
        DrillProgress::Begun {
            drill,
            node,
            repeat: (_, 1),
        } => format!("{} on {node}\n", drill.spec().name),
        DrillProgress::Begun {
            drill,
            node,
            repeat: (repeat, times),
        } => format!("{} on {node}, {repeat} of {times}\n", drill.spec().name),
        DrillProgress::Made => "  the fault was made\n".to_owned(),
        DrillProgress::Settling => "  waiting until the cluster is whole again\n".to_owned(),
    }
}

pub(super) fn cut_short_text(cut_short: &CutShort) -> String {
    match cut_short {
        CutShort::Stopped => "Stopped on request.\n".to_owned(),
        CutShort::NotRecovered { why } => {
            let words = format!("The cluster is not whole again: {why}. Look: hactl status");
            format!("{}\n", paint::bad(wrap(&words, 0, "")))
        }
    }
}

/// Where the VIP went, and what users saw meanwhile.
pub(super) fn drill_text(run: &DrillRun) -> String {
    let (vip, from) = (run.vip, &run.from);
    let way = match (&run.to, &run.after) {
        (None, _) => format!("{vip} stayed on {from}"),
        (Some(to), Some(after)) if after == to => format!("{vip} moved from {from} to {to}"),
        (Some(to), Some(after)) if after == from => {
            format!("{vip} moved from {from} to {to}, and back when {from} was healthy again")
        }
        (Some(to), Some(after)) => format!("{vip} moved from {from} to {to}, then to {after}"),
        (Some(to), None) => format!("{vip} moved from {from} to {to}; now it has no owner"),
    };
    let seen = &run.new;
    let requests = count(seen.count, "request");
    let loss = match seen.outage_ms() {
        None => paint::good(format!("None of {requests} was lost")),
        Some(outage) => format!(
            "{} of {requests} lost: users were cut off {}",
            seen.lost,
            cut_off(seen.gaps.len(), outage)
        ),
    };
    let loss = format!("{loss} (slowest answer {}).", time(seen.slowest_ms));
    let held = format!(
        "{} held open: {}, {} of {} lost.",
        count(run.held.connections, "connection"),
        match run.held.broken {
            0 => "none broke".to_owned(),
            1 => "one broke".to_owned(),
            times => format!("they broke {times} times"),
        },
        run.held.lost,
        count(run.held.requests, "request")
    );
    let mut text = format!(
        "{}\n{}\n{}\n",
        wrap(&format!("{way}."), 0, ""),
        wrap(&loss, 0, ""),
        wrap(&held, 0, "")
    );
    if let Some(downloads) = run.downloads {
        let words = format!(
            "{} of {} broke.",
            downloads.broken,
            count(downloads.under_way, "download")
        );
        text = format!("{text}{words}\n");
    }
    if let Some(phases) = &run.phases {
        text = format!("{text}{}\n", wrap(&phases_text(phases, run), 0, ""));
    }
    text + &verdict(run)
}

fn phases_text(phases: &Phases, run: &DrillRun) -> String {
    let predicted = run.predicted.map_or_else(String::new, |predicted| {
        format!(
            "; {} to {} predicted",
            time(predicted.earliest_ms),
            time(predicted.latest_ms)
        )
    });
    format!(
        "Detection {}, election {}, announcement {}{predicted}.",
        time(phases.detection_ms),
        time(phases.election_ms),
        time(phases.announcement_ms)
    )
}

fn verdict(run: &DrillRun) -> String {
    let budget = run.budget_ms;
    if !run.new.recovered {
        return format!(
            "{}\n",
            paint::bad("The service has not come back: hactl status")
        );
    }
    match budget {
        None => String::new(),
        Some(budget) if run.new.outage_ms().unwrap_or_default() > budget => {
            paint::bad(format!("Over the budget of {}\n", time(budget)))
        }
        Some(budget) => paint::good(format!("Within the budget of {}\n", time(budget))),
    }
}

/// When the VIP comes back, requests under way on its interim owner may be lost, too: a second gap,
/// which is not to be added to the first.
fn cut_off(gaps: usize, longest_ms: f64) -> String {
    let longest = paint::strong(time(longest_ms));
    match gaps {
        1 => format!("for {longest}"),
        2 => format!("twice, for {longest} at most"),
        gaps => format!("{gaps} times, for {longest} at most"),
    }
}

fn time(millis: f64) -> String {
    if (0.0..9.95).contains(&millis) {
        return format!("{millis:.1} ms");
    }
    elapsed(Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default())
}
