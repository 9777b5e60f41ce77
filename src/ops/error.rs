//! Why an operation failed.

use camino::Utf8PathBuf;

use super::host_problem::HostProblem;
use super::member::{Member, Missing, StillThere, how_to_take_out, missing_words};
use super::plan_file::PlanFileError;
use super::without_them::WithoutThem;
use crate::agent::{AgentError, Deadline, NoRandomness, UnsupportedHost};
use crate::apply::PendingAction;
use crate::check::Finding;
use crate::drill::ArchiveError;
use crate::inventory::{InventoryErrors, Source};
use crate::model::{NodeName, SecretRef};
use crate::plan::{AnotherCluster, Goal, Loss, PlanError};
use crate::render::{RenderError, TemplateError};

/// Why a change in progress can neither be confirmed nor cancelled now.
#[derive(Debug, thiserror::Error)]
pub enum SettleRefusal {
    /// The nodes are in the middle of different changes.
    #[error("several changes are under way: {}", name_changes(changes))]
    Several {
        /// Each by its id, with its nodes.
        changes: Vec<(String, Vec<NodeName>)>,
    },
    /// It was never proven to work on all nodes.
    #[error("{by}'s change was interrupted before it was proven on all nodes; {}", end_of(deadline.as_ref()))]
    NotProven {
        /// Its author.
        by: String,
        /// When the hosts roll it back.
        deadline: Option<Deadline>,
    },
    /// Nodes of the change do not answer.
    #[error(
        "cannot reach all nodes of the change: {} missing; {}",
        missing,
        end_of(deadline.as_ref())
    )]
    Unreachable {
        /// What was requested.
        verb: PendingAction,
        /// How many of its nodes were not found.
        missing: usize,
        /// One per node that does not answer.
        errors: Vec<AgentError>,
        /// When the hosts roll it back.
        deadline: Option<Deadline>,
    },
}

fn name_changes(changes: &[(String, Vec<NodeName>)]) -> String {
    let one = |(tx, nodes): &(String, Vec<NodeName>)| {
        let nodes: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
        format!("{tx} on {}", nodes.join(", "))
    };
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// How a change ends if nobody confirms or cancels it.
fn end_of(deadline: Option<&Deadline>) -> String {
    match deadline {
        Some(deadline) => format!("its hosts roll it back at {deadline}"),
        None => "its hosts roll it back on their own".to_owned(),
    }
}

impl SettleRefusal {
    fn hint(&self) -> &'static str {
        match self {
            Self::Several { .. } => {
                "end those without a running hactl with `hactl apply`; see who holds the others with `hactl lock show`"
            }
            Self::NotProven { .. } => "roll it back now with `hactl cancel`",
            Self::Unreachable { .. } => "no changes were made; fix access to the node, then retry",
        }
    }
}

