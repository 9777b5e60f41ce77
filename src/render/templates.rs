//! The templates, parsed: the embedded ones, and those that replace them.

use tera::{Context, ErrorKind, Tera};

use super::error::{RenderError, TemplateError};
use super::registry::{TEMPLATES, TemplateSpec};

/// A full set of parsed templates.
#[derive(Clone)]
pub struct Templates {
    tera: Tera,
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

    /// The templates that come with hactl, but for those in `overrides`: names (with or without
    /// `.tera`) and texts.
    pub fn with_overrides(overrides: Vec<(String, String)>) -> Result<Self, TemplateError> {
        let mut sources: Vec<(&'static str, String)> = TEMPLATES
            .iter()
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
        // These are no HTML; each value in a view is escaped for its own syntax already.
        tera.autoescape_on(Vec::<&str>::new());
        for (name, source) in &sources {
            tera.add_raw_template(name, &trim_tag_lines(source))
                .map_err(|error| {
                    let (line, column, message) = locate(&error);
                    TemplateError::Syntax {
                        name: (*name).to_owned(),
                        line,
                        column,
                        message,
                    }
                })?;
        }
        Ok(Self { tera })
    }

    /// The text that `spec` makes of `view`.
    pub(crate) fn render<V: serde::Serialize>(
        &self,
        spec: &TemplateSpec,
        view: &V,
    ) -> Result<String, RenderError> {
        let failed = |error: &tera::Error| {
            let (line, column, message) = locate(error);
            RenderError::Template {
                template: spec.name.to_owned(),
                line,
                column,
                message,
            }
        };
        let context = Context::from_serialize(view).map_err(|error| failed(&error))?;
        // Tera takes an unknown variable in an `if` for false, which would drop lines in silence.
        let mut unknown: Vec<&str> = self
            .tera
            .get_template_variables(spec.name)
            .map_err(|error| failed(&error))?
            .into_iter()
            .filter(|name| !context.contains_key(name))
            .collect();
        unknown.sort_unstable();
        if let Some(name) = unknown.first() {
            return Err(RenderError::Template {
                template: spec.name.to_owned(),
                line: 1,
                column: 1,
                message: format!("it uses '{name}', which this template is not given"),
            });
        }
        self.tera
            .render(spec.name, &context)
            .map_err(|error| failed(&error))
    }
}

/// The error for a template that doesn't exist, with the nearest name that does.
fn unknown(name: String) -> TemplateError {
    let nearest = TEMPLATES
        .iter()
        .map(|spec| (strsim::jaro_winkler(&name, spec.name), spec.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let help = if let Some((_, nearest)) = nearest {
        format!("did you mean '{nearest}'?")
    } else {
        let all: Vec<_> = TEMPLATES.iter().map(|spec| spec.name).collect();
        format!("there are {}", all.join(", "))
    };
    TemplateError::Unknown { name, help }
}

/// Where and why, of an error of Tera's.
fn locate(error: &tera::Error) -> (usize, usize, String) {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => (
            report.span().start_line,
            report.span().start_col + 1,
            report.message().to_owned(),
        ),
        other => (1, 1, other.to_string()),
    }
}

/// Makes a line that holds nothing but one tag vanish from the output, blanks and line break
/// included, by moving those into the tag. Line numbers in errors stay true.
fn trim_tag_lines(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let text = line.trim();
        let tag = [("{%", "%}"), ("{#", "#}")]
            .into_iter()
            .find(|(open, close)| {
                text.starts_with(open)
                    && text.ends_with(close)
                    && text.matches(open).count() == 1
                    && !text.starts_with("{%-")
                    && !text.ends_with("-%}")
            });
        match tag {
            Some((open, close)) if line.ends_with('\n') => {
                let indent = &line[..line.len() - line.trim_start().len()];
                out.push_str(open);
                out.push_str(indent);
                out.push_str(&text[open.len()..text.len() - close.len()]);
                out.push('\n');
                out.push_str(close);
            }
            _ => out.push_str(line),
        }
    }
    out
}
