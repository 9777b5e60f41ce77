//! A plan, as data.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::packages::STREAM_MODULE;
use super::serving::Loss;
use crate::agent::{TestResult, Tree};
use crate::model::{ClusterName, FileRole, HostPath, NodeName};
use crate::render::ConfigIds;

/// What a plan leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Goal {
    /// What the inventory says.
    Apply,
    /// A generation that was live before; 0 is the hosts as they were before hactl.
    Rollback {
        /// Its number.
        to: u64,
    },
}

/// In which order the nodes are changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Strategy {
    /// One after the other, the VIP's holder last.
    Rolling,
    /// All at once, since nodes that disagree on this would elect two owners (rule KA053).
    AtOnce {
        /// What they would disagree on.
        reason: String,
        /// How long VIPs have no owner meanwhile, by VRRP's timers; `None` where these do not tell.
        #[serde(rename = "without_owner_ms", serialize_with = "milliseconds")]
        without_owner: Option<Duration>,
    },
}

#[expect(clippy::ref_option, reason = "serde hands the field over as it is")]
fn milliseconds<S: serde::Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let time = time.map(|time| time.as_secs_f64() * 1000.0);
    serde::Serialize::serialize(&time, serializer)
}

/// Why a file has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// hactl has not managed it on this node before.
    New,
    /// The inventory, the templates or hactl itself changed.
    Inventory,
    /// Somebody changed it on the host since the last apply.
    Hand,
    /// Both.
    InventoryAndHand,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileAction {
    /// It comes into being.
    Create,
    /// Its content changes.
    Modify,
    /// Only its mode or owner changes.
    Permissions,
    /// It goes.
    Delete,
}

/// One file's change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileChange {
    /// Where.
    pub path: HostPath,
    /// What it is for, as the manifest names it.
    pub role: FileRole,
    /// What happens to it.
    pub action: FileAction,
    /// Why.
    pub cause: Cause,
    /// A unified diff, secrets masked; empty when nothing of the content may be shown or changes.
    pub diff: String,
    /// Mode and owner before and after, where they change; before, it may also be a link.
    pub permissions: Option<(String, String)>,
}

/// One kernel setting's change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SysctlChange {
    /// The key.
    pub key: String,
    /// What the kernel uses now; `None` where it has no such key.
    pub kernel: Option<String>,
    /// What it shall use.
    pub wanted: String,
}

/// Running state that differs from what its file says: what a comparison of files never shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RunningDrift {
    /// The kernel uses another value than the one that was applied.
    Sysctl {
        /// The key.
        key: String,
        /// What was applied.
        applied: String,
        /// What the kernel uses.
        kernel: Option<String>,
    },
    /// nginx serves another configuration than the one that was applied: a reload that failed.
    NginxServes {
        /// What was applied.
        applied: String,
        /// What it serves, by its own word; `None` for nothing of hactl's.
        serves: Option<String>,
    },
    /// keepalived runs another configuration than the one that was applied.
    KeepalivedLoaded {
        /// What was applied.
        applied: String,
        /// What it loaded, by its own word.
        loaded: Option<String>,
    },
    /// keepalived would not see a change of a file that it tracks: the file or its folder was removed.
    Unwatched {
        /// The file.
        file: String,
    },
    /// A daemon does not run.
    Down {
        /// Its unit.
        unit: String,
        /// systemd's word for its state.
        state: String,
    },
    /// A daemon's unit is masked: systemd neither starts nor reloads it.
    Masked {
        /// Its unit.
        unit: String,
    },
    /// A daemon would not be started at boot.
    NotEnabled {
        /// Its unit.
        unit: String,
    },
    /// A unit's file is newer than what systemd knows of it.
    DaemonReloadNeeded {
        /// Its unit.
        unit: String,
    },
}

/// What happens to a daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitAction {
    /// Nothing.
    #[default]
    None,
    /// It reads its configuration again; connections live on.
    Reload,
    /// It is stopped and started; the VIP is handed over first.
    Restart,
    /// It is started (and enabled).
    Start,
    /// It is stopped (and disabled).
    Stop,
}

