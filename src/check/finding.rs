//! What a broken rule looks like.

use std::fmt;

use serde::ser::SerializeStruct;

use super::election::ElectionEvent;
use super::rule::Rule;
use crate::model::InventoryPath;

/// How bad a finding is. The worst comes last in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A choice with a price, stated so that nobody is surprised by it. Nothing has to be done.
    Note,
    /// It works, but not as well or as safely as it should.
    Warning,
    /// It will fail, or fail over wrongly.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A rule that a cluster breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The place in the inventory.
    pub path: InventoryPath,
    /// What is wrong here, with the values that make it so.
    pub message: String,
    /// What to do about it here.
    pub fix: String,
    /// The shortest way into the state complained of, for what the election simulation finds.
    pub events: Vec<ElectionEvent>,
}

impl Finding {
    /// A finding of `rule` at `path` with the rule's own advice.
    pub fn new(rule: &'static Rule, path: InventoryPath, message: impl Into<String>) -> Self {
        Self {
            rule,
            path,
            message: message.into(),
            fix: rule.fix.to_owned(),
            events: Vec::new(),
        }
    }

    /// The same with advice for this very place.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// The same with the events that lead there.
    #[must_use]
    pub fn events(mut self, events: Vec<ElectionEvent>) -> Self {
        self.events = events;
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.rule.severity
    }
}

impl serde::Serialize for Finding {
    /// Flat, with the rule by its id: whoever reads a finding has the table of rules beside it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 7)?;
        fields.serialize_field("rule", self.rule.id)?;
        fields.serialize_field("severity", &self.severity())?;
        fields.serialize_field("path", &self.path)?;
        fields.serialize_field("title", self.rule.title)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("fix", &self.fix)?;
        if self.events.is_empty() {
            fields.skip_field("events")?;
        } else {
            fields.serialize_field("events", &self.events)?;
        }
        fields.end()
    }
}
