//! Output of `confirm` and `cancel`.

use serde::Serialize;

use super::change_text::{state_line, waiting_text};
use super::failure::{failure_record, failure_text};
use super::paint;
use super::show::Show;
use super::text::{and, elapsed, labelled, milliseconds};
use super::ui::Ui;
use crate::agent::{Ending, Outcome};
use crate::apply::{Event, PendingAction};
use crate::model::NodeName;
use crate::ops::{SettleEnd, SettleReport, Stamped};
use crate::report::{SettleBody, SettleOutcome, SettleResult};

/// The view of a pending change that is confirmed or cancelled.
#[derive(Debug)]
pub struct SettleView {
    ui: Ui,
    verb: PendingAction,
}

impl Ui {
    pub fn follow_settling(&self, verb: PendingAction) -> SettleView {
        SettleView {
            ui: self.clone(),
            verb,
        }
    }
}

fn name(verb: PendingAction) -> &'static str {
    match verb {
        PendingAction::Confirm => "confirm",
        PendingAction::Cancel => "cancel",
    }
}

impl SettleView {
    pub fn event(&self, event: &Stamped<Event>) {
        self.ui.event(name(self.verb), event);
        self.ui.status(&event_text(&event.event));
    }

    /// Called on the first Ctrl-C.
    pub fn stopping(&self) {
        self.ui.status(match self.verb {
            PendingAction::Confirm => {
                "Stopping: if a confirmation was sent, all nodes are confirmed first.\n\
                 Press Ctrl-C again to quit: the nodes then decide among themselves.\n"
            }
            PendingAction::Cancel => {
                "Stopping: if the change was withdrawn, all nodes are rolled back first.\n\
                 Press Ctrl-C again to quit: each host rolls it back when its timer ends.\n"
            }
        });
    }

    pub fn end(&self, report: &SettleReport, exit_code: u8) {
        self.ui.show(name(self.verb), exit_code, report);
    }
}

impl Show for SettleReport {
    fn body(&self) -> impl Serialize {
        SettleBody {
            change: self.change.as_ref(),
            events: &self.events,
            outcome: settled_record(self),
        }
    }

    fn print(&self, ui: &Ui, exit_code: u8) {
        ui.end(&settled_text(self, Ui::is_unicode()), exit_code);
    }
}

/// One line per notable event.
fn event_text(event: &Event) -> String {
    match event {
        Event::NodeDone { node, .. } => format!("  {node}: confirmed\n"),
        Event::Reverted { node } => format!("  {node}: rolled back\n"),
        Event::RevertFailed { message, .. } => format!("  {}\n", paint::bad(message)),
        Event::Failed { message, .. } => format!("  {}\n", paint::warn(message)),
        _ => String::new(),
    }
}

pub(super) fn settled_text(report: &SettleReport, unicode: bool) -> String {
    let took = elapsed(report.elapsed);
    let Some(change) = &report.change else {
        return nothing_text(report);
    };
    let nodes: Vec<&NodeName> = change.members.iter().map(|member| &member.node).collect();
    let nodes = sorted(nodes);
    let by = &change.by;
    let what = match change.generation {
        Some(0) => "the time before hactl".to_owned(),
        Some(number) => format!("generation {number}"),
        None => "the change".to_owned(),
    };
    let good = |words: String| labelled(&paint::good("Done:"), &words, "      ");
    match (&report.end, report.verb) {
        (SettleEnd::Committed, PendingAction::Confirm) => good(format!(
            "{what}, applied by {by}, is confirmed on {nodes} ({took})."
        )),
        (SettleEnd::RolledBack, PendingAction::Cancel) => good(format!(
            "{what}, applied by {by}, is rolled back on {nodes} ({took})."
        )),
        (SettleEnd::Committed, PendingAction::Cancel) => {
            state_line(
                "Too late:",
                &format!(
                    "{what}, applied by {by}, was confirmed by somebody else and is live on {nodes}"
                ),
            ) + &help("roll it back with `hactl rollback`")
        }
        (SettleEnd::RolledBack, PendingAction::Confirm) => {
            state_line(
                "Too late:",
                &format!(
                    "{what}, applied by {by}, was cancelled or expired and is rolled back on {nodes}"
                ),
            ) + &help("apply it again with `hactl apply`")
        }
        (SettleEnd::Pending { failure }, _) => {
            let mut text = failure
                .as_ref()
                .map(|failure| failure_text(failure, unicode))
                .unwrap_or_default();
            let deadline = change.deadline.clone().unwrap_or_default();
            text.push_str(&waiting_text(
                &format!(
                    "no decision was made: {what}, applied by {by}, is still pending on {nodes}"
                ),
                &deadline,
            ));
            text
        }
        (SettleEnd::Diverged { failure, problems }, _) => {
            mixed_text(failure.as_ref(), problems, unicode)
        }
        (SettleEnd::Nothing { .. }, _) => nothing_text(report),
    }
}

