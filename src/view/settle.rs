//! Confirming and cancelling a change that waits.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::change_text::{state_line, waiting_text};
use super::complaint::labelled;
use super::document::Document;
use super::failure::{failure_json, failure_text};
use super::paint;
use super::text::{and, elapsed};
use super::ui::Ui;
use crate::agent::{Ending, Outcome};
use crate::apply::{Event, SettleVerb};
use crate::model::NodeName;
use crate::ops::{SettleEnd, SettleReport};

/// Shows one change being ended.
#[derive(Debug)]
pub struct SettleView {
    ui: Ui,
    verb: SettleVerb,
    started: Instant,
    events: Mutex<Vec<Value>>,
}

impl Ui {
    /// Follows a change being ended.
    pub fn follow_settling(&self, verb: SettleVerb) -> SettleView {
        SettleView {
            ui: self.clone(),
            verb,
            started: Instant::now(),
            events: Mutex::default(),
        }
    }
}

impl SettleView {
    /// Something happened.
    pub fn event(&self, event: &Event) {
        let mut json = serde_json::to_value(event).unwrap_or_default();
        json["at_ms"] = json!(self.started.elapsed().as_millis());
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(json);
        self.ui.status(&event_text(event));
    }

    /// The user wants it to stop.
    pub fn stopping(&self) {
        self.ui.status(match self.verb {
            SettleVerb::Confirm => {
                "Stopping: if a confirmation was sent, all nodes are confirmed first.\n\
                 Ctrl-C again leaves it at once: the nodes settle it among themselves.\n"
            }
            SettleVerb::Cancel => {
                "Stopping: if the change was withdrawn, all nodes are brought back first.\n\
                 Ctrl-C again leaves it at once: each host undoes it when its timer ends.\n"
            }
        });
    }

    /// It is over.
    pub fn end(&self, report: &SettleReport, exit_code: u8) {
        if self.ui.is_json() {
            let name = match self.verb {
                SettleVerb::Confirm => "confirm",
                SettleVerb::Cancel => "cancel",
            };
            let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            let document = Document::new(name)
                .with("exit_code", &exit_code)
                .with("change", &report.change)
                .with("events", &*events)
                .with("outcome", &settled_json(report));
            self.ui.document(&document);
            return;
        }
        let text = settled_text(report, Ui::is_unicode());
        if exit_code == 0 {
            self.ui.data(&text);
        } else {
            self.ui.raw_error(&text);
        }
    }
}

/// A line for what is worth one.
fn event_text(event: &Event) -> String {
    match event {
        Event::NodeDone { node, .. } => format!("  {node}: confirmed\n"),
        Event::Reverted { node } => format!("  {node}: as before\n"),
        Event::RevertFailed { message, .. } => format!("  {}\n", paint::bad(message)),
        Event::Failed { message, .. } => format!("  {}\n", paint::warn(message)),
        _ => String::new(),
    }
}

/// The last words.
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
        (SettleEnd::AllNew, SettleVerb::Confirm) => good(format!(
            "{what}, {by}'s, is confirmed on {nodes} and stays ({took})."
        )),
        (SettleEnd::AllOld, SettleVerb::Cancel) => good(format!(
            "{what}, {by}'s, is cancelled: {nodes} are as they were before it ({took})."
        )),
        (SettleEnd::AllNew, SettleVerb::Cancel) => {
            state_line(
                "Too late:",
                &format!(
                    "{what}, {by}'s, was confirmed by somebody else, and is confirmed on {nodes} now"
                ),
            ) + &help("`hactl rollback` takes it back")
        }
        (SettleEnd::AllOld, SettleVerb::Confirm) => {
            state_line(
                "Too late:",
                &format!(
                    "{what}, {by}'s, was cancelled or its time was over; {nodes} are as they were before it"
                ),
            ) + &help("`hactl apply` makes it again")
        }
        (SettleEnd::Waiting { failure }, _) => {
            let mut text = failure
                .as_ref()
                .map(|failure| failure_text(failure, unicode))
                .unwrap_or_default();
            let deadline = change.deadline.clone().unwrap_or_default();
            text.push_str(&waiting_text(
                &format!("nothing was decided: {what}, {by}'s, still waits on {nodes}"),
                &deadline,
            ));
            text
        }
        (SettleEnd::Mixed { failure, problems }, _) => {
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
        &paint::error_label("The cluster needs a person:"),
        "not every node could be seen to have decided for the same side",
        "  ",
    ));
    for problem in problems {
        text.push_str(&labelled("  -", &problem.replace('\n', "\n  "), "    "));
    }
    text.push_str(&help(
        "`hactl status` tells in which state every node is; one that nobody confirmed asks the others when \
         its timer ends, and goes the same way",
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

/// None was under way: then how the last one ended is what counts.
fn nothing_text(report: &SettleReport) -> String {
    let SettleEnd::Nothing { last } = &report.end else {
        return String::new();
    };
    let verb = match report.verb {
        SettleVerb::Confirm => "confirm",
        SettleVerb::Cancel => "cancel",
    };
    let mut text = format!("No change waits: there is nothing to {verb}.\n");
    let is_kept = |outcome: &Outcome| outcome.result == Ending::Confirmed;
    let undone: Vec<&(NodeName, Outcome)> = last
        .iter()
        .filter(|(_, outcome)| !is_kept(outcome))
        .collect();
    if let Some((_, outcome)) = undone.first() {
        let nodes = sorted(undone.iter().map(|(node, _)| node).collect());
        text.push_str(&state_line(
            "The last change was undone",
            &format!("on {nodes}: {} ({})", outcome.why, outcome.at),
        ));
    } else if !last.is_empty() {
        let back = match report.verb {
            SettleVerb::Confirm => "",
            SettleVerb::Cancel => "; `hactl rollback` takes it back",
        };
        text.push_str("The last change was confirmed, and stays");
        text.push_str(back);
        text.push_str(".\n");
    }
    text
}

/// The same as JSON.
pub(super) fn settled_json(report: &SettleReport) -> Value {
    let failure = |failure: &Option<_>| failure.as_ref().map(failure_json);
    let mut json = match &report.end {
        SettleEnd::Nothing { last } => {
            let last: serde_json::Map<String, Value> = last
                .iter()
                .map(|(node, outcome)| (node.to_string(), json!(outcome)))
                .collect();
            json!({ "result": "nothing_under_way", "last": last })
        }
        SettleEnd::AllNew => json!({ "result": "confirmed" }),
        SettleEnd::AllOld => json!({ "result": "undone" }),
        SettleEnd::Waiting { failure: why } => {
            json!({ "result": "waiting", "failure": failure(why) })
        }
        SettleEnd::Mixed {
            failure: why,
            problems,
        } => {
            json!({ "result": "mixed", "failure": failure(why), "problems": problems })
        }
    };
    json["elapsed_ms"] = json!(report.elapsed.as_millis());
    json
}
