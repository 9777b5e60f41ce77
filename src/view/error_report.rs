//! The format of every error.
//!
//! ```text
//! error: what failed, and where
//!   output of a daemon, ssh or sudo
//!
//! help: what to do
//! ```

use super::paint;
use super::text::{comma, count, indent, labelled, without_log_prefix, wrap};
use crate::agent::AgentError;
use crate::check::{Finding, Severity};
use crate::inventory::{InventoryErrors, Source};
use crate::lab::LabError;
use crate::model::NodeName;
use crate::ops::{HostProblem, OpsError, PlanFileError, SettleRefusal};
use crate::report::{ErrorRecord, Mistake, PlacedFinding};

use super::findings::{findings_text, inventory_errors_text, told_once};

/// An error as the user sees it.
#[derive(Debug, Clone, Default)]
pub struct ErrorReport {
    nodes: Vec<NodeName>,
    /// The names under which its hints refer to the host.
    names: Vec<String>,
    message: String,
    details: Vec<String>,
    helps: Vec<String>,
    mistakes: Mistakes,
}

/// Errors that point to a place in the inventory.
#[derive(Debug, Clone, Default)]
enum Mistakes {
    #[default]
    None,
    /// The inventory cannot be parsed or resolved.
    Errors(InventoryErrors),
    /// The inventory violates rules of `check`.
    Findings(Vec<Finding>, Source),
    /// The hosts violate rules.
    Hosts(Vec<Finding>, Source),
}

impl ErrorReport {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    /// Adds output of a daemon, ssh or sudo, without log prefixes.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        if !detail.trim().is_empty() {
            let lines: Vec<&str> = detail.trim_end().lines().map(without_log_prefix).collect();
            self.details.push(lines.join("\n"));
        }
        self
    }

    /// Adds a hint, unless it is there already.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        if !help.is_empty() && !self.helps.contains(&help) {
            self.helps.push(help);
        }
        self
    }

    pub fn of_ops(error: &OpsError) -> Self {
        match error {
            OpsError::Inventory(errors) => Self {
                mistakes: Mistakes::Errors((**errors).clone()),
                ..Self::new(errors.to_string())
            },
            OpsError::Findings {
                findings,
                inventory,
            } => {
                let errors = errors_of(findings);
                Self {
                    message: format!(
                        "{error}: {} has {}",
                        inventory.name(),
                        count(errors.len(), "error")
                    ),
                    mistakes: Mistakes::Findings(errors, (**inventory).clone()),
                    ..Self::default()
                }
            }
            OpsError::UnfitHosts {
                findings,
                inventory,
            } => {
                let errors = errors_of(findings);
                let number = told_once(&errors).len();
                Self {
                    message: format!("{error}: {}", count(number, "error")),
                    mistakes: Mistakes::Hosts(errors, (**inventory).clone()),
                    ..Self::default()
                }
                .help("run `hactl preflight` to see all that was found")
            }
            OpsError::Hosts { errors } => Self::of_hosts(errors),
            OpsError::Recovery { errors } => {
                let mut complaint = Self::of_hosts(errors);
                complaint.message = format!("{error}: {}", complaint.message);
                complaint.help("run `hactl status` to see every node's state")
            }
            OpsError::Unreachable { errors, .. } => {
                Self::of_hosts(errors).help(error.hint().unwrap_or_default())
            }
            OpsError::Settle(SettleRefusal::Unreachable { errors, .. }) => {
                let mut complaint = Self::new(error.to_string());
                for one in errors {
                    complaint = complaint.detail(one.to_string());
                }
                complaint.help(error.hint().unwrap_or_default())
            }
            OpsError::PlanFile(PlanFileError::MovedOn { moved }) => {
                let mut complaint = Self::new(error.to_string());
                for one in moved {
                    complaint = complaint.detail(one.to_string());
                }
                complaint.help(error.hint().unwrap_or_default())
            }
            OpsError::Unfit { problems } => {
                let one = |problem: &HostProblem| {
                    Self::new(problem.to_string())
                        .help(problem.hint())
                        .on(problem.node())
                };
                Self::of_all(problems.iter().map(one).collect(), || error.to_string())
            }
            error => Self::new(error.to_string()).help(error.hint().unwrap_or_default()),
        }
    }

    /// One host's error as it is. Several become a list that gives each hint once.
    fn of_hosts(errors: &[AgentError]) -> Self {
        if let [error] = errors {
            // With one host, the hint can name it, so that its command can be copied.
            return Self::new(error.to_string())
                .detail(error.detail())
                .help(error.hint())
                .on(error.node());
        }
        Self::of_all(errors.iter().map(Self::of_agent).collect(), || {
            format!("{} nodes are unavailable", errors.len())
        })
    }

    /// A single complaint as it is, several under a heading.
    fn of_all(all: Vec<Self>, heading: impl Fn() -> String) -> Self {
        let all = merged(all);
        if let [only] = all.as_slice() {
            return only.clone();
        }
        let mut complaint = Self::new(heading());
        for one in all {
            complaint = complaint.detail(one.subject());
            for detail in &one.details {
                complaint = complaint.detail(indent(detail, "  "));
            }
            for help in one.helps {
                complaint = complaint.help(general(&help, &one.names));
            }
        }
        complaint
    }

    pub(super) fn of_agent(error: &AgentError) -> Self {
        let host = match error {
            AgentError::Remote(error) => error.host(),
            _ => None,
        };
        let names = host.into_iter().chain([error.node().as_str()]);
        Self {
            names: names.map(str::to_owned).collect(),
            ..Self::new(error.to_string())
                .detail(error.detail())
                .help(error.hint())
                .on(error.node())
        }
    }

    /// Attributes it to `node`, and removes that name from the start of the message.
    #[must_use]
    pub(super) fn on(mut self, node: &NodeName) -> Self {
        if let Some(rest) = self.message.strip_prefix(&format!("{node}: ")) {
            self.message = rest.to_owned();
        }
        self.nodes = vec![node.clone()];
        self
    }

    /// The message after the names of its nodes.
    fn subject(&self) -> String {
        if self.nodes.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {}", comma(&self.nodes), self.message)
        }
    }

    /// Errors of labs carry their hint in the message.
    pub fn of_lab(error: &LabError) -> Self {
        let text = error.to_string();
        let (message, detail) = text.split_once('\n').unwrap_or((&text, ""));
        Self::new(message).detail(detail)
    }

    pub(super) fn text(&self, unicode: bool) -> String {
        let mut text = match &self.mistakes {
            Mistakes::None => String::new(),
            Mistakes::Errors(errors) => inventory_errors_text(errors, unicode),
            Mistakes::Findings(findings, source) => findings_text(findings, Some(source), unicode),
            Mistakes::Hosts(findings, _) => findings_text(findings, None, unicode),
        };
        text.push_str(&labelled(
            &paint::error_label("error:"),
            &self.subject(),
            "       ",
        ));
        for detail in &self.details {
            for line in detail.lines() {
                let line = wrap(line, 2, "      ");
                text.push_str(format!("  {line}").trim_end());
                text.push('\n');
            }
        }
        for help in &self.helps {
            text.push_str(&labelled(&paint::accent("help:"), help, "      "));
        }
        text
    }

    /// The JSON form.
    pub(super) fn record(&self) -> ErrorRecord {
        let (file, mistakes, findings) = match &self.mistakes {
            Mistakes::None => (None, None, None),
            Mistakes::Errors(errors) => {
                let mistakes = errors.errors().iter().map(|error| Mistake {
                    message: error.message().to_owned(),
                    help: error.advice().map(str::to_owned),
                    place: error.place(),
                });
                (Some(errors.source_file()), Some(mistakes.collect()), None)
            }
            Mistakes::Findings(findings, source) | Mistakes::Hosts(findings, source) => {
                (Some(source), None, Some(placed(findings, source)))
            }
        };
        ErrorRecord {
            nodes: self.nodes.clone(),
            message: self.message.clone(),
            details: self.details.clone(),
            help: self.helps.clone(),
            file: file.map(|source| source.name().to_owned()),
            mistakes,
            findings,
        }
    }
}