/// Why an operation failed before changing anything, or without doing so.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The inventory file cannot be read.
    #[error("cannot read the inventory {path}: {source}")]
    ReadInventory {
        /// Its path.
        path: Utf8PathBuf,
        source: std::io::Error,
    },
    /// The inventory has errors.
    #[error("the inventory is not valid")]
    Inventory(Box<InventoryErrors>),
    /// `hactl check` finds errors in it.
    #[error("the inventory fails validation")]
    Findings {
        /// All findings.
        findings: Vec<Finding>,
        /// The text that findings point into.
        inventory: Box<Source>,
    },
    /// The hosts violate rules of severity error.
    #[error("the hosts are not fit for the cluster")]
    UnfitHosts {
        /// All findings.
        findings: Vec<Finding>,
        /// The text that findings point into.
        inventory: Box<Source>,
    },
    /// `--limit` names a node that is not in the inventory.
    #[error("the inventory has no node '{name}'")]
    UnknownNode {
        name: NodeName,
        /// The nodes of the inventory.
        known: Vec<NodeName>,
    },
    /// A secret cannot be fetched.
    #[error("cannot fetch the secret {}: {reason}", describe(reference))]
    Secret {
        reference: SecretRef,
        reason: String,
    },
    /// The template folder cannot be read.
    #[error("cannot read templates from {path}: {source}")]
    ReadTemplates {
        /// Its path.
        path: Utf8PathBuf,
        source: std::io::Error,
    },
    /// A template is broken.
    #[error(transparent)]
    Template(TemplateError),
    /// Rendering failed.
    #[error(transparent)]
    Render(RenderError),
    /// Hosts could not be reached or observed.
    #[error("{} of the nodes are unavailable", errors.len())]
    Hosts {
        /// One per node.
        errors: Vec<AgentError>,
    },
    /// Some nodes do not answer.
    #[error("cannot reach {} of the nodes", errors.len())]
    Unreachable {
        /// One per node.
        errors: Vec<AgentError>,
        /// Whether the change can be made without them.
        without: WithoutThem,
    },
    /// The inventory no longer lists nodes of the newest generation.
    #[error("{}", missing_words(missing))]
    MembersMissing {
        /// The nodes, and how they respond on the network.
        missing: Vec<Missing>,
    },
    /// `--forget` names a node that could still own a VIP.
    #[error(
        "cannot forget {member}: {why}; it would no longer hear the other nodes, and the VIP would have two owners"
    )]
    NotTakenOut {
        /// The node.
        member: Member,
        /// What it still does.
        why: StillThere,
    },
    /// `--forget` names something other than a missing node.
    #[error("cannot forget {name}: {}", why_not_forgotten(*in_inventory))]
    NotAMember {
        name: String,
        /// True if the inventory lists it.
        in_inventory: bool,
        /// The nodes that can be forgotten.
        missing: Vec<String>,
    },
    /// An interrupted change could not be ended: some nodes may have it and others not.
    #[error("cannot end the interrupted change on {} of the nodes", errors.len())]
    Recovery {
        /// One per node.
        errors: Vec<AgentError>,
    },
    /// hactl cannot manage the host.
    #[error(transparent)]
    Unsupported(UnsupportedHost),
    /// Hosts are not fit for the cluster.
    #[error("{} of the hosts are not fit for this cluster", problems.len())]
    Unfit {
        /// The problems.
        problems: Vec<HostProblem>,
    },
    /// No plan can be computed.
    #[error(transparent)]
    Plan(PlanError),
    /// The plan stops serving something that the user has not named.
    #[error("cannot go on: this stops serving {}", names_of(losses).join(", "))]
    StopsServing {
        losses: Vec<Loss>,
        /// The plan's goal.
        goal: Goal,
    },
    /// A plan file cannot be used.
    #[error(transparent)]
    PlanFile(PlanFileError),
    /// No key for a change can be generated.
    #[error(transparent)]
    NoRandomness(NoRandomness),
    /// A change in progress can be neither confirmed nor cancelled now.
    #[error(transparent)]
    Settle(SettleRefusal),
    /// There is no generation to roll back to.
    #[error("{reason}")]
    NoGeneration {
        /// The reason.
        reason: String,
    },
    /// A drill would cause an outage now.
    #[error("cannot run a drill now: {reason}")]
    NotFitForDrill {
        reason: String,
        /// What the user can do.
        remedy: String,
    },
    /// The machine that hactl runs on cannot generate a drill's load.
    #[error("cannot start the load: {source}")]
    Load {
        /// The cause.
        source: std::io::Error,
    },
    /// A record of drills cannot be saved or read.
    #[error(transparent)]
    Archive(ArchiveError),
    /// No drill results are saved.
    #[error("no drill results are saved for this cluster")]
    NothingKept,
    /// There is no folder to save results in.
    #[error("neither XDG_STATE_HOME nor HOME names a folder to keep results in")]
    NoStateFolder,
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        path: Utf8PathBuf,
        source: std::io::Error,
    },
}

fn why_not_forgotten(in_inventory: bool) -> &'static str {
    if in_inventory {
        "the inventory still has it"
    } else {
        "the last generation has no such node"
    }
}

/// Names of what is no longer served, without duplicates.
fn names_of(losses: &[Loss]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for loss in losses {
        if !names.contains(&loss.name.as_str()) {
            names.push(&loss.name);
        }
    }
    names
}

