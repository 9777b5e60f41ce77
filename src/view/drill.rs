//! A drill: what it will do, and what users saw of it.

use std::time::Duration;

use serde_json::json;

use super::complaint::labelled;
use super::document::Document;
use super::paint;
use super::text::{count, elapsed, wrap};
use super::ui::Ui;
use crate::drill::Drill;
use crate::model::NodeName;
use crate::ops::FailoverReport;

impl Ui {
    /// Says what will be done before it is done.
    pub fn announce_drill(&self, drill: Drill, node: &NodeName) {
        let spec = drill.spec();
        let words = format!(
            "{}, which is {}; {}",
            spec.does,
            paint::strong(node),
            spec.heals
        );
        let label = paint::strong(format!("{}:", spec.name));
        self.status(&labelled(&label, &words, "  "));
    }

    /// Asks whether to do it.
    pub fn ask_drill(&self, drill: Drill, node: &NodeName, is_stopped: &dyn Fn() -> bool) -> bool {
        let what = paint::strong(format!("Do {} to {node}?", drill.spec().name));
        self.ask(&format!("{what} [y/N] "), is_stopped)
    }

    /// Shows what users saw.
    pub fn show_drill(
        &self,
        report: Option<&FailoverReport>,
        budget: Option<Duration>,
        exit_code: u8,
    ) {
        if self.is_json() {
            let document = Document::new("failover-test").with("exit_code", &exit_code);
            self.document(&match report {
                None => document.with("result", "declined"),
                Some(report) => document.with_fields(&drill_json(report, budget)),
            });
        } else {
            self.data(&report.map_or_else(
                || "Nothing was done.\n".to_owned(),
                |report| drill_text(report, budget),
            ));
        }
    }
}

/// Where the VIP went, and what users saw meanwhile.
pub(super) fn drill_text(report: &FailoverReport, budget: Option<Duration>) -> String {
    let (vip, from) = (report.vip, &report.from);
    let way = match (&report.to, &report.after) {
        (None, _) => format!("{vip} stayed on {from}"),
        (Some(to), Some(after)) if after == to => format!("{vip} moved from {from} to {to}"),
        (Some(to), Some(after)) if after == from => {
            format!("{vip} moved from {from} to {to}, and back when {from} was healthy again")
        }
        (Some(to), Some(after)) => format!("{vip} moved from {from} to {to}, then to {after}"),
        (Some(to), None) => format!("{vip} moved from {from} to {to}; now it has no owner"),
    };
    let seen = &report.measurement;
    let requests = count(seen.probes, "request");
    let loss = match seen.outage() {
        None => paint::good(format!("None of {requests} was lost")),
        Some(outage) => format!(
            "{} of {requests} lost: users were cut off {}",
            seen.lost(),
            cut_off(seen.gaps.len(), outage)
        ),
    };
    let verdict = match (seen.recovered, seen.outage(), budget) {
        (false, ..) => paint::bad("The service has not come back: hactl status\n"),
        (true, outage, Some(budget)) => {
            if outage.unwrap_or_default() > budget {
                paint::bad(format!("Over the budget of {}\n", elapsed(budget)))
            } else {
                paint::good(format!("Within the budget of {}\n", elapsed(budget)))
            }
        }
        (true, _, None) => String::new(),
    };
    let loss = format!("{loss} (slowest answer {}).", elapsed(seen.slowest));
    format!(
        "{}\n{}\n{verdict}",
        wrap(&format!("{way}."), 0, ""),
        wrap(&loss, 0, "")
    )
}

/// When the VIP comes back, requests under way on its interim owner may be lost, too: a second gap,
/// which is not to be added to the first.
fn cut_off(gaps: usize, longest: Duration) -> String {
    let longest = paint::strong(elapsed(longest));
    match gaps {
        1 => format!("for {longest}"),
        2 => format!("twice, for {longest} at most"),
        gaps => format!("{gaps} times, for {longest} at most"),
    }
}

fn drill_json(report: &FailoverReport, budget: Option<Duration>) -> serde_json::Value {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let seen = &report.measurement;
    json!({
        "drill": report.drill,
        "vip": report.vip,
        "from": report.from,
        "to": report.to,
        "after": report.after,
        "requests": seen.probes,
        "lost": seen.lost(),
        "outage_ms": seen.outage().map(milliseconds),
        "gaps": seen.gaps.iter().map(|gap| json!({
            "at_ms": milliseconds(gap.at),
            "length_ms": milliseconds(gap.length),
            "lost": gap.lost,
        })).collect::<Vec<_>>(),
        "slowest_ms": milliseconds(seen.slowest),
        "recovered": seen.recovered,
        "budget_ms": budget.map(milliseconds),
    })
}