/// Merges the same error of several nodes into one.
pub(super) fn merged(complaints: Vec<ErrorReport>) -> Vec<ErrorReport> {
    let general_helps = |complaint: &ErrorReport| -> Vec<String> {
        let helps = complaint.helps.iter();
        helps.map(|help| general(help, &complaint.names)).collect()
    };
    let mut merged: Vec<ErrorReport> = Vec::new();
    for complaint in complaints {
        let helps = general_helps(&complaint);
        let is_same = |other: &&mut ErrorReport| {
            !complaint.nodes.is_empty()
                && other.message == complaint.message
                && other.details == complaint.details
                && general_helps(other) == helps
        };
        match merged.iter_mut().find(is_same) {
            Some(same) => {
                same.nodes.extend(complaint.nodes);
                same.nodes.sort();
                same.helps = helps;
            }
            None => merged.push(complaint),
        }
    }
    merged
}

/// Replaces host names in a hint with HOST, so that the hints of different hosts compare equal.
fn general(help: &str, names: &[String]) -> String {
    names.iter().fold(help.to_owned(), |help, name| {
        help.replace(&format!("ssh {name}"), "ssh HOST")
            .replace(&format!("-R {name}"), "-R HOST")
    })
}

fn errors_of(findings: &[Finding]) -> Vec<Finding> {
    let is_error = |finding: &&Finding| finding.severity() == Severity::Error;
    findings.iter().filter(is_error).cloned().collect()
}

/// Findings with their positions in the inventory file.
pub(super) fn placed(findings: &[Finding], source: &Source) -> Vec<PlacedFinding> {
    let one = |finding: &Finding| PlacedFinding {
        finding: finding.clone(),
        place: source.place(&finding.path),
    };
    findings.iter().map(one).collect()
}
