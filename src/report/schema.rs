//! The JSON Schemas of documents and events, as committed in `schema/output/`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value};

use super::change::ChangeBody;
use super::document::{Document, FORMAT, FailedBody};
use super::drill::DrillsBody;
use super::explain::ExplainBody;
use super::lab::{LabDownBody, LabStatusBody, LabUpBody};
use super::line::{EventLine, ReportLine};
use super::offline::{CheckBody, InitBody, RenderBody};
use super::running::{LocksBody, PlanBody, PreflightBody, StatusBody};
use super::settle::SettleBody;
use crate::apply::Event;
use crate::lab::LabEvent;
use crate::ops::{DrillProgress, HistoryReport};

/// The document of a verb that has ended.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is made")]
enum Ended<T> {
    Report(T),
    Failed(FailedBody),
}

/// A line of `--format ndjson`.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is made")]
enum Line {
    Change(EventLine<'static, Event>),
    Drill(EventLine<'static, DrillProgress>),
    Lab(EventLine<'static, LabEvent>),
    Report(ReportLine<Map<String, Value>>),
}

/// The names of all schemas: a verb, the failure of any verb, or the lines of `--format ndjson`.
pub fn schemas() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

pub fn schema(name: &str) -> Option<Value> {
    let (_, make) = ALL.iter().find(|(known, _)| *known == name)?;
    Some(make())
}

/// The schema of that name as text, with each definition on a line of its own: fully expanded, a plan's schema would
/// take thousands of lines.
pub fn schema_text(name: &str) -> Option<String> {
    let Value::Object(fields) = schema(name)? else {
        return None;
    };
    let line = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("$defs", Value::Object(all)) => format!("  \"$defs\": {}", lines(all, "    ", "  ")),
        _ => format!("  {}: {value}", Value::from(key.as_str())),
    };
    let fields: Vec<String> = fields.iter().map(line).collect();
    Some(format!("{{\n{}\n}}\n", fields.join(",\n")))
}

fn lines(all: &Map<String, Value>, indent: &str, end: &str) -> String {
    let line = |(key, value)| format!("{indent}{}: {value}", Value::from(String::as_str(key)));
    let all: Vec<String> = all.iter().map(line).collect();
    format!("{{\n{}\n{end}}}", all.join(",\n"))
}

/// The schema name of `verb`, as spelled in documents.
pub fn schema_file(verb: &str) -> String {
    verb.replace(' ', "-")
}

type Make = fn() -> Value;

const ALL: [(&str, Make); 19] = [
    ("init", || of::<InitBody<'_>>("init")),
    ("check", || of::<CheckBody<'_>>("check")),
    ("render", || of::<RenderBody<'_>>("render")),
    ("explain", || of::<ExplainBody>("explain")),
    ("preflight", || of::<PreflightBody<'_>>("preflight")),
    ("plan", || of::<PlanBody<'_>>("plan")),
    ("apply", || of::<ChangeBody<'_>>("apply")),
    ("rollback", || of::<ChangeBody<'_>>("rollback")),
    ("confirm", || of::<SettleBody<'_>>("confirm")),
    ("cancel", || of::<SettleBody<'_>>("cancel")),
    ("history", || of::<HistoryReport>("history")),
    ("status", || of::<StatusBody<'_>>("status")),
    ("lock", || of::<LocksBody<'_>>("lock")),
    ("failover-test", || of::<DrillsBody<'_>>("failover-test")),
    ("lab-up", || of::<LabUpBody<'_>>("lab up")),
    ("lab-down", || of::<LabDownBody<'_>>("lab down")),
    ("lab-status", || of::<LabStatusBody<'_>>("lab status")),
    ("failure", || {
        titled::<Document<FailedBody>>("hactl: a verb that failed".to_owned())
    }),
    ("events", || {
        titled::<Line>("hactl: a line of --format ndjson".to_owned())
    }),
];

fn titled<T: JsonSchema>(title: String) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// The schema of `verb`'s document, including its failure.
fn of<T: JsonSchema>(verb: &str) -> Value {
    let mut schema = titled::<Document<Ended<T>>>(format!("hactl {verb} --format json"));
    schema["properties"]["verb"]["const"] = verb.into();
    schema["properties"]["format"]["const"] = FORMAT.into();
    schema
}
