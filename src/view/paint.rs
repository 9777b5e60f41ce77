//! Colours by meaning. Text is always coloured. `Ui` strips the colours where they are unwanted.

use std::fmt::Display;

use owo_colors::OwoColorize;

/// A heading, or the key word of a line.
pub(super) fn strong(text: impl Display) -> String {
    text.bold().to_string()
}

pub(super) fn good(text: impl Display) -> String {
    text.green().to_string()
}

pub(super) fn warn(text: impl Display) -> String {
    text.yellow().to_string()
}

pub(super) fn bad(text: impl Display) -> String {
    text.red().to_string()
}

/// The label of an error.
pub(super) fn error_label(text: impl Display) -> String {
    text.red().bold().to_string()
}

/// The label of a warning.
pub(super) fn warn_label(text: impl Display) -> String {
    text.yellow().bold().to_string()
}

/// The label of a hint, and other landmarks such as the header of a hunk.
pub(super) fn accent(text: impl Display) -> String {
    text.cyan().to_string()
}

/// Secondary information.
pub(super) fn faint(text: impl Display) -> String {
    text.dimmed().to_string()
}
