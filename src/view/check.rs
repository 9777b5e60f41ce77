//! What check found.

use super::complaint::findings_json;
use super::document::Document;
use super::findings::findings_text;
use super::paint;
use super::prediction::expected_text;
use super::text::{count, wrap};
use super::ui::Ui;
use crate::check::{Finding, Severity};
use crate::ops::CheckReport;

impl Ui {
    /// Shows what `check` found.
    pub fn show_check(&self, report: &CheckReport) {
        if self.is_json() {
            let findings = findings_json(&report.findings, &report.inventory.source);
            let document = Document::new("check")
                .with("file", report.inventory.source.name())
                .with("findings", &findings)
                .with("leaves_profile_open", &report.leaves_profile_open)
                .with("expected", &report.expected);
            self.document(&document);
        } else {
            self.data(&check_text(report, Self::is_unicode()));
        }
    }
}

/// Every finding, what faults would cost, then the sum.
pub(super) fn check_text(report: &CheckReport, unicode: bool) -> String {
    let source = &report.inventory.source;
    let mut expected = expected_text(&report.expected);
    if !expected.is_empty() && report.leaves_profile_open {
        let note = "That is `failover: fast`. `plan` and `apply` look at the hosts, and choose `standard` \
                    where a keepalived is older than 2.2.3.";
        expected.push_str(&paint::faint(wrap(note, 0, "")));
        expected.push('\n');
    }
    if !expected.is_empty() {
        expected.push('\n');
    }
    format!(
        "{}{expected}{}: {}\n",
        findings_text(&report.findings, source, unicode),
        paint::strong(source.name()),
        sum(&report.findings)
    )
}

/// That there are warnings, for verbs that are not about them.
pub(super) fn warnings_text(findings: &[Finding]) -> String {
    let is_one = |finding: &&Finding| finding.severity() == Severity::Warning;
    match findings.iter().filter(is_one).count() {
        0 => String::new(),
        number => format!(
            "{} {} about the inventory; to see them: hactl check\n",
            paint::warn_label("warning:"),
            count(number, "warning")
        ),
    }
}

fn sum(findings: &[Finding]) -> String {
    let of = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity() == severity)
            .count()
    };
    let mut parts = Vec::new();
    for (severity, word) in [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ] {
        if of(severity) > 0 {
            parts.push(count(of(severity), word));
        }
    }
    if parts.is_empty() {
        return paint::good("valid, and no rule is broken");
    }
    parts.join(", ")
}
