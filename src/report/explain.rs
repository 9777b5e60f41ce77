//! The document of `explain`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Severity;
use crate::inventory::Key;

/// What was asked for, explained.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExplainBody {
    /// What it was called.
    pub asked: String,
    /// Everything of that name: several keys of the inventory may share one.
    pub explanations: Vec<Explanation>,
}

/// One explanation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Explanation {
    Rule(RuleExplanation),
    ExitCode(ExitExplanation),
    Key(Key),
}

/// A rule: `docs/rules.md`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RuleExplanation {
    pub id: &'static str,
    pub severity: Severity,
    /// The verbs that run it. None if nothing can violate it.
    pub verbs: Vec<&'static str>,
    /// What is wrong.
    pub title: String,
    /// Why it is wrong.
    pub reason: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// What its checks look at.
    pub looks_at: Vec<&'static str>,
    /// Why nothing can violate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_checked: Option<&'static str>,
}

/// An exit code: `docs/exit-codes.md`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExitExplanation {
    pub code: u8,
    pub meaning: &'static str,
    /// What to do about it, in Markdown.
    pub remedy: &'static str,
}
