//! The envelope of every document.

use schemars::JsonSchema;
use serde::Serialize;

use super::error::ErrorRecord;

/// The version of documents and events. It changes when a change could mislead a reader, which a new field does not.
pub const FORMAT: u32 = 2;

/// One document.
#[derive(Serialize, JsonSchema)]
pub struct Document<T> {
    /// The version of these documents.
    pub format: u32,
    /// The verb.
    pub verb: &'static str,
    /// hactl's exit code: see `docs/exit-codes.md`.
    pub exit_code: u8,
    /// The verb's own part.
    #[serde(flatten)]
    pub body: T,
}

impl<T> Document<T> {
    pub fn new(verb: &'static str, exit_code: u8, body: T) -> Self {
        Self {
            format: FORMAT,
            verb,
            exit_code,
            body,
        }
    }
}

/// A verb failed.
#[derive(Serialize, JsonSchema)]
pub struct FailedBody {
    /// What went wrong.
    pub error: ErrorRecord,
}
