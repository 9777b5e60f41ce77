//! What colours mean. Always painted; whoever writes takes them off where there are to be none.

use std::fmt::Display;

use owo_colors::OwoColorize;

/// A heading, or the one word of a line that matters.
pub(super) fn strong(text: impl Display) -> String {
    text.bold().to_string()
}

/// As it should be.
pub(super) fn good(text: impl Display) -> String {
    text.green().to_string()
}

/// Worth a look.
pub(super) fn warn(text: impl Display) -> String {
    text.yellow().to_string()
}

/// Not as it should be.
pub(super) fn bad(text: impl Display) -> String {
    text.red().to_string()
}

/// The word that begins a complaint.
pub(super) fn error_label(text: impl Display) -> String {
    text.red().bold().to_string()
}

/// The word that begins a warning.
pub(super) fn warn_label(text: impl Display) -> String {
    text.yellow().bold().to_string()
}

/// The word that begins advice, and other signposts.
pub(super) fn accent(text: impl Display) -> String {
    text.cyan().to_string()
}

/// Beside the point, most of the time.
pub(super) fn faint(text: impl Display) -> String {
    text.dimmed().to_string()
}