fn mixed_text(
    failure: Option<&crate::apply::Failure>,
    problems: &[String],
    unicode: bool,
) -> String {
    let mut text = failure
        .map(|failure| failure_text(failure, unicode))
        .unwrap_or_default();
    text.push_str(&labelled(
        &paint::error_label("Manual intervention required:"),
        "could not verify that all nodes ended in the same state",
        "  ",
    ));
    for problem in problems {
        text.push_str(&labelled("  -", &problem.replace('\n', "\n  "), "    "));
    }
    text.push_str(&help(
        "see the state of every node with `hactl status`; an unconfirmed node asks the others when its timer ends, \
         and ends as they did",
    ));
    text
}

fn help(words: &str) -> String {
    labelled(&paint::accent("help:"), words, "      ")
}

fn sorted(mut nodes: Vec<&NodeName>) -> String {
    nodes.sort();
    and(&nodes)
}

/// No change is pending, so the end of the last one is shown instead.
fn nothing_text(report: &SettleReport) -> String {
    let SettleEnd::Nothing { last } = &report.end else {
        return String::new();
    };
    let verb = name(report.verb);
    let mut text = format!("No change is pending: there is nothing to {verb}.\n");
    let is_kept = |outcome: &Outcome| outcome.result == Ending::Confirmed;
    let undone: Vec<&(NodeName, Outcome)> = last
        .iter()
        .filter(|(_, outcome)| !is_kept(outcome))
        .collect();
    if let Some((_, outcome)) = undone.first() {
        let nodes = sorted(undone.iter().map(|(node, _)| node).collect());
        text.push_str(&state_line(
            "The last change was rolled back",
            &format!("on {nodes}: {} ({})", outcome.why, outcome.at),
        ));
    } else if !last.is_empty() {
        let back = match report.verb {
            PendingAction::Confirm => "",
            PendingAction::Cancel => "; roll it back with `hactl rollback`",
        };
        text.push_str("The last change is confirmed");
        text.push_str(back);
        text.push_str(".\n");
    }
    text
}

/// The outcome as JSON.
pub(super) fn settled_record(report: &SettleReport) -> SettleOutcome<'_> {
    let result = match &report.end {
        SettleEnd::Nothing { last } => SettleResult::NothingUnderWay {
            last: last.iter().map(|(node, outcome)| (node, outcome)).collect(),
        },
        SettleEnd::Committed => SettleResult::Confirmed,
        SettleEnd::RolledBack => SettleResult::Undone,
        SettleEnd::Pending { failure } => SettleResult::Waiting {
            failure: failure.as_ref().map(failure_record),
        },
        SettleEnd::Diverged { failure, problems } => SettleResult::Mixed {
            failure: failure.as_ref().map(failure_record),
            problems,
        },
    };
    SettleOutcome {
        result,
        elapsed_ms: milliseconds(report.elapsed),
    }
}
