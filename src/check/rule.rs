//! What a rule is: its check and what it says; and what a broken one looks like.

use std::fmt;
use std::net::IpAddr;

use super::election::ElectionEvent;
use super::evidence::{ClusterEvidence, HostEvidence, PlanEvidence, VersionEvidence};
use crate::model::{Cluster, InventoryPath, NodeName, Secrets, UnitId};
use crate::plan::RunningDrift;

/// How bad a finding is. The worst comes last in the order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
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

/// Where findings go.
pub type Findings = Vec<Finding>;

/// A rule's check: what it looks at, and the function that does. A function may find several rules broken;
/// whoever runs a rule keeps that rule's own findings.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// The inventory alone. An error refuses every verb that needs the inventory.
    Inventory(fn(&Cluster, &mut Findings)),
    /// The inventory and the secrets that it refers to.
    Secrets(fn(&Cluster, &Secrets, &mut Findings)),
    /// The version of a node's keepalived. An error refuses plan and apply.
    Version(fn(&VersionEvidence<'_>, &mut Findings)),
    /// One host. An error refuses plan and apply.
    Host(fn(&HostEvidence<'_>, &mut Findings)),
    /// All hosts together. An error refuses plan and apply.
    Cluster(fn(&ClusterEvidence<'_>, &mut Findings)),
    /// What the running cluster does. An error refuses nothing: a change may be what ends it.
    Running(fn(&ClusterEvidence<'_>, &mut Findings)),
    /// A plan and the hosts that it is for. An error refuses it.
    Plan(fn(&PlanEvidence<'_>, &mut Findings)),
    /// The daemon's own test of the files to come, on the host. It refuses the change.
    DaemonTest(UnitId),
    /// Running state that is not what was applied. The next apply corrects it.
    Drift(fn(&RunningDrift) -> bool),
    /// No check is needed: the text says why hactl's files and plans cannot break the rule.
    ByConstruction(&'static str),
}

impl Check {
    /// The verbs that run it and tell of it.
    pub fn verbs(&self) -> &'static [&'static str] {
        match self {
            Self::Inventory(_) => &["check"],
            Self::Secrets(_) | Self::Version(_) | Self::Plan(_) | Self::DaemonTest(_) => {
                &["plan", "apply"]
            }
            Self::Host(_) | Self::Cluster(_) | Self::Running(_) | Self::Drift(_) => {
                &["plan", "apply", "status"]
            }
            Self::ByConstruction(_) => &[],
        }
    }
}

/// One rule. Its id never changes and is never used again for another.
#[derive(Debug)]
pub struct Rule {
    /// Its id, such as `KA012`.
    pub id: &'static str,
    /// How bad it is to break it.
    pub severity: Severity,
    /// What finds it broken.
    pub check: Check,
    /// What finds it broken, too, from other evidence.
    pub further: &'static [Check],
    /// What is wrong, in a line.
    pub title: &'static str,
    /// Why it is wrong.
    pub reason: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl Rule {
    /// Everything that finds it broken.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        std::iter::once(&self.check).chain(self.further)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

/// A broken rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The place in the inventory.
    pub path: InventoryPath,
    /// The node where it was seen, if it is one node's.
    pub node: Option<NodeName>,
    /// The VIP that it is about.
    pub vip: Option<IpAddr>,
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
            node: None,
            vip: None,
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

    /// The same, seen on `node`.
    #[must_use]
    pub fn on(mut self, node: &NodeName) -> Self {
        self.node = Some(node.clone());
        self
    }

    /// The same about `vip`.
    #[must_use]
    pub fn of_vip(mut self, vip: IpAddr) -> Self {
        self.vip = Some(vip);
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

/// Flat, with the rule by its id: whoever reads a finding has the table of rules beside it.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Finding")]
struct Flat<'a> {
    /// The id of the rule: see `docs/rules.md`.
    rule: &'a str,
    severity: Severity,
    /// The place in the inventory, as a path.
    path: &'a InventoryPath,
    /// The node where it was seen, if it is one node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a NodeName>,
    /// The VIP that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    vip: Option<IpAddr>,
    /// What the rule is about.
    title: &'a str,
    /// What is wrong here.
    message: &'a str,
    /// Why it is wrong.
    reason: &'a str,
    /// What to do about it.
    fix: &'a str,
    /// The shortest way into that state, where the election simulation found it.
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
