//! Drills as Markdown tables, with one row per drill and one column per set of runs.

use std::fmt::Write as _;

use crate::drill::{DRILLS, DrillReport, DrillStats, Verdict};

use super::words;

/// `sets` are named sets of runs. Each may come from several reports, one per drill.
pub fn tables(sets: &[(String, Vec<DrillReport>)]) -> String {
    if sets.iter().all(|(_, reports)| reports.is_empty()) {
        return "No runs are committed yet.\n".to_owned();
    }
    let all: Vec<(&str, Vec<DrillStats>)> = sets
        .iter()
        .map(|(name, reports)| {
            (
                name.as_str(),
                reports.iter().flat_map(DrillStats::of).collect(),
            )
        })
        .collect();
    let mut text = String::from("How long users were cut off: median, worst (runs).\n\n");
    text.push_str(&table(&all, |stats| {
        format!(
            "{}, {} ({})",
            words::outage(stats.outage_ms.median),
            words::outage(stats.outage_ms.worst),
            stats.runs
        )
    }));
    text.push_str(
        "\nRequests lost in a run: median, worst; and the number of runs without a loss.\n\n",
    );
    text.push_str(&table(&all, |stats| {
        format!(
            "{}, {}; {} of {}",
            words::number(stats.lost.median),
            words::number(stats.lost.worst),
            stats.clean,
            stats.runs
        )
    }));
    text.push_str("\nPredicted outage, and whether the runs matched it.\n\n");
    text.push_str(&table(&all, |stats| {
        words::predicted(stats).unwrap_or_else(|| "nothing".to_owned())
    }));
    text.push_str("\nRuns that did not recover, and violations of what must hold.\n\n");
    text.push_str(&table(&all, |stats| match stats.verdict {
        Verdict::Passed => "none".to_owned(),
        Verdict::NotRecovered => format!("{} not recovered", stats.runs - stats.recovered),
        Verdict::Violated => format!("{} violations", stats.violations),
        Verdict::OverBudget => "over budget".to_owned(),
    }));
    text
}

fn table(all: &[(&str, Vec<DrillStats>)], cell: impl Fn(&DrillStats) -> String) -> String {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let mut text = format!("| drill | {} |\n|---|", names.join(" | "));
    text.push_str(&"---|".repeat(names.len()));
    text.push('\n');
    for spec in DRILLS {
        let of = |stats: &[DrillStats]| stats.iter().find(|one| one.drill == spec.drill).map(&cell);
        let cells: Vec<Option<String>> = all.iter().map(|(_, stats)| of(stats)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} |", spec.name, cells.join(" | "));
    }
    text
}
