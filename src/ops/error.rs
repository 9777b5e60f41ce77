//! Why a verb could not do its work.

use camino::Utf8PathBuf;

use super::host_problem::HostProblem;
use super::member::{Member, Missing, StillThere, how_to_take_out, missing_words};
use super::plan_file::PlanFileError;
use super::without_them::WithoutThem;
use crate::agent::{AgentError, Deadline, NoRandomness, UnsupportedHost};
use crate::apply::SettleVerb;
use crate::check::Finding;
use crate::drill::ArchiveError;
use crate::inventory::{InventoryErrors, Source};
use crate::model::{NodeName, SecretRef};
use crate::plan::{AnotherCluster, Goal, Loss, PlanError};
use crate::render::{RenderError, TemplateError};

/// Why a change that is under way can neither be confirmed nor cancelled now.
#[derive(Debug, thiserror::Error)]
pub enum SettleRefusal {
    /// The nodes are in the middle of different changes.
    #[error("several changes are under way: {}", name_changes(changes))]
    Several {
        /// Each by its id, with its nodes.
        changes: Vec<(String, Vec<NodeName>)>,
    },
    /// It was never seen to work on all nodes.
    #[error("{by}'s change was interrupted before it was proven on all nodes; {}", end_of(deadline.as_ref()))]
    NotProven {
        /// Who made it.
        by: String,
        /// When the hosts undo it.
        deadline: Option<Deadline>,
    },
    /// Nodes that have to be asked do not answer.
    #[error(
        "not all nodes of the change can be reached: {} missing; {}",
        missing,
        end_of(deadline.as_ref())
    )]
    Unreachable {
        /// What was asked for.
        verb: SettleVerb,
        /// How many of its nodes were not found.
        missing: usize,
        /// Those that do not answer.
        errors: Vec<AgentError>,
        /// When the hosts undo it.
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

/// What becomes of a change that nobody ends.
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

/// A verb failed before, or without, changing anything.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The inventory's file cannot be read.
    #[error("cannot read the inventory {path}: {source}")]
    ReadInventory {
        /// Its path.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The inventory has errors.
    #[error("the inventory is not valid")]
    Inventory(Box<InventoryErrors>),
    /// check found errors in it.
    #[error("the inventory fails validation")]
    Findings {
        /// All findings.
        findings: Vec<Finding>,
        /// For their places.
        inventory: Box<Source>,
    },
    /// `--limit` names a node that the inventory has not.
    #[error("the inventory has no node '{name}'")]
    UnknownNode {
        /// The name.
        name: NodeName,
        /// Those that it has.
        known: Vec<NodeName>,
    },
    /// A secret cannot be fetched.
    #[error("cannot fetch the secret {}: {reason}", describe(reference))]
    Secret {
        /// Which.
        reference: SecretRef,
        /// Why.
        reason: String,
    },
    /// The templates' folder cannot be read.
    #[error("cannot read templates from {path}: {source}")]
    ReadTemplates {
        /// Its path.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A template is broken.
    #[error(transparent)]
    Template(TemplateError),
    /// Rendering failed.
    #[error(transparent)]
    Render(RenderError),
    /// Hosts could not be reached or asked.
    #[error("{} of the nodes are unavailable", errors.len())]
    Hosts {
        /// Each with its node.
        errors: Vec<AgentError>,
    },
    /// Nodes do not answer, and the others do.
    #[error("cannot reach {} of the nodes", errors.len())]
    Unreachable {
        /// Each with its node.
        errors: Vec<AgentError>,
        /// Whether this change can be made without them.
        without: WithoutThem,
    },
    /// The inventory no longer names nodes of the last generation.
    #[error("{}", missing_words(missing))]
    MembersMissing {
        /// Who, and what the wire says of them.
        missing: Vec<Missing>,
    },
    /// `--forget` names a node that could still own a VIP.
    #[error(
        "cannot forget {member}: {why}; it would no longer hear the other nodes, and the VIP would have two owners"
    )]
    NotTakenOut {
        /// The node.
        member: Member,
        /// What it was seen to do.
        why: StillThere,
    },
    /// `--forget` names no node that is missing from the inventory.
    #[error("cannot forget {name}: {}", why_not_forgotten(*in_inventory))]
    NotAMember {
        /// The name.
        name: String,
        /// The inventory names it.
        in_inventory: bool,
        /// Those that can be forgotten.
        missing: Vec<String>,
    },
    /// An earlier change that was interrupted could not be ended: some nodes may have it and others not.
    #[error("cannot end the interrupted change on {} of the nodes", errors.len())]
    Recovery {
        /// Each with its node.
        errors: Vec<AgentError>,
    },
    /// Hosts that hactl cannot manage.
    #[error(transparent)]
    Unsupported(UnsupportedHost),
    /// Hosts that are not fit for the cluster.
    #[error("{} of the hosts are not fit for this cluster", problems.len())]
    Unfit {
        /// Each problem.
        problems: Vec<HostProblem>,
    },
    /// No plan can be made.
    #[error(transparent)]
    Plan(PlanError),
    /// The plan stops serving what nobody named.
    #[error("cannot go on: this stops serving {}", names_of(losses).join(", "))]
    StopsServing {
        /// Each loss.
        losses: Vec<Loss>,
        /// Where the plan leads.
        goal: Goal,
    },
    /// A plan file cannot be used.
    #[error(transparent)]
    PlanFile(PlanFileError),
    /// No key for a change can be made.
    #[error(transparent)]
    NoRandomness(NoRandomness),
    /// A change under way cannot be ended now.
    #[error(transparent)]
    Settle(SettleRefusal),
    /// No generation to go back to.
    #[error("{reason}")]
    NoGeneration {
        /// Why not.
        reason: String,
    },
    /// A drill would be an outage now.
    #[error("cannot run a drill now: {reason}")]
    NotFitForDrill {
        /// Why.
        reason: String,
        /// What the user can do.
        remedy: String,
    },
    /// The machine that hactl runs on cannot make a drill's load.
    #[error("cannot start the load: {source}")]
    Load {
        /// Why.
        source: std::io::Error,
    },
    /// A record of drills cannot be kept or read.
    #[error(transparent)]
    Archive(ArchiveError),
    /// No drill was kept.
    #[error("no drill results are saved for this cluster")]
    NothingKept,
    /// There is no place for what hactl keeps.
    #[error("neither XDG_STATE_HOME nor HOME names a folder to keep results in")]
    NoStateFolder,
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which.
        path: Utf8PathBuf,
        /// Why.
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

/// What stops being served, each name once.
fn names_of(losses: &[Loss]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for loss in losses {
        if !names.contains(&loss.name.as_str()) {
            names.push(&loss.name);
        }
    }
    names
}

/// The options that name the losses, ready to be typed.
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
    // What a generation has is not for the inventory to say.
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

/// A reference as the inventory writes it.
fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("{{ env: {name} }}"),
        SecretRef::File(path) => format!("{{ file: {path} }}"),
        SecretRef::Command(argv) => format!("{{ command: {} }}", argv.join(" ")),
    }
}

