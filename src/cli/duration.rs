//! Durations on the command line.

use std::time::Duration;

use crate::model;

/// Parses a duration. A bare number is refused, since its unit is unknown.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    model::parse_duration(text)
        .ok_or_else(|| "it must be a time such as 500ms, 1.5s, 60s, 2m, 1m30s or 12h".to_owned())
}
