//! What a rule is.

use super::finding::Severity;

/// When a rule can be checked: as soon as what it needs is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// On the inventory alone.
    Inventory,
    /// On the hosts, before anything is changed there.
    Host,
    /// On a plan, which knows both the host and the files to come.
    Plan,
    /// On a running cluster: after a change, and when `status` looks.
    Status,
}

impl When {
    /// The commands that look then.
    pub fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Inventory => &["check"],
            Self::Host | Self::Plan => &["plan"],
            Self::Status => &["plan", "apply", "status"],
        }
    }
}

/// How hactl keeps a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "why")]
pub enum Coverage {
    /// This module checks it, on a cluster and what little it is given beside it.
    Checked,
    /// What hactl renders cannot break it; the text says why.
    CannotHappen(&'static str),
    /// It needs a host, a plan or a running cluster; the text says what has to be looked at.
    Observed(&'static str),
}

/// One rule. Its id never changes and is never used again for another.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    /// Its id, such as `KA012`.
    pub id: &'static str,
    /// How bad it is to break it.
    pub severity: Severity,
    /// When it can be checked.
    pub when: &'static [When],
    /// How hactl keeps it.
    pub coverage: Coverage,
    /// What is wrong, in a line.
    pub title: &'static str,
    /// Why it is wrong.
    pub reason: &'static str,
    /// What to do.
    pub fix: &'static str,
}
