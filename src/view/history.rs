//! The cluster's generations.

use super::document::Document;
use super::paint;
use super::text::{columns, comma};
use super::ui::Ui;
use crate::ops::{HistoryEntry, HistoryReport};

impl Ui {
    /// Shows what `history` found.
    pub fn show_history(&self, report: &HistoryReport) {
        if self.is_json() {
            self.document(&Document::new("history").with_fields(report));
        } else {
            self.data(&history_text(report));
        }
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
    let or_dash = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
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
        or_dash(entry.at.replace('T', " ").trim_end_matches('Z')),
        or_dash(&entry.by),
        or_dash(&entry.commit),
        comma(&nodes),
        note(entry),
    ]
}

fn note(entry: &HistoryEntry) -> String {
    match (entry.generation, entry.restores) {
        (0, _) => paint::faint("before hactl"),
        (_, Some(restored)) => paint::faint(format!("= {restored}")),
        _ => String::new(),
    }
}
