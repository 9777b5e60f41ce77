//! The one form in which everything that went wrong is told.
//!
//! ```text
//! error: what failed, and where
//!   what others said about it
//!
//! help: what to do
//! ```

use serde_json::{Value, json};

use super::paint;
use super::text::{WIDTH, wrap};
use crate::agent::AgentError;
use crate::check::Finding;
use crate::inventory::{InventoryErrors, Source};
use crate::lab::LabError;
use crate::ops::OpsError;

use super::findings::{findings_text, inventory_errors_text};

/// Something that went wrong.
#[derive(Debug, Clone, Default)]
pub struct Complaint {
    message: String,
    details: Vec<String>,
    helps: Vec<String>,
    mistakes: Mistakes,
}

/// Mistakes that have their place in the inventory.
#[derive(Debug, Clone, Default)]
enum Mistakes {
    /// None.
    #[default]
    None,
    /// It cannot be understood.
    Errors(InventoryErrors),
    /// It breaks rules.
    Findings(Vec<Finding>, Source),
}

impl Complaint {
    /// A complaint that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    /// Adds what others said about it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        if !detail.trim().is_empty() {
            self.details.push(detail.trim_end().to_owned());
        }
        self
    }

    /// Adds what to do; the same advice is given once.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        if !help.is_empty() && !self.helps.contains(&help) {
            self.helps.push(help);
        }
        self
    }

    /// What an operation failed of.
    pub fn of_ops(error: &OpsError) -> Self {
        match error {
            OpsError::Inventory(errors) => Self {
                mistakes: Mistakes::Errors((**errors).clone()),
                ..Self::new(errors.to_string())
            },
            OpsError::Findings {
                findings,
                inventory,
            } => Self {
                mistakes: Mistakes::Findings(findings.clone(), (**inventory).clone()),
                ..Self::new(error.to_string())
            },
            OpsError::Hosts { errors } => Self::of_hosts(errors),
            error => Self::new(error.to_string()).help(error.hint().unwrap_or_default()),
        }
    }

    /// One host's trouble as itself; several hosts' as a list.
    fn of_hosts(errors: &[AgentError]) -> Self {
        if let [error] = errors {
            return Self::of_agent(error);
        }
        let mut complaint = Self::new(format!("{} nodes cannot be worked with", errors.len()));
        for error in errors {
            complaint = complaint
                .detail(format!("{error}\n{}", error.detail()))
                .help(error.hint());
        }
        complaint
    }

    /// One host's trouble.
    pub(super) fn of_agent(error: &AgentError) -> Self {
        Self::new(error.to_string())
            .detail(error.detail())
            .help(error.hint())
    }

    /// What a lab failed of: its messages say what to do themselves.
    pub fn of_lab(error: &LabError) -> Self {
        let text = error.to_string();
        let (message, detail) = text.split_once('\n').unwrap_or((&text, ""));
        Self::new(message).detail(detail)
    }

    /// As it is printed.
    pub(super) fn text(&self, unicode: bool) -> String {
        let mut text = match &self.mistakes {
            Mistakes::None => String::new(),
            Mistakes::Errors(errors) => inventory_errors_text(errors, unicode),
            Mistakes::Findings(findings, source) => findings_text(findings, source, unicode),
        };
        text.push_str(&labelled(
            &paint::error_label("error:"),
            &self.message,
            "       ",
        ));
        for detail in &self.details {
            for line in detail.lines() {
                let line = wrap(line, WIDTH - 2, "      ");
                text.push_str(format!("  {line}").trim_end());
                text.push('\n');
            }
        }
        for help in &self.helps {
            text.push_str(&labelled(&paint::accent("help:"), help, "      "));
        }
        text
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let mut json = json!({
            "message": self.message,
            "details": self.details,
            "help": self.helps,
        });
        match &self.mistakes {
            Mistakes::None => {}
            Mistakes::Errors(errors) => {
                let list = errors.errors().iter().map(|error| {
                    json!({
                        "message": error.message(),
                        "help": error.advice(),
                        "place": error.place(),
                    })
                });
                json["file"] = json!(errors.source_file().name());
                json["mistakes"] = list.collect();
            }
            Mistakes::Findings(findings, source) => {
                json["file"] = json!(source.name());
                json["findings"] = findings_json(findings, source);
            }
        }
        json
    }
}

/// Findings with their places.
pub(super) fn findings_json(findings: &[Finding], source: &Source) -> Value {
    let list = findings.iter().map(|finding| {
        let mut json = serde_json::to_value(finding).unwrap_or_default();
        json["place"] = json!(source.place(&finding.path));
        json
    });
    list.collect()
}

/// `label text`, the text's further lines under its first.
pub(super) fn labelled(label: &str, text: &str, hanging: &str) -> String {
    format!("{label} {}\n", wrap(text, WIDTH - hanging.len(), hanging))
}
