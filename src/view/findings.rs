//! Mistakes and broken rules, each under the line of the inventory that it is about.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity as MietteSeverity,
    SourceCode, ThemeCharacters, ThemeStyles,
};

use super::text::WIDTH;
use crate::check::{Finding, Severity};
use crate::inventory::{InventoryErrors, Source};

/// Every mistake, with a line between two.
pub(super) fn inventory_errors_text(errors: &InventoryErrors, unicode: bool) -> String {
    let report = handler(unicode);
    errors
        .errors()
        .iter()
        .map(|error| rendered(&report, error))
        .collect()
}

/// Every finding, the worst last: that is what a terminal still shows.
pub(super) fn findings_text(findings: &[Finding], source: &Source, unicode: bool) -> String {
    let report = handler(unicode);
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.severity());
    sorted
        .into_iter()
        .map(|finding| rendered(&report, &Shown { finding, source }))
        .collect()
}

fn rendered(report: &GraphicalReportHandler, diagnostic: &dyn Diagnostic) -> String {
    let mut text = String::new();
    // Writing to a String does not fail; a span outside of its text would, and the message remains.
    if report.render_report(&mut text, diagnostic).is_err() {
        text = format!("  {diagnostic}\n");
    }
    // miette indents everything by two; here its messages stand beside others that are not.
    let dedented = text
        .lines()
        .map(|line| line.strip_prefix("  ").unwrap_or(line).trim_end());
    let mut text: String = dedented
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    text.push('\n');
    text
}

fn handler(unicode: bool) -> GraphicalReportHandler {
    let characters = if unicode {
        ThemeCharacters::unicode()
    } else {
        ThemeCharacters::ascii()
    };
    let theme = GraphicalTheme {
        characters: ThemeCharacters {
            error: "error:".to_owned(),
            warning: "warning:".to_owned(),
            advice: "note:".to_owned(),
            ..characters
        },
        styles: ThemeStyles::ansi(),
    };
    GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false)
}

/// A finding as miette wants it.
struct Shown<'a> {
    finding: &'a Finding,
    source: &'a Source,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.finding, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.finding.message, self.finding.rule.id)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<MietteSeverity> {
        Some(match self.finding.severity() {
            Severity::Note => MietteSeverity::Advice,
            Severity::Warning => MietteSeverity::Warning,
            Severity::Error => MietteSeverity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.finding.fix))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.source.span(&self.finding.path);
        let label = LabeledSpan::new_primary_with_span(None, span);
        Some(Box::new(std::iter::once(label)))
    }
}
