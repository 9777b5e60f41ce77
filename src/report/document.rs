//! What every document has.

use schemars::JsonSchema;
use serde::Serialize;

use super::error::ErrorRecord;

/// The version of documents and events: it changes when a reader could be misled by a change. A new
/// field is no such change.
pub const FORMAT: u32 = 2;

/// One document.
#[derive(Serialize, JsonSchema)]
pub struct Document<T> {
    /// The version of these documents.
    pub format: u32,
    /// The verb.
    pub verb: &'static str,
    /// What hactl ends with: see `docs/exit-codes.md`.
    pub exit_code: u8,
    /// What the verb has to say.
    #[serde(flatten)]
    pub body: T,
}

impl<T> Document<T> {
    /// The document of `verb`.
    pub fn new(verb: &'static str, exit_code: u8, body: T) -> Self {
        Self {
            format: FORMAT,
            verb,
            exit_code,
            body,
        }
    }
}

/// A verb that could not do what was asked.
#[derive(Serialize, JsonSchema)]
pub struct FailedBody {
    /// What went wrong.
    pub error: ErrorRecord,
}
