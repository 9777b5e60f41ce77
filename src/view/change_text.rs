//! Text for the outcome of a change.

use std::net::IpAddr;

use super::failure::{failure_record, failure_text};
use super::paint;
use super::plan::{PlanDetail, plan_text};
use super::recovery::recovery_agreement;
use super::text::{and, count, elapsed, labelled, milliseconds};
use crate::agent::Deadline;
use crate::apply::{ApplyOutcome, ApplyResult, Event};
use crate::model::NodeName;
use crate::ops::{ApplyReport, Recovery};
use crate::plan::{Goal, Plan};
use crate::report::{ChangeEnd, ChangeOutcome, ChangeRun};

/// The prompt before a change starts.
pub(super) fn agreement_question(recovery: &Recovery, plan: &Plan) -> String {
    let mut nodes: Vec<_> = plan.changing().map(|node| &node.node).collect();
    nodes.sort();
    let own = (!nodes.is_empty()).then(|| match plan.goal {
        Goal::Apply => format!("apply this to {}", and(&nodes)),
        Goal::Rollback { to: 0 } => format!("restore the state before hactl on {}", and(&nodes)),
        Goal::Rollback { to } => format!("bring {} back to generation {to}", and(&nodes)),
    });
    let parts = recovery_agreement(recovery).into_iter().chain(own);
    let what = parts.collect::<Vec<_>>().join(", then ");
    let mut letters = what.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let what: String = first.into_iter().chain(letters).collect();
    format!("{} [y/N] ", paint::strong(format!("{what}?")))
}

/// Printed above a plan that differs from the one that was approved.
pub(super) fn revised_text() -> &'static str {
    "The plan after the recovery differs from the one that was shown before:\n"
}

/// What the first Ctrl-C does.
pub(super) fn stopping_text() -> &'static str {
    "Stopping: the current step ends first, then the change rolls back, unless it is\n\
     already being confirmed: then it is kept. Press Ctrl-C again to quit at once:\n\
     the hosts then roll an unconfirmed change back on their own.\n"
}

/// VIP owners as last observed.
fn owners(report: &ApplyReport) -> &[(IpAddr, NodeName)] {
    let mut events = report.events.iter().rev();
    let last = events.find_map(|event| match &event.event {
        Event::OwnersSeen { owners } => Some(owners.as_slice()),
        _ => None,
    });
    last.unwrap_or_default()
}

pub(super) fn outcome_text(report: &ApplyReport, unicode: bool) -> String {
    match &report.outcome {
        None if report.is_recovered => {
            "The interrupted change was ended; nothing else was changed.\n".to_owned()
        }
        None => "Nothing was changed.\n".to_owned(),
        Some(outcome) => {
            let text = ended(&report.plan, outcome, owners(report), unicode);
            match &outcome.result {
                ApplyResult::Applied { .. } | ApplyResult::Waiting { .. } => {
                    text + &behind_text(&report.behind)
                }
                _ => text,
            }
        }
    }
}

/// Names the nodes excluded by `--limit` that would change too.
fn behind_text(behind: &[NodeName]) -> String {
    if behind.is_empty() {
        return String::new();
    }
    let nodes: Vec<&NodeName> = behind.iter().collect();
    let words = format!("{} would change, too: apply without --limit.", and(&nodes));
    labelled(&paint::warn("Left out:"), &words, "          ")
}

