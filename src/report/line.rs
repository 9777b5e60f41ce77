//! The lines of `--format ndjson`: events as they happen, and the report as the last one.

use schemars::JsonSchema;
use serde::Serialize;

use super::document::{Document, FORMAT};
use crate::ops::Stamped;

/// An event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LineOf{E}")]
pub struct EventLine<'a, E> {
    /// The version of these lines.
    pub format: u32,
    /// The verb.
    pub verb: &'static str,
    /// The event, its number and its time.
    #[serde(flatten)]
    pub stamped: &'a Stamped<E>,
}

impl<'a, E> EventLine<'a, E> {
    /// An event of `verb`.
    pub fn new(verb: &'static str, stamped: &'a Stamped<E>) -> Self {
        Self {
            format: FORMAT,
            verb,
            stamped,
        }
    }
}

/// The last line.
#[derive(Serialize, JsonSchema)]
pub struct ReportLine<T> {
    /// The version of these lines.
    pub format: u32,
    /// The verb.
    pub verb: &'static str,
    /// Always `report`: no event has that name.
    pub event: IsReport,
    /// The output of `--format json`: see the verb's own schema.
    pub report: Document<T>,
}

impl<T> ReportLine<T> {
    /// The last line, with the output of `--format json`.
    pub fn new(report: Document<T>) -> Self {
        Self {
            format: FORMAT,
            verb: report.verb,
            event: IsReport::Report,
            report,
        }
    }
}

/// Identifies the last line.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IsReport {
    /// It is the report.
    Report,
}
