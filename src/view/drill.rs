//! Output of failover drills: the announcement, the progress, and the client impact.

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
use crate::ops::{DrillPlan, DrillProgress, Interruption, Recovery, Stamped};
use crate::report::{Declined, DrillsBody};

impl Ui {
    /// Prints the recovery and the drills to come.
    pub fn announce_drills(&self, intents: &[DrillPlan], recovery: &Recovery) {
        self.status(&recovery_text(recovery));
        self.status(&intents_text(intents));
    }

    pub fn ask_drills(&self, intents: &[DrillPlan], is_stopped: &dyn Fn() -> bool) -> bool {
        let what = match intents {
            [one] => format!("Run {} on {}?", one.drill.spec().name, one.node),
            several => format!("Run these {}?", count(several.len(), "drill")),
        };
        self.ask(&format!("{} [y/N] ", paint::strong(what)), is_stopped)
    }

    pub fn drill_progress(&self, verb: &'static str, progress: &Stamped<DrillProgress>) {
        self.event(verb, progress);
        self.status(&progress_line(&progress.event));
    }

    /// Called on the first Ctrl-C.
    pub fn tell_drill_stops(&self) {
        self.status(
            "Stopping: hactl ends the fault and checks the cluster. A host out of its reach\n\
             ends the fault on its own. Press Ctrl-C again to quit at once: then every host\n\
             does so.\n",
        );
    }

    /// Reports why the remaining drills do not run.
    pub fn tell_cut_short(&self, cut_short: &Interruption) {
        self.raw_error(&cut_short_text(cut_short));
    }

    /// Reports where the results were saved.
    pub fn tell_kept(&self, path: &Utf8Path) {
        self.status(&format!("Kept as {path}\n"));
    }
}

/// Results of drills, compared with earlier ones. There is no report if the user declined.
#[derive(Debug)]
pub struct Drills<'a> {
    pub report: Option<&'a DrillReport>,
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

/// What each drill does, to which node, and whether an outage is expected.
pub(super) fn intents_text(intents: &[DrillPlan]) -> String {
    let mut text: String = intents.iter().map(intent_text).collect();
    let several = intents.len() > 1 || intents.iter().any(|intent| intent.times > 1);
    if several && intents.iter().any(|intent| intent.owner_stays) {
        let words = "The VIP does not move back (`preempt: false`): from the second fault on, the fault hits \
                     whichever node owns the VIP then.";
        text.push_str(&wrap(words, 0, ""));
        text.push('\n');
    }
    text
}

fn intent_text(intent: &DrillPlan) -> String {
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
        DrillProgress::Ordered { node } => format!("  injecting the fault on {node}\n"),
        DrillProgress::Settling => "  waiting for the cluster to recover\n".to_owned(),
    }
}

pub(super) fn cut_short_text(cut_short: &Interruption) -> String {
    match cut_short {
        Interruption::Stopped { left, .. } if left.is_empty() => {
            "Stopped on request; the fault was ended.\n".to_owned()
        }
        Interruption::Stopped { left, within } => {
            let names: Vec<&str> = left.iter().map(NodeName::as_str).collect();
            let words = format!(
                "Stopped on request. hactl could not tell {} to end the fault; it ends on its own within {}.",
                names.join(" and "),
                elapsed(*within)
            );
            format!("{}\n", paint::bad(wrap(&words, 0, "")))
        }
        Interruption::NotRecovered { why } => {
            let words = format!("The cluster has not recovered: {why}. See `hactl status`");
            format!("{}\n", paint::bad(wrap(&words, 0, "")))
        }
    }
}