fn ended(
    plan: &Plan,
    outcome: &ApplyOutcome,
    owners: &[(IpAddr, NodeName)],
    unicode: bool,
) -> String {
    let took = elapsed(outcome.elapsed);
    let mut nodes: Vec<_> = plan.changing().map(|node| &node.node).collect();
    nodes.sort();
    let nodes = and(&nodes);
    let good = |label: &str, words: String| {
        labelled(&paint::good(label), &words, &" ".repeat(label.len() + 1))
    };
    match &outcome.result {
        ApplyResult::NothingToDo => plan_text(plan, PlanDetail::Nodes),
        // The files from before hactl are restored verbatim, without the daemons' configuration tests.
        ApplyResult::Checked if plan.goal == (Goal::Rollback { to: 0 }) => good(
            "Checked:",
            format!(
                "nothing was changed ({took}). The files that {nodes} had before hactl are not tested beforehand."
            ),
        ),
        ApplyResult::Checked => good(
            "Checked:",
            format!("the daemons accept the files on {nodes}; nothing was changed ({took})."),
        ),
        ApplyResult::Applied { generation: 0 } => good(
            "Done:",
            format!("{nodes} are restored to their state before hactl ({took})."),
        ),
        ApplyResult::Applied { generation } => {
            let restores = match plan.goal {
                Goal::Rollback { to } => format!(", which is generation {to} again,"),
                Goal::Apply => String::new(),
            };
            let owners: Vec<String> = owners
                .iter()
                .map(|(vip, node)| format!(" {vip} is on {node}."))
                .collect();
            let owners = owners.concat();
            good(
                "Done:",
                format!(
                    "generation {generation}{restores} is live on {nodes}, proven and confirmed ({took}).{owners}"
                ),
            )
        }
        ApplyResult::Waiting {
            generation,
            deadline,
        } => {
            let what = match generation {
                0 => "the state before hactl is live".to_owned(),
                number => format!("generation {number} is live"),
            };
            waiting_text(&format!("{what} on {nodes} and proven ({took})"), deadline)
        }
        ApplyResult::Unchanged(failure) => {
            let mut text = failure_text(failure, unicode);
            text.push_str(&state_line(
                "Unchanged:",
                &format!(
                    "the {} step failed before anything live was touched",
                    failure.step.name()
                ),
            ));
            text
        }
        ApplyResult::RolledBack(failure) => {
            let mut text = failure_text(failure, unicode);
            text.push_str(&state_line(
                "Rolled back:",
                &format!(
                    "the {} step failed, and every node was verified to be in its former state",
                    failure.step.name()
                ),
            ));
            text
        }
        ApplyResult::Mixed { failure, problems } => {
            let mut text = failure_text(failure, unicode);
            text.push_str(&labelled(
                &paint::error_label("Manual intervention required:"),
                &format!(
                    "the {} step failed, and {} remained",
                    failure.step.name(),
                    count(problems.len(), "problem")
                ),
                "  ",
            ));
            for problem in problems {
                text.push_str(&labelled("  -", &problem.replace('\n', "\n  "), "    "));
            }
            text.push_str(&labelled(
                &paint::accent("help:"),
                "see the state of every node with `hactl status`; unconfirmed changes roll back when their timers end",
                "      ",
            ));
            text
        }
    }
}

/// What is pending, until when, what happens then, and how to end it sooner.
pub(super) fn waiting_text(what: &str, deadline: &Deadline) -> String {
    let mut text = labelled(
        &paint::warn("Pending confirmation:"),
        &format!("{what}."),
        "  ",
    );
    text.push_str(&labelled(
        "  Each host rolls it back at",
        &format!(
            "{}, unless you decide first, from any machine with this inventory and access:",
            paint::strong(deadline)
        ),
        "  ",
    ));
    text.push_str("    hactl confirm    keeps it\n    hactl cancel     rolls it back now\n");
    text
}

pub(super) fn state_line(label: &str, words: &str) -> String {
    labelled(&paint::strong(label), words, "  ")
}

/// The outcome as JSON.
pub(super) fn outcome_record(report: &ApplyReport) -> ChangeOutcome<'_> {
    let Some(outcome) = &report.outcome else {
        return ChangeOutcome {
            end: ChangeEnd::Declined,
            run: None,
        };
    };
    let end = match &outcome.result {
        ApplyResult::NothingToDo => ChangeEnd::NothingToDo,
        ApplyResult::Checked => ChangeEnd::Checked,
        ApplyResult::Applied { generation } => ChangeEnd::Applied {
            generation: *generation,
        },
        ApplyResult::Waiting {
            generation,
            deadline,
        } => ChangeEnd::Waiting {
            generation: *generation,
            deadline,
        },
        ApplyResult::Unchanged(failure) => ChangeEnd::Unchanged {
            failure: failure_record(failure),
        },
        ApplyResult::RolledBack(failure) => ChangeEnd::RolledBack {
            failure: failure_record(failure),
        },
        ApplyResult::Mixed { failure, problems } => ChangeEnd::Mixed {
            failure: failure_record(failure),
            problems,
        },
    };
    let run = ChangeRun {
        behind: &report.behind,
        tx: outcome.tx.as_deref(),
        elapsed_ms: milliseconds(outcome.elapsed),
    };
    ChangeOutcome {
        end,
        run: Some(run),
    }
}
