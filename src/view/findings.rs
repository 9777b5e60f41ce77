//! Inventory errors and findings, each with the line of the inventory that it is about.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity as MietteSeverity,
    SourceCode, ThemeCharacters, ThemeStyles,
};

use super::paint;
use super::text::{and, labelled, lines, width};
use crate::check::{Finding, Rule, Severity};
use crate::inventory::{InventoryError, InventoryErrors, Source};
use crate::model::NodeName;

/// Wide enough that miette never wraps the quoted lines, which are all it draws here.
const QUOTE_WIDTH: usize = 1000;

/// Every error, separated by blank lines.
pub(super) fn inventory_errors_text(errors: &InventoryErrors, unicode: bool) -> String {
    let quotes = handler(unicode);
    let one = |error: &InventoryError| {
        let label = paint::error_label("error:");
        let quote = quote(&quotes, error);
        block(&label, error.message(), &quote, error.advice())
    };
    errors.errors().iter().map(one).collect()
}

/// Every finding, the most severe last, where it stays visible on a terminal. Without a source, no line of the
/// inventory is quoted, and what several nodes share is told once.
pub(super) fn findings_text(
    findings: &[Finding],
    source: Option<&Source>,
    unicode: bool,
) -> String {
    let quotes = handler(unicode);
    let merged = told_once(findings);
    let all = if source.is_some() { findings } else { &merged };
    let mut sorted: Vec<&Finding> = all.iter().collect();
    sorted.sort_by_key(|finding| finding.severity());
    let one = |finding: &Finding| {
        let label = match finding.severity() {
            Severity::Note => paint::accent("note:"),
            Severity::Warning => paint::warn_label("warning:"),
            Severity::Error => paint::error_label("error:"),
        };
        let message = with_rule(finding.message.clone(), Some(finding.rule));
        let quote = source.map(|source| quote(&quotes, &Shown { finding, source }));
        let quote = quote.unwrap_or_default();
        block(&label, &message, &quote, Some(&finding.fix))
    };
    sorted.into_iter().map(one).collect()
}

/// The findings, with those that differ by their node alone made one.
pub(super) fn told_once(findings: &[Finding]) -> Vec<Finding> {
    let mut merged: Vec<(Vec<&NodeName>, &str, &Finding)> = Vec::new();
    for finding in findings {
        let own = finding.node.as_ref().and_then(|node| {
            let rest = finding.message.strip_prefix(node.as_str())?;
            Some((node, rest.strip_prefix(": ")?))
        });
        let Some((node, words)) = own else {
            merged.push((Vec::new(), &finding.message, finding));
            continue;
        };
        let is_alike = |(nodes, own, first): &&mut (Vec<&NodeName>, &str, &Finding)| {
            !nodes.is_empty()
                && *own == words
                && first.rule == finding.rule
                && first.fix == finding.fix
        };
        match merged.iter_mut().find(is_alike) {
            Some((nodes, ..)) => nodes.push(node),
            None => merged.push((vec![node], words, finding)),
        }
    }
    let told = merged.into_iter().map(|(nodes, words, first)| Finding {
        message: match nodes.as_slice() {
            [] => words.to_owned(),
            nodes => format!("{}: {words}", and(nodes)),
        },
        ..first.clone()
    });
    told.collect()
}

/// Appends the id of the rule.
pub(super) fn with_rule(words: String, rule: Option<&Rule>) -> String {
    match rule {
        Some(rule) => format!("{words} ({})", rule.id),
        None => words,
    }
}

/// The message, the quoted lines and the hint.
fn block(label: &str, message: &str, quote: &str, advice: Option<&str>) -> String {
    let hanging = " ".repeat(width(label) + 1);
    let mut text = labelled(label, message, &hanging);
    text.push_str(quote);
    if let Some(advice) = advice {
        text.push_str(&labelled(&paint::accent("help:"), advice, "      "));
    }
    text.push('\n');
    text
}

/// The lines in question with the error underlined. Empty if they cannot be shown.
fn quote(report: &GraphicalReportHandler, diagnostic: &dyn Diagnostic) -> String {
    let mut text = String::new();
    if report.render_report(&mut text, &Quote(diagnostic)).is_err() {
        return String::new();
    }
    // The first line is the message, which is formatted here as everywhere else.
    let quoted = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .skip(1);
    lines(quoted.map(|line| line.strip_prefix("  ").unwrap_or(line)))
}

fn handler(unicode: bool) -> GraphicalReportHandler {
    let characters = if unicode {
        ThemeCharacters::unicode()
    } else {
        ThemeCharacters::ascii()
    };
    let theme = GraphicalTheme {
        characters,
        styles: ThemeStyles::ansi(),
    };
    GraphicalReportHandler::new_themed(theme)
        .with_width(QUOTE_WIDTH)
        .with_links(false)
}

/// A diagnostic's labels without its message.
#[derive(Debug)]
struct Quote<'a>(&'a dyn Diagnostic);

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x")
    }
}

impl std::error::Error for Quote<'_> {}

impl Diagnostic for Quote<'_> {
    fn severity(&self) -> Option<MietteSeverity> {
        self.0.severity()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }
}

/// A finding as a diagnostic of miette's.
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
        f.write_str(&self.finding.message)
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

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.source.span(&self.finding.path);
        let label = LabeledSpan::new_primary_with_span(None, span);
        Some(Box::new(std::iter::once(label)))
    }
}
