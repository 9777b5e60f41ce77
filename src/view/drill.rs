//! Drills: what they will do, how far they are, and what users saw of them.

mod glance;
mod junit;
mod markdown;
mod markup;
mod page;
mod table;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

pub use junit::junit;
pub use markdown::tables;
pub use page::html;

use camino::Utf8Path;
use serde::Serialize;

use super::paint;
use super::recovery::{recovery_text, released_text};
use super::show::Show;
use super::text::{count, elapsed, labelled, wrap};
use super::ui::Ui;
use crate::drill::{Comparison, DrillReport, DrillStats, Ends, Scope};
use crate::model::NodeName;
use crate::ops::{CutShort, DrillIntent, DrillProgress, Recovery, Stamped};
use crate::report::{Declined, DrillsBody};

impl Ui {
    /// Says what will be done before it is done.
    pub fn announce_drills(&self, intents: &[DrillIntent], recovery: &Recovery) {
        self.status(&recovery_text(recovery));
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
    pub fn drill_progress(&self, verb: &'static str, progress: &Stamped<DrillProgress>) {
        self.event(verb, progress);
        self.status(&progress_line(&progress.event));
    }

    /// Tells that the drill under way ends early.
    pub fn tell_drill_stops(&self) {
        self.status(
            "Stopping: the fault is ended, and the cluster looked at. A host that can't be\n\
             reached ends it on its own when its time is over. Ctrl-C again leaves at once;\n\
             then every host does so.\n",
        );
    }

    /// Tells why drills ended before the last one.
    pub fn tell_cut_short(&self, cut_short: &CutShort) {
        self.raw_error(&cut_short_text(cut_short));
    }

    /// Tells where the results are kept.
    pub fn tell_kept(&self, path: &Utf8Path) {
        self.status(&format!("Kept as {path}\n"));
    }
}

/// What users saw, beside what they saw earlier; no report where nobody agreed.
#[derive(Debug)]
pub struct Drills<'a> {
    /// What they saw.
    pub report: Option<&'a DrillReport>,
    /// The same beside earlier results.
    pub comparison: Option<&'a Comparison>,
}

impl Show for Drills<'_> {
    fn body(&self) -> impl Serialize {
        match self.report {
            None => DrillsBody::Declined {
                result: Declined::Declined,
            },
            Some(report) => DrillsBody::Done {
                report,
                stats: DrillStats::of(report),
                comparison: self.comparison,
            },
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&self.report.map_or_else(
            || "Nothing was done.\n".to_owned(),
            |report| table::report_text(report, self.comparison),
        ));
    }
}

/// What each drill will do, to whom, and what is expected of it.
pub(super) fn intents_text(intents: &[DrillIntent]) -> String {
    let mut text: String = intents.iter().map(intent_text).collect();
    let several = intents.len() > 1 || intents.iter().any(|intent| intent.times > 1);
    if several && intents.iter().any(|intent| intent.owner_stays) {
        let words = "The VIP stays where it goes (`preempt: false`): from the second fault on, it is done to \
                     whoever has the VIP then.";
        text.push_str(&wrap(words, 0, ""));
        text.push('\n');
    }
    text
}

fn intent_text(intent: &DrillIntent) -> String {
    let spec = intent.drill.spec();
    let does = match spec.scope {
        Scope::EveryNode => spec.does(),
        Scope::Owner | Scope::EachOwnerInTurn { .. } => spec.does_on(&intent.node),
    };
    let whose = if intent.spares_owner() {
        format!(
            " (no outage is expected: {} has {})",
            intent.owner, intent.vip
        )
    } else {
        format!(" ({} has {})", intent.owner, intent.vip)
    };
    let held = match spec.ends {
        Ends::ByOrder(_) => format!(" ({})", elapsed(intent.hold)),
        Ends::ByItself(_) => String::new(),
    };
    let mut words = format!("{does}{whose}; {}{held}", spec.heals);
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
            times: 1,
            ..
        } => format!("{} on {node}\n", drill.spec().name),
        DrillProgress::Begun {
            drill,
            node,
            repeat,
            times,
            ..
        } => format!("{} on {node}, {repeat} of {times}\n", drill.spec().name),
        DrillProgress::Skipped { drill, why } => {
            format!(
                "{}\n",
                wrap(
                    &format!("{} is left out: {why}", drill.spec().name),
                    0,
                    "  "
                )
            )
        }
        DrillProgress::LockReleased { node, holder } => released_text(node, holder),
        DrillProgress::Ordered { node } => format!("  the fault comes to {node}\n"),
        DrillProgress::Settling => "  waiting until the cluster is whole again\n".to_owned(),
    }
}

pub(super) fn cut_short_text(cut_short: &CutShort) -> String {
    match cut_short {
        CutShort::Stopped { left, .. } if left.is_empty() => {
            "Stopped on request; the fault was ended.\n".to_owned()
        }
        CutShort::Stopped { left, within } => {
            let names: Vec<&str> = left.iter().map(NodeName::as_str).collect();
            let words = format!(
                "Stopped on request. {} could not be told to end the fault, and ends it on its own within {}.",
                names.join(" and "),
                elapsed(*within)
            );
            format!("{}\n", paint::bad(wrap(&words, 0, "")))
        }
        CutShort::NotRecovered { why } => {
            let words = format!("The cluster is not whole again: {why}. Look: hactl status");
            format!("{}\n", paint::bad(wrap(&words, 0, "")))
        }
    }
}
