//! The one place that chooses between text and JSON.

use serde::Serialize;

use super::error_report::ErrorReport;
use super::ui::{Format, Ui};
use crate::model::harmless_json;
use crate::ops::Stamped;
use crate::report::{Document, EventLine, FailedBody, ReportLine};

/// Validates the JSON of every test against the schemas.
#[cfg(test)]
#[path = "../../tests/support/documents.rs"]
mod documents;

/// The result of a verb.
pub trait Show {
    /// The body of the JSON document.
    fn body(&self) -> impl Serialize;

    /// Prints it as text.
    fn print(&self, ui: &Ui, exit_code: u8);
}

impl<T: Show> Show for &T {
    fn body(&self) -> impl Serialize {
        (*self).body()
    }

    fn print(&self, ui: &Ui, exit_code: u8) {
        (*self).print(ui, exit_code);
    }
}

impl Ui {
    /// Prints the result of `verb` in the requested format.
    pub fn show(&self, verb: &'static str, exit_code: u8, report: &impl Show) {
        if self.format() == Format::Human {
            report.print(self, exit_code);
        } else {
            self.document(Document::new(verb, exit_code, report.body()));
        }
    }

    /// Reports that a verb failed: as text on standard error, and as JSON if that was requested.
    pub fn fail(&self, verb: &'static str, complaint: &ErrorReport, exit_code: u8) {
        self.complain(complaint);
        if self.format() != Format::Human {
            let body = FailedBody {
                error: complaint.record(),
            };
            self.document(Document::new(verb, exit_code, body));
        }
    }

    /// Writes an event if the format is NDJSON.
    pub fn event<E: Serialize>(&self, verb: &'static str, event: &Stamped<E>) {
        if self.format() == Format::Ndjson {
            self.json(&EventLine::new(verb, event));
        }
    }

    fn document<T: Serialize>(&self, document: Document<T>) {
        if self.format() == Format::Ndjson {
            self.json(&ReportLine::new(document));
        } else {
            self.json(&document);
        }
    }

    /// Writes a value, on a single line if the format is NDJSON.
    fn json(&self, value: &impl Serialize) {
        let text = match self.format() {
            Format::Ndjson => serde_json::to_string(value),
            Format::Json | Format::Human => serde_json::to_string_pretty(value),
        };
        #[cfg(test)]
        if let Ok(text) = &text {
            documents::assert_valid(crate::report::schema, text);
        }
        match text {
            Ok(text) => self.data(&harmless_json(&format!("{text}\n"))),
            Err(error) => self.lose(error.into()),
        }
    }
}
