//! Output of `lock show` and `lock break`.

use serde::Serialize;

use super::error_report::{ErrorReport, merged};
use super::paint;
use super::show::Show;
use super::text::{and, columns, labelled, lines, wrap};
use super::ui::Ui;
use crate::agent::{Deadline, Journal, Phase};
use crate::ops::{LockReport, NodeLock};
use crate::report::LocksBody;

/// Output of `lock show`.
#[derive(Debug)]
pub struct Locks<'a>(pub &'a LockReport);

impl Show for Locks<'_> {
    fn body(&self) -> impl Serialize {
        LocksBody {
            report: self.0,
            errors: None,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&locks_text(self.0));
    }
}

/// Output of `lock break`.
#[derive(Debug)]
pub struct BrokenLocks<'a>(pub &'a LockReport);

impl Show for BrokenLocks<'_> {
    fn body(&self) -> impl Serialize {
        LocksBody {
            report: self.0,
            errors: Some(self.0.errors.iter().map(ToString::to_string).collect()),
        }
    }

    fn print(&self, ui: &Ui, exit_code: u8) {
        ui.end(&broken_text(self.0, Ui::is_unicode()), exit_code);
    }
}

impl Ui {
    /// Prints the locks that would be broken.
    pub fn show_locks_to_break(&self, report: &LockReport) {
        self.status(&locks_text(report));
        self.status("\n");
    }

    pub fn agree_to_break(&self, report: &LockReport, is_stopped: &dyn Fn() -> bool) -> bool {
        self.ask(&break_question(report), is_stopped)
    }
}

pub(super) fn break_question(report: &LockReport) -> String {
    let locked: Vec<_> = locked(report).map(|node| &node.node).collect();
    let under_way = locked_changes(report);
    let mut text = String::new();
    if under_way {
        text.push_str(&wrap(
            "A change is in progress. Without its lock, others can change these nodes. Unless it is \
             confirmed, each host still rolls it back when its timer ends.",
            0,
            "",
        ));
        text.push('\n');
    }
    text.push_str(&paint::strong(format!(
        "Break the lock of {}?",
        and(&locked)
    )));
    text.push_str(" [y/N] ");
    text
}

fn locked(report: &LockReport) -> impl Iterator<Item = &NodeLock> {
    report.nodes.iter().filter(|node| node.lock.is_some())
}

fn locked_changes(report: &LockReport) -> bool {
    locked(report).any(|node| node.journal.is_some())
}

/// A row per node.
pub(super) fn locks_text(report: &LockReport) -> String {
    let titles = ["NODE", "HOLDER", "PID", "SINCE (UTC)", "FREE AT", "CHANGE"];
    let mut rows = vec![titles.map(paint::faint).to_vec()];
    rows.extend(report.nodes.iter().map(row));
    let mut said: Vec<String> = report
        .unreachable
        .iter()
        .map(|node| {
            let why = node
                .why
                .trim_start_matches(&format!("{}: ", node.node))
                .to_owned();
            format!("{}: {}", node.node, paint::bad(why))
        })
        .collect();
    let dead: Vec<_> = report
        .nodes
        .iter()
        .filter(|node| node.is_holder_dead)
        .map(|node| &node.node)
        .collect();
    if !dead.is_empty() {
        said.push(format!(
            "{}: the holder ran on this machine and is gone; the next `hactl apply` here frees the lock",
            and(&dead)
        ));
    }
    for deadline in undone(report) {
        said.push(format!(
            "The hosts roll the change back at {deadline}, unless it is confirmed"
        ));
    }
    format!(
        "{}{}",
        columns(&rows),
        lines(said.iter().map(|line| wrap(line, 0, "  ")))
    )
}

/// The distinct rollback deadlines.
fn undone(report: &LockReport) -> Vec<&Deadline> {
    let mut found: Vec<&Deadline> = Vec::new();
    let journals = report.nodes.iter().filter_map(|node| node.journal.as_ref());
    for deadline in journals.filter_map(|journal| journal.deadline.as_ref()) {
        if !found.iter().any(|known| known.local == deadline.local) {
            found.push(deadline);
        }
    }
    found
}

fn row(node: &NodeLock) -> Vec<String> {
    let dash = || "-".to_owned();
    let change = node.journal.as_ref().map_or_else(dash, change_words);
    let mut row = vec![paint::strong(&node.node)];
    match &node.lock {
        None => row.extend([paint::faint("free"), dash(), dash(), dash()]),
        Some(lock) => {
            let since = lock
                .since
                .get(..16)
                .unwrap_or(&lock.since)
                .replace('T', " ");
            let pid = match (lock.pid.as_str(), node.is_holder_dead) {
                ("", _) => "none".to_owned(),
                (pid, true) => paint::bad(format!("{pid} (gone)")),
                (pid, false) => pid.to_owned(),
            };
            let free = match &lock.deadline {
                _ if lock.stale => paint::warn("stale"),
                Some(deadline) => deadline.to_string(),
                None => dash(),
            };
            row.extend([lock.holder.clone(), pid, since, free]);
        }
    }
    row.push(change);
    row
}

fn change_words(journal: &Journal) -> String {
    match journal.phase {
        Phase::Offered => paint::warn("to be confirmed"),
        phase => paint::warn(phase),
    }
}

/// Which locks were broken, and why others could not be.
pub(super) fn broken_text(report: &LockReport, unicode: bool) -> String {
    if locked(report).next().is_none() {
        return "No node is locked.\n".to_owned();
    }
    let mut text = String::new();
    for error in merged(report.errors.iter().map(ErrorReport::of_agent).collect()) {
        text.push_str(&error.text(unicode));
    }
    if report.broken.is_empty() {
        text.push_str("No lock was broken.\n");
        return text;
    }
    let what = if locked_changes(report) {
        "each host still rolls the change in progress back, unless it is confirmed"
    } else {
        "no change was in progress, and nothing live was touched"
    };
    text.push_str(&labelled(
        &paint::good("Done:"),
        &format!("the lock is broken on {}; {what}.", and(&report.broken)),
        "      ",
    ));
    text
}
