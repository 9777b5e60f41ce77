//! What `--format json` prints: one document a command, also when it fails.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::complaint::Complaint;
use crate::model::harmless_json;

/// The documents' version: it changes when a reader could be misled by a change.
const FORMAT: u32 = 1;

/// One document.
#[derive(Debug)]
pub(super) struct Document(Map<String, Value>);

impl Document {
    /// A document of `verb`.
    pub(super) fn new(verb: &'static str) -> Self {
        let mut fields = Map::new();
        fields.insert("format".to_owned(), json!(FORMAT));
        fields.insert("verb".to_owned(), json!(verb));
        Self(fields)
    }

    /// The document of a verb that failed.
    pub(super) fn failed(verb: &'static str, complaint: &Complaint, exit_code: u8) -> Self {
        Self::new(verb)
            .with("exit_code", &exit_code)
            .with("error", &complaint.json())
    }

    /// The same with one more field.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        // Only a map with keys that are no strings could fail, and no report has one.
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The same with the fields of a report.
    #[must_use]
    pub(super) fn with_fields(mut self, report: &impl Serialize) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::to_value(report) {
            self.0.extend(fields);
        }
        self
    }

    /// As text.
    pub(super) fn text(&self) -> String {
        harmless_json(&format!("{:#}\n", Value::Object(self.0.clone())))
    }
}
