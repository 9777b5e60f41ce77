//! The output of verbs for programs: one type for each document of `--format json` and for the lines of
//! `--format ndjson`, and their JSON Schemas. Types only: the view fills them in and prints them.

mod change;
mod document;
mod drill;
mod error;
mod explain;
mod lab;
mod line;
mod offline;
mod running;
mod schema;
mod settle;

pub use change::{ChangeBody, ChangeEnd, ChangeOutcome, ChangeRun, FailureRecord, ProblemRecord};
pub use document::{Document, FORMAT, FailedBody};
pub use drill::{Declined, DrillsBody};
pub use error::{ErrorRecord, Mistake, PlacedFinding};
pub use explain::{ExitExplanation, ExplainBody, Explanation, RuleExplanation};
pub use lab::{LabDownBody, LabStatusBody, LabUpBody};
pub use line::{EventLine, IsReport, ReportLine};
pub use offline::{CheckBody, InitBody, RenderBody};
pub use running::{LocksBody, PlanBody, PreflightBody, StatusBody};
pub use schema::{schema, schema_file, schema_text, schemas};
pub use settle::{SettleBody, SettleOutcome, SettleResult};
