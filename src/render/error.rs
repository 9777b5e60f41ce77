//! Errors, each with its place and a fix.

use crate::model::MissingSecret;

use crate::model::EscapeError;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No template has this name.
    #[error("no template is called '{name}'; {help}")]
    Unknown {
        /// The name as it was given.
        name: String,
        /// The nearest name, or all names.
        help: String,
    },
    /// The same template was given twice.
    #[error("the template '{name}' was given twice")]
    Twice {
        /// Its name.
        name: String,
    },
    /// It is not valid Tera.
    #[error("template '{name}', line {line}, column {column}: {message}")]
    Syntax {
        /// Its name.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

/// Why the files of a node cannot be rendered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RenderError {
    /// A template failed.
    #[error("template '{template}', line {line}, column {column}: {message}")]
    Template {
        /// The template's name.
        template: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// Why.
        message: String,
    },
    /// A value cannot be expressed in the syntax of the file.
    #[error("{place}: {reason}")]
    Value {
        /// Which value of the cluster, without the value.
        place: String,
        /// Why it cannot be escaped.
        reason: EscapeError,
    },
    /// The daemons do not support what the cluster asks for.
    #[error("{place}: {reason}; {fix}")]
    Unsupported {
        /// The part of the cluster.
        place: String,
        /// Why not.
        reason: String,
        /// The fix.
        fix: String,
    },
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] MissingSecret),
}

impl RenderError {
    /// Adds the place to an [`EscapeError`].
    pub(crate) fn at(place: impl Into<String>) -> impl FnOnce(EscapeError) -> Self {
        let place = place.into();
        move |reason| Self::Value { place, reason }
    }

    pub(crate) fn unsupported(
        place: impl Into<String>,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            place: place.into(),
            reason: reason.into(),
            fix: fix.into(),
        }
    }
}
