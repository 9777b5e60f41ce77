//! Rules, their checks, and findings.

use std::fmt;
use std::net::IpAddr;

use super::election::ElectionEvent;
use super::evidence::{ClusterEvidence, HostEvidence, PlanEvidence, VersionEvidence};
use crate::model::{Cluster, InventoryPath, NodeName, Secrets, UnitId};
use crate::plan::RunningDrift;

/// The severity of a finding, in ascending order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A choice with a price, stated so that it surprises nobody. No action is needed.
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

pub type Findings = Vec<Finding>;

/// A rule's check: its evidence and the function. A function may find violations of several rules. The caller keeps
/// those of the rule that it runs.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// The inventory alone. An error blocks every verb that needs the inventory.
    Inventory(fn(&Cluster, &mut Findings)),
    /// The inventory and the secrets that it refers to.
    Secrets(fn(&Cluster, &Secrets, &mut Findings)),
    /// The version of a node's keepalived. An error blocks plan and apply.
    Version(fn(&VersionEvidence<'_>, &mut Findings)),
    /// One host. An error blocks plan and apply.
    Host(fn(&HostEvidence<'_>, &mut Findings)),
    /// All hosts together. An error blocks plan and apply.
    Cluster(fn(&ClusterEvidence<'_>, &mut Findings)),
    /// All hosts together, where they were inspected: by preflight, and before a change of hosts that hactl has never
    /// set up. An error blocks plan and apply.
    Fitness(fn(&ClusterEvidence<'_>, &mut Findings)),
    /// The state of the running cluster. An error blocks nothing, since a change may be the fix.
    Running(fn(&ClusterEvidence<'_>, &mut Findings)),
    /// A plan and its hosts. An error blocks the plan.
    Plan(fn(&PlanEvidence<'_>, &mut Findings)),
    /// The daemon's own test of the new files, on the host. A failure blocks the change.
    DaemonTest(UnitId),
    /// Running state that differs from what was applied. The next apply corrects it.
    Drift(fn(&RunningDrift) -> bool),
    /// Needs no check. The text says why hactl's files and plans cannot violate the rule.
    ByConstruction(&'static str),
}

impl Check {
    /// The verbs that run it and report its findings.
    pub fn verbs(&self) -> &'static [&'static str] {
        match self {
            Self::Inventory(_) => &["check"],
            Self::Plan(_) | Self::DaemonTest(_) => &["plan", "apply"],
            Self::Secrets(_) | Self::Version(_) | Self::Fitness(_) => {
                &["preflight", "plan", "apply"]
            }
            Self::Host(_) | Self::Cluster(_) => &["preflight", "plan", "apply", "status"],
            Self::Running(_) | Self::Drift(_) => &["plan", "apply", "status"],
            Self::ByConstruction(_) => &[],
        }
    }

    fn looks_at(&self) -> Option<&'static str> {
        Some(match self {
            Self::Inventory(_) => "the inventory",
            Self::Secrets(_) => "the secrets that the inventory refers to",
            Self::Version(_) => "the version of each node's keepalived",
            Self::Host(_) => "each host",
            Self::Cluster(_) => "the hosts together",
            Self::Fitness(_) => "the hosts before anything is applied",
            Self::Running(_) => "the running cluster",
            Self::Plan(_) => "the plan, and the hosts that it is for",
            Self::DaemonTest(_) => "the daemon's own test of the files, on the host",
            Self::Drift(_) => "what runs, against what was applied",
            Self::ByConstruction(_) => return None,
        })
    }
}

/// A rule. Its id never changes, and is never reused.
#[derive(Debug)]
pub struct Rule {
    /// Its id, such as `KA012`.
    pub id: &'static str,
    pub severity: Severity,
    /// The check.
    pub check: Check,
    /// Further checks, on other evidence.
    pub further: &'static [Check],
    /// What is wrong, in a line.
    pub title: &'static str,
    /// Why it is wrong.
    pub reason: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl Rule {
    /// All its checks.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        std::iter::once(&self.check).chain(self.further)
    }

    /// The verbs that run it, in the order in which a user meets them.
    pub fn verbs(&self) -> Vec<&'static str> {
        let all = ["check", "preflight", "plan", "apply", "status"];
        let runs = |verb: &&str| self.checks().any(|check| check.verbs().contains(verb));
        all.into_iter().filter(runs).collect()
    }

    /// What is wrong, as the beginning of a sentence.
    pub fn heading(&self) -> String {
        capitalised(self.title)
    }

    /// The evidence of its checks, in words.
    pub fn looks_at(&self) -> Vec<&'static str> {
        self.checks().filter_map(Check::looks_at).collect()
    }

    /// Why nothing can violate it, if it needs no check.
    pub fn why_not_checked(&self) -> Option<&'static str> {
        self.checks().find_map(|check| match check {
            Check::ByConstruction(why) => Some(*why),
            _ => None,
        })
    }
}

/// Capitalises the first letter, but not of a keyword or the name of a program.
fn capitalised(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if first.contains('_') || ["keepalived", "nginx"].contains(&first) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

/// A violation of a rule, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The place in the inventory.
    pub path: InventoryPath,
    /// The node, if it concerns a single one.
    pub node: Option<NodeName>,
    /// The VIP in question.
    pub vip: Option<IpAddr>,
    /// What is wrong here, with the actual values.
    pub message: String,
    /// The fix for this place.
    pub fix: String,
    /// For the simulation of an election, the shortest sequence of events that leads to the state.
    pub events: Vec<ElectionEvent>,
}

impl Finding {
    /// A finding with the fix of its rule.
    pub fn new(rule: &'static Rule, path: InventoryPath, message: impl Into<String>) -> Self {
        Self {
            rule,
            path,
            node: None,
            vip: None,
            message: message.into(),
            fix: rule.fix.to_owned(),
            events: Vec::new(),
        }
    }

    /// Replaces the fix with one for this place.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    #[must_use]
    pub fn on(mut self, node: &NodeName) -> Self {
        self.node = Some(node.clone());
        self
    }

    #[must_use]
    pub fn of_vip(mut self, vip: IpAddr) -> Self {
        self.vip = Some(vip);
        self
    }

    #[must_use]
    pub fn events(mut self, events: Vec<ElectionEvent>) -> Self {
        self.events = events;
        self
    }

    pub fn severity(&self) -> Severity {
        self.rule.severity
    }
}

/// A finding, with its rule by id. The table of rules is in `docs/rules.md`.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Finding")]
struct Flat<'a> {
    /// The id of the rule: see `docs/rules.md`.
    rule: &'a str,
    severity: Severity,
    /// The place in the inventory, as a path.
    path: &'a InventoryPath,
    /// The node, if it concerns a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a NodeName>,
    /// The VIP in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    vip: Option<IpAddr>,
    /// What the rule is about.
    title: &'a str,
    /// What is wrong in this place.
    message: &'a str,
    /// Why it is wrong.
    reason: &'a str,
    /// The fix.
    fix: &'a str,
    /// The shortest sequence of events to that state, if the simulation of an election found it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    events: &'a [ElectionEvent],
}

impl serde::Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flat = Flat {
            rule: self.rule.id,
            severity: self.severity(),
            path: &self.path,
            node: self.node.as_ref(),
            vip: self.vip,
            title: self.rule.title,
            message: &self.message,
            reason: self.rule.reason,
            fix: &self.fix,
            events: &self.events,
        };
        flat.serialize(serializer)
    }
}

impl schemars::JsonSchema for Finding {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Flat::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        Flat::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Flat::json_schema(generator)
    }
}
