//! Output of `check`.

use serde::Serialize;

use super::error_report::placed;
use super::findings::findings_text;
use super::paint;
use super::prediction::expected_text;
use super::show::Show;
use super::text::{count, wrap};
use super::ui::Ui;
use crate::check::{Finding, Severity};
use crate::ops::CheckReport;
use crate::report::CheckBody;

impl Show for CheckReport {
    fn body(&self) -> impl Serialize {
        CheckBody {
            file: self.inventory.source.name(),
            findings: placed(&self.findings, &self.inventory.source),
            leaves_profile_open: self.leaves_profile_open,
            expected: &self.expected,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&check_text(self, Ui::is_unicode()));
    }
}

/// All findings, the predicted outages, then the totals.
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
        findings_text(&report.findings, Some(source), unicode),
        paint::strong(source.name()),
        sum(&report.findings)
    )
}

/// One line that counts the warnings, for verbs other than `check`.
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

pub(super) fn sum(findings: &[Finding]) -> String {
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
