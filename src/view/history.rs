//! Output of `history`.

use serde::Serialize;

use super::paint;
use super::show::Show;
use super::text::{columns, comma};
use super::ui::Ui;
use crate::ops::{HistoryEntry, HistoryReport};

impl Show for HistoryReport {
    fn body(&self) -> impl Serialize {
        self
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&history_text(self));
    }
}

/// A row per generation, the newest first.
pub(super) fn history_text(report: &HistoryReport) -> String {
    if report.entries.is_empty() {
        return format!("{}: hactl has applied nothing yet.\n", report.cluster);
    }
    let mut rows = vec![
        ["", "GEN", "WHEN (UTC)", "WHO", "COMMIT", "NODES", ""]
            .map(paint::faint)
            .to_vec(),
    ];
    rows.extend(report.entries.iter().map(row));
    columns(&rows)
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let is_live = entry.nodes.iter().any(|node| node.live);
    let nodes: Vec<_> = entry.nodes.iter().map(|node| &node.node).collect();
    let number = entry.generation.to_string();
    let or_dash = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    let (at, by) = if entry.generation == 0 {
        // Generation 0 predates hactl, so its time and author are unknown.
        (String::new(), "(before hactl)".to_owned())
    } else {
        (minutes(&entry.at), entry.by.clone())
    };
    vec![
        if is_live {
            paint::good("*")
        } else {
            " ".to_owned()
        },
        if is_live {
            paint::strong(number)
        } else {
            number
        },
        or_dash(at),
        or_dash(by),
        or_dash(entry.commit.clone()),
        comma(&nodes),
        entry
            .restores
            .map(|restored| paint::faint(format!("as {restored}")))
            .unwrap_or_default(),
    ]
}

/// `2026-11-22T16:50:00Z` as `2026-11-22 16:50`.
fn minutes(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}
