//! What can go wrong, with the place and the way out.

use crate::model::MissingSecret;

use crate::model::EscapeError;

/// A template is not usable.
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
    /// Its text is no valid template.
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

/// A node's files can't be rendered.
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
    /// A value can't be written where it belongs.
    #[error("{place}: {reason}")]
    Value {
        /// Which value of the cluster, without the value.
        place: String,
        /// Why.
        reason: EscapeError,
    },
    /// The daemons can't do what the cluster asks for.
    #[error("{place}: {reason}; {fix}")]
    Unsupported {
        /// Which part of the cluster.
        place: String,
        /// Why not.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] MissingSecret),
}

impl RenderError {
    /// A closure that puts an [`EscapeError`] into its place.
    pub(crate) fn at(place: impl Into<String>) -> impl FnOnce(EscapeError) -> Self {
        let place = place.into();
        move |reason| Self::Value { place, reason }
    }

    /// What the daemons can't do, and what to do instead.
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
