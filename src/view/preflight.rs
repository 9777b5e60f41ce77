//! Output of `preflight`.

use std::time::Duration;

use serde::Serialize;

use super::check::sum;
use super::error_report::ErrorReport;
use super::findings::{findings_text, told_once};
use super::paint;
use super::show::Show;
use super::text::{columns, count, elapsed};
use super::ui::Ui;
use crate::agent::Program;
use crate::check::Severity;
use crate::model::{NodeName, Peering, UnitId};
use crate::ops::{AdvertReport, AdvertWay, Arrived, HostFitness, PreflightReport};
use crate::report::PreflightBody;
use crate::units;

impl Show for PreflightReport {
    fn body(&self) -> impl Serialize {
        PreflightBody {
            fit: self.is_fit(Severity::Warning),
            report: self,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&preflight_text(self));
    }
}

impl Ui {
    /// Says what takes the next seconds.
    pub fn preflight_begins(&self, measure: Duration) {
        self.status(&format!(
            "The nodes send test adverts to each other for {}.\n\n",
            elapsed(measure)
        ));
    }
}

/// A row per host, the adverts between them, everything that is wrong, and the verdict.
pub(super) fn preflight_text(report: &PreflightReport) -> String {
    let titles = ["NODE", "SYSTEM"].map(str::to_owned).into_iter();
    let titles = titles
        .chain(units::ids().map(|unit| unit.name().to_uppercase()))
        .chain(["FREE", "CLOCK", "GEN"].map(str::to_owned));
    let mut rows = vec![titles.map(paint::faint).collect::<Vec<_>>()];
    rows.extend(report.nodes.iter().map(row));
    let silent = report.unreachable.iter();
    rows.extend(silent.map(|host| vec![paint::strong(&host.node), paint::bad("unknown")]));
    let refusals = report.refusals.iter().map(|refusal| {
        let help = refusal.help.clone().unwrap_or_default();
        ErrorReport::new(&refusal.message).help(help)
    });
    let unknown = report
        .unreachable
        .iter()
        .map(|host| ErrorReport::new(&host.why).help(&host.help));
    let errors: String = refusals
        .chain(unknown)
        .map(|error| error.text(Ui::is_unicode()) + "\n")
        .collect();
    format!(
        "{}{}\n{}{errors}{}: {}\n",
        columns(&rows),
        adverts_text(&report.adverts),
        findings_text(&report.findings, None, Ui::is_unicode()),
        paint::strong(&report.cluster),
        verdict(report)
    )
}

fn row(host: &HostFitness) -> Vec<String> {
    let dash = || "-".to_owned();
    let program = |unit: UnitId| match host.programs.get(&unit) {
        Some(Program::Installed { version }) => version.to_string(),
        Some(Program::Missing {
            candidate: Some(version),
        }) => format!("({version})"),
        _ => dash(),
    };
    let mut row = vec![paint::strong(&host.node), host.system.clone()];
    row.extend(units::ids().map(program));
    row.push(host.free_kib.map_or_else(dash, size));
    row.push(host.clock_ahead.map_or_else(dash, |ahead| {
        // Below that, the time that the question takes decides.
        if ahead.abs() < 0.01 {
            "ok".to_owned()
        } else {
            format!("{ahead:+.2} s")
        }
    }));
    row.push(
        host.generation
            .map_or_else(|| "new".to_owned(), |number| number.to_string()),
    );
    row
}

fn size(kib: u64) -> String {
    match kib {
        0..2048 => format!("{kib} KiB"),
        2048..2_097_152 => format!("{} MiB", kib / 1024),
        _ => format!("{} GiB", kib / 1024 / 1024),
    }
}

/// A table of who hears whom. Empty if there are no two nodes.
fn adverts_text(adverts: &AdvertReport) -> String {
    if adverts.ways.is_empty() {
        return String::new();
    }
    let by = match adverts.by {
        Peering::Unicast => "unicast",
        Peering::Multicast => "multicast",
    };
    let mut nodes: Vec<&NodeName> = Vec::new();
    for way in &adverts.ways {
        if !nodes.contains(&&way.from) {
            nodes.push(&way.from);
        }
    }
    let titles =
        std::iter::once("FROM".to_owned()).chain(nodes.iter().map(|to| format!("TO {to}")));
    let mut rows = vec![titles.map(paint::faint).collect::<Vec<_>>()];
    for from in &nodes {
        let cells = nodes.iter().map(|to| {
            let mut ways = adverts.ways.iter();
            let way = ways.find(|way| way.from == **from && way.to == **to);
            way.map_or_else(|| "-".to_owned(), cell)
        });
        rows.push(std::iter::once(paint::strong(from)).chain(cells).collect());
    }
    format!(
        "\nAdverts by {by}, one every {} ms: packets lost, and the longest silence.\n{}",
        adverts.interval_ms,
        columns(&rows)
    )
}

fn cell(way: &AdvertWay) -> String {
    match way.arrived {
        None => paint::bad("none arrive"),
        Some(Arrived {
            received,
            of,
            silence_ms,
        }) => {
            let lost = of.saturating_sub(received);
            let text = format!("{}, {silence_ms} ms", percent(lost, of));
            if lost == 0 {
                paint::good(text)
            } else {
                paint::warn(text)
            }
        }
    }
}

/// One digit after the point, unless it is a whole number.
fn percent(part: u64, of: u64) -> String {
    // Rounded up, so that a loss is never none.
    let tenths = (u128::from(part) * 1000).div_ceil(u128::from(of.max(1)));
    match tenths % 10 {
        0 => format!("{}%", tenths / 10),
        digit => format!("{}.{digit}%", tenths / 10),
    }
}

fn verdict(report: &PreflightReport) -> String {
    let mut parts = Vec::new();
    if !report.findings.is_empty() {
        parts.push(sum(&told_once(&report.findings)));
    }
    if !report.refusals.is_empty() {
        parts.push(count(report.refusals.len(), "other obstacle"));
    }
    if !report.unreachable.is_empty() {
        let hosts = count(report.unreachable.len(), "node");
        parts.push(format!("{hosts} not inspected"));
    }
    let fit = report.is_fit(Severity::Warning);
    let word = if fit {
        paint::good("fit")
    } else {
        paint::bad("not fit")
    };
    if parts.is_empty() {
        return word;
    }
    format!("{word} ({})", parts.join(", "))
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