impl OpsError {
    /// True when the inventory is at fault (exit code 3).
    pub fn is_inventory(&self) -> bool {
        matches!(
            self,
            Self::ReadInventory { .. }
                | Self::Inventory(_)
                | Self::Findings { .. }
                | Self::Secret { .. }
        )
    }

    /// What the user can do, where the message does not say it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ReadInventory { .. } => Some(
                "name the file with -i FILE or HACTL_INVENTORY, or write a first one: hactl init"
                    .to_owned(),
            ),
            Self::UnknownNode { known, .. } => {
                let names: Vec<_> = known.iter().map(NodeName::as_str).collect();
                Some(format!("it has {}", names.join(", ")))
            }
            Self::Unsupported(UnsupportedHost::Distribution { .. }) => Some(
                "hactl manages Debian and Ubuntu, and RHEL and its derivatives where nginx and \
                     keepalived are installed already"
                    .to_owned(),
            ),
            Self::Unsupported(UnsupportedHost::NoProgram {
                program, packages, ..
            }) => Some(packages.hint(program)),
            Self::Unsupported(UnsupportedHost::Lacking { .. }) => {
                Some("install them with the host's package manager".to_owned())
            }
            Self::NotFitForDrill { remedy, .. } => Some(remedy.clone()),
            Self::Archive(error) => Some(error.hint().to_owned()),
            Self::NothingKept => {
                Some("make one: hactl failover-test --drill nginx-kill".to_owned())
            }
            Self::PlanFile(PlanFileError::MovedOn { .. }) => {
                Some("look at what would change now: hactl plan".to_owned())
            }
            Self::PlanFile(PlanFileError::OtherFormat { .. }) => {
                Some("make it again: `hactl plan --out FILE`".to_owned())
            }
            Self::Unreachable { errors, without } => Some(without.hint(errors)),
            Self::MembersMissing { missing } => Some(how_to_take_out(missing, "add")),
            Self::NotTakenOut { member, .. } => Some(format!(
                "run `systemctl disable --now keepalived` on {}, then again with `--forget {}`; nothing was changed",
                member.called(),
                member.called()
            )),
            Self::NotAMember { missing, .. } if missing.is_empty() => {
                Some("leave --forget out: no node is missing from the inventory".to_owned())
            }
            Self::NotAMember { missing, .. } => Some(format!(
                "missing from the inventory: {}",
                missing.join(", ")
            )),
            Self::Settle(refusal) => Some(refusal.hint().to_owned()),
            Self::StopsServing { losses, goal } => Some(stop_serving_hint(losses, *goal)),
            Self::Plan(PlanError::AnotherCluster(other)) => Some(another_cluster_hint(other)),
            Self::Plan(PlanError::Beside(error)) => Some(error.hint()),
            Self::Plan(PlanError::Partial { .. }) => {
                Some("leave `--limit` out, once every node answers".to_owned())
            }
            Self::Plan(PlanError::Equals { peer, .. }) => Some(format!(
                "leave `--limit` out, or add {peer} to it: equal priorities are broken by addresses, and a VIP may have two owners (KA013)"
            )),
            Self::Plan(PlanError::Obstacle { .. }) => {
                Some("move it out of the way by hand".to_owned())
            }
            _ => None,
        }
    }
}
