//! Output of `plan`.

use camino::Utf8Path;
use serde::Serialize;

use super::check::warnings_text;
use super::diff::diffs_text;
use super::drift::{by_words, notice_words};
use super::effect::{displaced_words, service_words, vip_words};
use super::findings::findings_text;
use super::losses::losses_text;
use super::node_plan::nodes_text;
use super::paint;
use super::prediction::expected_text;
use super::problems::problems_text;
use super::recovery::recovery_text;
use super::show::Show;
use super::text::{and, comma, count, labelled, wrap};
use super::ui::Ui;
use crate::ops::{Notice, PlanReport};
use crate::plan::{Goal, NodePlan, Plan, Strategy};
use crate::report::PlanBody;

/// Output of `plan`.
pub struct Planned<'a> {
    pub report: &'a PlanReport,
    /// How much of the plan is shown as text.
    pub detail: PlanDetail,
    /// The plan file, if one was written.
    pub saved: Option<&'a Utf8Path>,
}

impl Show for Planned<'_> {
    fn body(&self) -> impl Serialize {
        let Self { report, saved, .. } = self;
        PlanBody {
            changes: report.changes(),
            refused: report.plan.is_refused(),
            plan: &report.plan,
            vips: report.plan.courses(),
            notices: &report.notices,
            problems: &report.problems,
            recovery: &report.recovery,
            findings: report.warnings(),
            expected: report.expected.as_ref(),
            saved_to: *saved,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        let report = self.report;
        ui.status(&notices_text(&report.notices));
        ui.status(&problems_text(&report.problems));
        ui.status(&recovery_text(&report.recovery));
        ui.status(&warnings_text(&report.loaded.warnings));
        let (findings, source) = (&report.findings, &report.loaded.source);
        ui.status(&findings_text(findings, Some(source), Ui::is_unicode()));
        ui.data(&plan_text(&report.plan, self.detail));
        if !report.plan.is_empty() && leaves_elections_alone(&report.plan) {
            let words = "No file that affects failover changes, so the predicted times stay the same: \
                         see `hactl check`";
            ui.data(&format!("\n{}\n", paint::faint(wrap(words, 0, ""))));
        } else if let (false, Some(expected)) = (report.plan.is_empty(), &report.expected) {
            ui.data(&format!("\n{}", expected_text(expected)));
        }
        if let Some(path) = self.saved {
            ui.status(&format!("Saved. To do exactly this: hactl apply {path}\n"));
        }
    }
}

/// What hosts report about earlier changes.
pub(super) fn notices_text(notices: &[Notice]) -> String {
    let label = paint::warn_label("notice:");
    let texts = by_words(notices.iter().map(notice_words))
        .iter()
        .map(|words| labelled(&label, words, "        "))
        .collect::<Vec<_>>();
    texts.concat()
}

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanDetail {
    /// The summary and the order, if the rest was shown before.
    Summary,
    /// What changes on every node.
    Nodes,
    /// The same, and the diff of every file.
    Diffs,
}

pub(super) fn plan_text(plan: &Plan, detail: PlanDetail) -> String {
    let mut text = String::new();
    if detail >= PlanDetail::Diffs {
        text.push_str(&diffs_text(plan));
    }
    if detail >= PlanDetail::Nodes {
        text.push_str(&nodes_text(plan));
    }
    text.push_str(&summary(plan));
    text
}

/// True when only nginx's own files change. No election depends on those.
fn leaves_elections_alone(plan: &Plan) -> bool {
    let is_first = plan.nodes.iter().any(|node| node.generation.is_none());
    let mut files = plan.nodes.iter().flat_map(NodePlan::files);
    !is_first && files.all(|file| file.path.as_str().starts_with("/etc/nginx/"))
}

fn summary(plan: &Plan) -> String {
    let changing: Vec<&NodePlan> = plan.changing().collect();
    if changing.is_empty() {
        return nothing_to_change(plan);
    }
    if plan.is_refused() {
        let mut refusing: Vec<_> = plan
            .nodes
            .iter()
            .filter(|node| node.failed_tests().next().is_some())
            .map(|node| &node.node)
            .collect();
        refusing.sort();
        let words = format!(
            "the daemons on {} refuse these files, so apply would stop before it changes anything",
            and(&refusing)
        );
        return labelled(
            &paint::error_label("Plan refused:"),
            &words,
            "              ",
        );
    }
    let number = changing.len();
    let subject = format!(
        "{number} of {} {}",
        count(plan.nodes.len(), "node"),
        if number == 1 { "changes" } else { "change" }
    );
    let goal = match plan.goal {
        Goal::Apply => format!("generation {}", plan.generation),
        Goal::Rollback { to: 0 } => "back to the hosts as they were before hactl".to_owned(),
        Goal::Rollback { to } => {
            format!("back to generation {to}, as generation {}", plan.generation)
        }
    };
    let sentences = [
        format!("{subject}: {goal}."),
        format!("{}.", service_words(&changing)),
        vip_words(plan),
        displaced_words(plan),
    ];
    let words: Vec<String> = sentences
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect();
    let mut text = labelled(&paint::strong("Plan:"), &words.join(" "), "       ");
    let order = order(plan, &changing);
    if !order.is_empty() {
        text.push_str(&labelled(&paint::strong("Order:"), &order, "       "));
    }
    text.push_str(&losses_text(&plan.losses));
    text
}

/// The order of the nodes, or why all change at once.
fn order(plan: &Plan, changing: &[&NodePlan]) -> String {
    if changing.len() == 1 {
        return String::new();
    }
    if let Strategy::AtOnce { reason, .. } = &plan.strategy {
        return format!("all at once, since {reason}");
    }
    let names: Vec<_> = changing.iter().map(|node| node.node.to_string()).collect();
    let sequence = names.join(", then ");
    match changing.last().filter(|node| !node.holds.is_empty()) {
        Some(last) => format!("{sequence}, which holds {}", comma(&last.holds)),
        None => sequence,
    }
}

fn nothing_to_change(plan: &Plan) -> String {
    let live = plan.nodes.iter().filter_map(|node| node.generation).max();
    let generation = live.map_or(String::new(), |live| format!(" (generation {live})"));
    let goal = match plan.goal {
        Goal::Apply => "the inventory says".to_owned(),
        Goal::Rollback { to: 0 } => "they were before hactl".to_owned(),
        Goal::Rollback { to } => format!("in generation {to}"),
    };
    let nodes = count(plan.nodes.len(), "node");
    let verb = if plan.nodes.len() == 1 { "is" } else { "are" };
    format!(
        "{} {}: {nodes} {verb} as {goal}{generation}.\n",
        paint::strong(&plan.cluster),
        paint::good("has nothing to change"),
    )
}