impl UnitAction {
    /// The host program's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reload => "reload",
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// Everything that will happen on one node.
#[derive(Clone, serde::Serialize)]
pub struct NodePlan {
    /// Whose it is.
    pub node: NodeName,
    /// The live generation, if hactl has applied one.
    pub generation: Option<u64>,
    /// The identities of the configurations to come; none for generation 0.
    pub ids: Option<ConfigIds>,
    /// VIPs that it holds now.
    pub holds: Vec<IpAddr>,
    /// VIPs of others beside hactl that it has now, and that leave it while its keepalived is stopped for the
    /// change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub displaces: Vec<IpAddr>,
    /// Packages to install.
    pub install: Vec<String>,
    /// The packages that hactl installed are removed (generation 0).
    pub remove_packages: bool,
    /// Files to change.
    pub files: Vec<FileChange>,
    /// Kernel settings to change.
    pub sysctls: Vec<SysctlChange>,
    /// Its record names other nodes of the cluster than there are now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub records_members: bool,
    /// Running state that differs from what was applied.
    pub drift: Vec<RunningDrift>,
    /// What happens to nginx.
    pub nginx: UnitAction,
    /// What happens to keepalived.
    pub keepalived: UnitAction,
    /// Why nginx must be restarted rather than reloaded.
    pub restart_reason: Option<String>,
    /// Why keepalived must be restarted rather than reloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalived_restart_reason: Option<String>,
    /// What the daemons' own tests said of the files to come. Filled in after they were asked.
    pub tests: Vec<TestResult>,
    /// Hash by path of what lies there now; apply refuses a host that has moved on.
    pub expected: BTreeMap<HostPath, Option<String>>,
    /// The files themselves. Never serialised: they hold secrets.
    #[serde(skip)]
    pub tree: Tree,
}

impl NodePlan {
    /// True when nothing will happen here.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.sysctls.is_empty()
            && !self.records_members
            && self.install.is_empty()
            && !self.remove_packages
            && self.nginx == UnitAction::None
            && self.keepalived == UnitAction::None
    }

    /// True when a VIP leaves this node for the time of the change.
    pub fn moves_vip(&self) -> bool {
        let interrupts = |action| matches!(action, UnitAction::Restart | UnitAction::Stop);
        !self.holds.is_empty() && (interrupts(self.nginx) || interrupts(self.keepalived))
    }

    /// True when another node may be elected for what happens here.
    pub(super) fn changes_election(&self) -> bool {
        self.keepalived != UnitAction::None || self.nginx == UnitAction::Start
    }

    /// False while the program still lacks what it needs to understand its files: a package that brings
    /// it is yet to be installed.
    pub fn can_test(&self, program: &str) -> bool {
        program != "nginx" || !self.install.iter().any(|package| package == STREAM_MODULE)
    }

    /// The daemons' tests that failed.
    pub fn failed_tests(&self) -> impl Iterator<Item = &TestResult> {
        self.tests.iter().filter(|test| !test.verdict().is_passed())
    }
}

/// Everything that will happen.
#[derive(Clone, serde::Serialize)]
pub struct Plan {
    /// The cluster.
    pub cluster: ClusterName,
    /// Where it leads.
    pub goal: Goal,
    /// The number that the new generation gets.
    pub next_generation: u64,
    /// In which order.
    pub strategy: Strategy,
    /// What the hosts serve now and would serve no more.
    pub losses: Vec<Loss>,
    /// Who has each VIP once the election is over, where the change decides that and it can be told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub preferred: BTreeMap<IpAddr, NodeName>,
    /// The nodes, in the order of their activation.
    pub nodes: Vec<NodePlan>,
}

impl Plan {
    /// The number of the generation that will be live: a new one, or 0 again.
    pub fn generation_to_come(&self) -> u64 {
        match self.goal {
            Goal::Rollback { to: 0 } => 0,
            _ => self.next_generation,
        }
    }

    /// True when nothing will happen anywhere.
    pub fn is_empty(&self) -> bool {
        self.nodes.iter().all(NodePlan::is_empty)
    }

    /// True when a daemon refused the files of a node.
    pub fn is_refused(&self) -> bool {
        self.nodes
            .iter()
            .any(|node| node.failed_tests().next().is_some())
    }

    /// The node that goes on alone where all change at once: the last one, which owns most VIPs. `None` where
    /// they change one after the other.
    pub fn keeper(&self) -> Option<&NodeName> {
        if self.strategy == Strategy::Rolling {
            return None;
        }
        let takes_part = |node: &&NodePlan| node.keepalived != UnitAction::None;
        self.changing()
            .filter(takes_part)
            .last()
            .map(|node| &node.node)
    }

    /// The nodes where something will happen.
    pub fn changing(&self) -> impl Iterator<Item = &NodePlan> {
        self.nodes.iter().filter(|node| !node.is_empty())
    }
}
