//! Output of `status`.

use serde::Serialize;

use super::drift::{by_words, drift_words, notice_words};
use super::error_report::ErrorReport;
use super::findings::findings_text;
use super::paint;
use super::show::Show;
use super::text::{and, columns, count, lines, wrap};
use super::ui::Ui;
use crate::agent::{InstanceState, Service};
use crate::health::{Problem, VipOwners};
use crate::model::NodeName;
use crate::ops::{NodeStatus, Refusal, StatusReport};
use crate::report::StatusBody;
use crate::units;

impl Show for StatusReport {
    fn body(&self) -> impl Serialize {
        StatusBody {
            healthy: self.is_healthy(),
            report: self,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&status_text(self));
        ui.raw_error(&refusals_text(self));
    }
}

/// A row per node, the VIPs, and everything that is wrong.
pub(super) fn status_text(report: &StatusReport) -> String {
    let titles = ["NODE", "VIP", "VRRP"].map(str::to_owned).into_iter();
    let titles = titles
        .chain(units::ids().map(|unit| unit.name().to_uppercase()))
        .chain(["GEN", "BACKENDS"].map(str::to_owned));
    let mut rows = vec![titles.map(paint::faint).collect::<Vec<_>>()];
    let place = |node: &NodeName| report.order.iter().position(|own| own == node);
    let known = report
        .nodes
        .iter()
        .map(|node| (place(&node.node), rows_of(node)));
    let unknown =
        |node: &NodeName| vec![paint::strong(node), "?".to_owned(), paint::bad("unknown")];
    let silent = report.unreachable.iter();
    let silent = silent.map(|one| (place(&one.node), vec![unknown(&one.node)]));
    let mut blocks: Vec<_> = known.chain(silent).collect();
    blocks.sort_by_key(|(place, _)| *place);
    rows.extend(blocks.into_iter().flat_map(|(_, rows)| rows));
    // A finding about a VIP already names its owners and the fix.
    let is_told = |vip: &&VipOwners| {
        let mut about = report.findings.iter().map(|finding| finding.vip);
        vip.sole().is_none() && about.any(|about| about == Some(vip.address))
    };
    let vips = report.vips.iter().filter(|vip| !is_told(vip)).map(vip_line);
    format!(
        "{}\n{}{}{}",
        columns(&rows),
        lines(vips),
        lines(
            troubles(report)
                .iter()
                .map(|trouble| wrap(trouble, 0, "  "))
        ),
        findings_text(&report.findings, None, Ui::is_unicode())
    )
}

/// The errors with which `apply` would refuse to run.
pub(super) fn refusals_text(report: &StatusReport) -> String {
    let one =
        |refusal: Refusal| ErrorReport::new(refusal.message).help(refusal.help.unwrap_or_default());
    let complaints: Vec<ErrorReport> = report.refusals().into_iter().map(one).collect();
    let texts = complaints.iter().map(|one| one.text(Ui::is_unicode()));
    texts.collect()
}

/// A node's row, and one more for each further VRRP instance.
fn rows_of(node: &NodeStatus) -> Vec<Vec<String>> {
    let is_only = node.vrrp.len() == 1;
    let mut instances = node.vrrp.iter().map(|vrrp| {
        let name = if is_only {
            String::new()
        } else {
            format!("{} ", vrrp.instance)
        };
        let state = match vrrp.state {
            InstanceState::Master => paint::good(&vrrp.state),
            InstanceState::Backup => vrrp.state.to_string(),
            _ => paint::bad(&vrrp.state),
        };
        format!("{name}{state} {}", vrrp.effective_priority)
    });
    let up = node.backends.iter().filter(|backend| backend.up).count();
    let backends = format!("{up}/{}", node.backends.len());
    let generation = node.generation.map(|number| number.to_string());
    let dash = || "-".to_owned();
    let mut first = vec![
        paint::strong(&node.node),
        match node.holds.as_slice() {
            [] => dash(),
            [only] => paint::good(only),
            several => paint::good(count(several.len(), "VIP")),
        },
        instances.next().unwrap_or_else(dash),
    ];
    let units = units::ids().filter_map(|unit| node.units.get(&unit));
    first.extend(units.map(|unit| service_word(&unit.service)));
    first.push(generation.unwrap_or_else(dash));
    first.push(if up == node.backends.len() {
        backends
    } else {
        paint::bad(backends)
    });
    let mut rows = vec![first];
    rows.extend(instances.map(|instance| vec![String::new(), String::new(), instance]));
    rows
}

fn service_word(service: &Service) -> String {
    if service.is_active() {
        paint::good("up")
    } else if service.active.is_empty() || service.load == "not-found" {
        paint::bad("missing")
    } else {
        paint::bad(&service.active)
    }
}

fn vip_line(vip: &VipOwners) -> String {
    let address = vip.address;
    match vip.owners.as_slice() {
        [owner] => format!("{address} is on {}", paint::good(owner)),
        [] => paint::bad(format!("{address} is on no node")),
        several => paint::bad(format!("{address} is on {} at the same time", and(several))),
    }
}

/// Everything that is wrong, with what several nodes share merged.
fn troubles(report: &StatusReport) -> Vec<String> {
    let notices = report.notices.iter().map(notice_words);
    let mut said: Vec<(&NodeName, String)> = notices
        .map(|(node, words)| (node, paint::warn(words)))
        .collect();
    for node in &report.unreachable {
        // The sentence starts with the node's name, which the line adds anyway.
        let why = node
            .why
            .trim_start_matches(node.node.as_str())
            .trim_start_matches(": ");
        said.push((&node.node, paint::bad(format!("nothing is known: {why}"))));
    }
    for problem in &report.problems {
        // Daemons are in the table, and owners below it.
        if let (Some(node), false) = (
            problem.node(),
            matches!(problem, Problem::DaemonDown { .. }),
        ) {
            let words = problem.to_string();
            let words = words.strip_prefix(node.as_str()).unwrap_or(&words);
            said.push((node, paint::bad(words.trim_start_matches(": "))));
        }
    }
    let here = report
        .problems
        .iter()
        .filter(|problem| problem.node().is_none());
    let here = here.map(paint::bad);
    let doubtful = report.from_here.iter().map(paint::warn);
    for node in &report.nodes {
        let mut say = |words: String| said.push((&node.node, words));
        for drift in &node.drift {
            say(paint::warn(drift_words(drift)));
        }
        if node.overloaded {
            say(paint::warn(
                "nginx is overloaded and serves what it can: see `journalctl -t check_nginx` on the node",
            ));
        }
        for path in &node.changed_by_hand {
            say(paint::warn(format!("{path} was changed by hand")));
        }
        if !node.pending.is_empty() {
            let files = count(node.pending.len(), "file");
            say(format!(
                "{files} would change with the next apply: see `hactl plan`"
            ));
        }
    }
    let mut troubles = by_words(said);
    troubles.extend(here.chain(doubtful));
    troubles
}