/// The options that allow the losses, ready to be typed.
fn stop_serving_hint(losses: &[Loss], goal: Goal) -> String {
    let quoted = |name: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/-[]".contains(c);
        let is_glob = name.contains('[');
        if name.chars().all(is_plain) && !is_glob {
            name.to_owned()
        } else {
            format!("'{}'", name.replace('\'', r"'\''"))
        }
    };
    let names = names_of(losses);
    // The contents of a generation cannot be changed in the inventory.
    let keep = match goal {
        Goal::Apply => "keep them in the inventory, or add",
        Goal::Rollback { .. } => "go back to a generation that serves them, or add",
    };
    let options: Vec<String> = names
        .iter()
        .take(5)
        .map(|name| format!("--stop-serving {}", quoted(name)))
        .collect();
    if names.len() > options.len() {
        return format!("{keep} `--stop-serving all`");
    }
    format!("{keep} `{}`", options.join(" "))
}

fn another_cluster_hint(other: &AnotherCluster) -> String {
    let name = other.owners.first().map_or("", |owner| &owner.cluster);
    format!(
        "check `-i`; to make these nodes cluster {}, as after a rename, plan, apply or roll back with `--take-over {name}`",
        other.cluster
    )
}

/// A reference as written in the inventory.
fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("{{ env: {name} }}"),
        SecretRef::File(path) => format!("{{ file: {path} }}"),
        SecretRef::Command(argv) => format!("{{ command: {} }}", argv.join(" ")),
    }
}

impl OpsError {
    /// True if the inventory is at fault (exit code 3).
    pub fn is_inventory(&self) -> bool {
        matches!(
            self,
            Self::ReadInventory { .. }
                | Self::Inventory(_)
                | Self::Findings { .. }
                | Self::Secret { .. }
        )
    }

    /// What the user can do, unless the message says it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ReadInventory { .. } => Some(
                "name the file with -i FILE or HACTL_INVENTORY, or write a first one with `hactl init`"
                    .to_owned(),
            ),
            Self::UnknownNode { known, .. } => {
                let names: Vec<_> = known.iter().map(NodeName::as_str).collect();
                Some(format!("choose from {}", names.join(", ")))
            }
            Self::Unsupported(UnsupportedHost::Distribution { .. }) => Some(
                "hactl manages Debian and Ubuntu, and RHEL and its derivatives".to_owned(),
            ),
            Self::Unsupported(UnsupportedHost::NoProgram {
                program, packages, ..
            }) => Some(packages.hint(program)),
            Self::Unsupported(UnsupportedHost::Lacking { .. }) => {
                Some("install what it lacks with the host's package manager".to_owned())
            }
            Self::NotFitForDrill { remedy, .. } => Some(remedy.clone()),
            Self::Archive(error) => Some(error.hint().to_owned()),
            Self::NothingKept => {
                Some("run one with `hactl failover-test --drill nginx-kill`".to_owned())
            }
            Self::PlanFile(PlanFileError::MovedOn { .. }) => {
                Some("see what would change now with `hactl plan`".to_owned())
            }
            Self::PlanFile(PlanFileError::OtherFormat { .. }) => {
                Some("make it again with `hactl plan --out FILE`".to_owned())
            }
            Self::Unreachable { errors, without } => Some(without.hint(errors)),
            Self::MembersMissing { missing } => Some(how_to_take_out(missing, "add")),
            Self::NotTakenOut { member, .. } => Some(format!(
                "run `systemctl disable --now keepalived` on {}, then again with `--forget {}`; nothing was changed",
                member.called(),
                member.called()
            )),
            Self::NotAMember { missing, .. } if missing.is_empty() => {
                Some("omit --forget: no node is missing from the inventory".to_owned())
            }
            Self::NotAMember { missing, .. } => Some(format!(
                "forget only nodes that are missing from the inventory: {}",
                missing.join(", ")
            )),
            Self::Settle(refusal) => Some(refusal.hint().to_owned()),
            Self::StopsServing { losses, goal } => Some(stop_serving_hint(losses, *goal)),
            Self::Plan(PlanError::AnotherCluster(other)) => Some(another_cluster_hint(other)),
            Self::Plan(PlanError::Beside(error)) => Some(error.hint()),
            Self::Plan(PlanError::Partial { .. }) => {
                Some("omit `--limit`, once every node answers".to_owned())
            }
            Self::Plan(PlanError::Equals { peer, .. }) => Some(format!(
                "omit `--limit`, or add {peer} to it: VRRP breaks a tie of priorities by address, and a VIP may have two owners (KA013)"
            )),
            Self::Plan(PlanError::Obstacle { .. }) => {
                Some("move it out of the way by hand".to_owned())
            }
            _ => None,
        }
    }
}
