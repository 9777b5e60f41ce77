//! Parsed templates: the embedded ones, and their replacements.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tera::{Context, ErrorKind, Tera};

use super::error::{RenderError, TemplateError};
use super::registry::templates;
use crate::units::TemplateSpec;

/// A full set of parsed templates.
#[derive(Clone)]
pub struct Templates {
    tera: Tera,
    sources: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

impl Templates {
    /// The templates that come with hactl.
    pub fn embedded() -> Result<Self, TemplateError> {
        Self::with_overrides(Vec::new())
    }

    /// The templates that come with hactl, except those replaced by `overrides`, which are names (with or without
    /// `.tera`) and texts.
    pub fn with_overrides(overrides: Vec<(String, String)>) -> Result<Self, TemplateError> {
        let mut sources: Vec<(&'static str, String)> = templates()
            .map(|spec| (spec.name, spec.source.to_owned()))
            .collect();
        let mut replaced = Vec::new();
        for (name, text) in overrides {
            let bare = name.strip_suffix(".tera").unwrap_or(&name);
            let Some(slot) = sources.iter_mut().find(|(known, _)| *known == bare) else {
                return Err(unknown(name));
            };
            if replaced.contains(&slot.0) {
                return Err(TemplateError::Twice { name });
            }
            replaced.push(slot.0);
            slot.1 = text;
        }
        let mut tera = Tera::new();
        // The output is not HTML, and each value in a view is already escaped for its own syntax.
        tera.autoescape_on(Vec::<&str>::new());
        for (name, source) in &sources {
            tera.add_raw_template(name, &trim_tag_lines(source))
                .map_err(|error| {
                    let (line, column, message) = locate(&error, source);
                    TemplateError::Syntax {
                        name: (*name).to_owned(),
                        line,
                        column,
                        message,
                    }
                })?;
        }
        Ok(Self { tera, sources })
    }

    /// A hash over the names and texts of all templates.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (name, text) in &self.sources {
            for part in [*name, text] {
                hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(part);
            }
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    pub(crate) fn render<V: serde::Serialize>(
        &self,
        spec: &TemplateSpec,
        view: &V,
    ) -> Result<String, RenderError> {
        let source = self
            .sources
            .iter()
            .find(|(name, _)| *name == spec.name)
            .map_or("", |(_, source)| source);
        let at = |(line, column, message)| RenderError::Template {
            template: spec.name.to_owned(),
            line,
            column,
            message,
        };
        let failed = |error: &tera::Error| at(locate(error, source));
        let context = Context::from_serialize(view).map_err(|error| failed(&error))?;
        // In an `if`, Tera treats an unknown variable as false, which would silently drop lines.
        let mut unknown: Vec<&str> = self
            .tera
            .get_template_variables(spec.name)
            .map_err(|error| failed(&error))?
            .into_iter()
            .filter(|name| !context.contains_key(name))
            .collect();
        unknown.sort_unstable();
        if let Some(name) = unknown.first() {
            let (line, column) = first_use(source, name);
            let message = format!("it uses '{name}', which this template is not given");
            return Err(at((line, column, message)));
        }
        self.tera
            .render(spec.name, &context)
            .map_err(|error| failed(&error))
    }
}

/// The error for an unknown template, with the nearest known name.
fn unknown(name: String) -> TemplateError {
    let nearest = templates()
        .map(|spec| (strsim::jaro_winkler(&name, spec.name), spec.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let help = if let Some((_, nearest)) = nearest {
        format!("did you mean '{nearest}'?")
    } else {
        let all: Vec<_> = templates().map(|spec| spec.name).collect();
        format!("there are {}", all.join(", "))
    };
    TemplateError::Unknown { name, help }
}

/// Line, column and message of an error from Tera, relative to the `source` before [`trim_tag_lines`].
fn locate(error: &tera::Error, source: &str) -> (usize, usize, String) {
    let (ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report)) = error.kind() else {
        return (1, 1, error.to_string());
    };
    let (line, column) = (report.span().start_line, report.span().start_col + 1);
    let message = report.message().to_owned();
    let before = line
        .checked_sub(2)
        .and_then(|index| source.split_inclusive('\n').nth(index))
        .filter(|before| only_tag(before).is_some());
    match before {
        // The end of the tag that fills the previous line was moved to the start of this one.
        Some(before) if column <= 2 => (line - 1, before.trim_end().chars().count() - 1, message),
        Some(_) => (line, column - 2, message),
        None => (line, column, message),
    }
}

/// Line and column where `source` first uses `name` as a word of its own.
fn first_use(source: &str, name: &str) -> (usize, usize) {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    source
        .match_indices(name)
        .find(|(at, _)| {
            !source[..*at].ends_with(in_word) && !source[at + name.len()..].starts_with(in_word)
        })
        .map_or((1, 1), |(at, _)| {
            let before = &source[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            (line, column)
        })
}

/// The delimiters of the one tag that fills `line`, which has to end with a line break.
fn only_tag(line: &str) -> Option<(&'static str, &'static str)> {
    let text = line.trim();
    [("{%", "%}"), ("{#", "#}")]
        .into_iter()
        .find(|(open, close)| {
            line.ends_with('\n')
                && text.starts_with(open)
                && text.ends_with(close)
                && text.matches(open).count() == 1
                && !text.starts_with("{%-")
                && !text.ends_with("-%}")
        })
}

/// Removes lines that consist of a single tag from the output, with their blanks and line break, by moving those into
/// the tag. [`locate`] reverses that for positions.
fn trim_tag_lines(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let Some((open, close)) = only_tag(line) else {
            out.push_str(line);
            continue;
        };
        let text = line.trim();
        out.push_str(open);
        out.push_str(&line[..line.len() - line.trim_start().len()]);
        out.push_str(&text[open.len()..text.len() - close.len()]);
        out.push('\n');
        out.push_str(close);
    }
    out
}
