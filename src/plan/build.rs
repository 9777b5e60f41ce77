//! Building a plan: a comparison of three states, node by node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::actions::actions;
use super::agreement::{preferred, refuse_equals};
use super::beside::{self, BesideError};
use super::desired::{Desired, MEMBERS};
use super::diff::Redactor;
use super::owner::{AnotherCluster, require_own_nodes};
use super::packages::missing_packages;
use super::serving::losses;
use super::strategy::{be_silent_meanwhile, refuse_partial, strategy, strictness};
use super::types::{
    Cause, FileAction, FileChange, Goal, NodePlan, Plan, RunningDrift, SysctlChange,
};
use crate::agent::{Entry, LiveFile, Manifest, Observation, TreeFile, sha256_hex};
use crate::model::{ClusterName, FileRole, HostPath, NodeName};

/// What a plan is built from: per node what is wanted and what was seen.
pub struct Request {
    /// The cluster.
    pub cluster: ClusterName,
    /// Where it shall lead.
    pub goal: Goal,
    /// The nodes that are not changed: those that `--limit` leaves out.
    pub left_out: Vec<LeftOut>,
    /// All VIPs of the cluster.
    pub vips: Vec<IpAddr>,
    /// The nodes, in the inventory's order.
    pub nodes: Vec<(Desired, Observation)>,
    /// How secrets are masked.
    pub redactor: Redactor,
    /// The cluster that these nodes may have been until now.
    pub take_over: Option<ClusterName>,
}

/// A node that is not changed.
pub enum LeftOut {
    /// What it would be if it were changed, and what it was seen to be.
    Seen(Box<(Desired, Observation)>),
    /// Nobody knows what it runs.
    Unseen(NodeName),
}

/// A plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A change on which all nodes must agree was asked for some of them only.
    #[error(
        "cannot change the nodes without {without}: {reason}, and nodes that disagree on that elect an owner each"
    )]
    Partial {
        /// What they would disagree on, as a clause.
        reason: String,
        /// A node that is left out and would disagree.
        without: NodeName,
    },
    /// A node would get the priority of one that is not changed (rule KA013).
    #[error(
        "cannot change the nodes without {peer}: {node} would have priority {priority} in {instance}, which {peer} keeps"
    )]
    Equals {
        /// The node.
        node: NodeName,
        /// The VRRP instance.
        instance: String,
        /// Its priority.
        priority: u8,
        /// The node that is left out.
        peer: NodeName,
    },
    /// The nodes are another cluster's.
    #[error(transparent)]
    AnotherCluster(AnotherCluster),
    /// hactl's part cannot live beside what others have.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// Something that is no regular file lies where a file shall go.
    #[error("{node}: {path} is no regular file but {found}")]
    Obstacle {
        /// The node.
        node: NodeName,
        /// Where.
        path: HostPath,
        /// What lies there.
        found: String,
    },
}

/// Compares what is wanted with what is there and what was last applied.
pub fn build(request: Request) -> Result<Plan, PlanError> {
    let seen = request.nodes.iter().map(|(_, seen)| seen);
    require_own_nodes(&request.cluster, request.take_over.as_ref(), seen)
        .map_err(PlanError::AnotherCluster)?;
    let highest = request
        .nodes
        .iter()
        .map(|(_, seen)| seen.generation().unwrap_or(0).max(seen.highest_generation))
        .max();
    let strictness = strictness(&request);
    let strategy = strategy(&request, strictness);
    let mut planned = Vec::new();
    for (desired, seen) in &request.nodes {
        beside::require(desired, seen)?;
        let node = node_plan(desired.clone(), seen, &request.vips, &request.redactor)?;
        planned.push((node, seen));
    }
    let losses = losses(&planned);
    let mut nodes: Vec<NodePlan> = planned.into_iter().map(|(node, _)| node).collect();
    refuse_partial(&request.left_out, &strategy, &nodes, strictness)?;
    refuse_equals(&request)?;
    // The VIPs' holders last, so that a bad change meets the nodes that serve nobody first.
    nodes.sort_by_key(|node| node.holds.len());
    let mut plan = Plan {
        preferred: BTreeMap::new(),
        cluster: request.cluster,
        goal: request.goal,
        next_generation: highest.unwrap_or(0) + 1,
        strategy,
        losses,
        nodes,
    };
    be_silent_meanwhile(&mut plan, &request.nodes);
    plan.preferred = preferred(&request.nodes, &request.left_out, &request.vips, &plan);
    Ok(plan)
}

pub(super) fn node_plan(
    mut desired: Desired,
    seen: &Observation,
    vips: &[IpAddr],
    redactor: &Redactor,
) -> Result<NodePlan, PlanError> {
    drop_what_is_managed_no_longer(&mut desired, seen);
    let mut files = Vec::new();
    for file in &desired.tree.files {
        files.extend(file_change(file, seen, redactor)?);
    }
    for entry in &desired.tree.manifest.entries {
        files.extend(other_change(entry, seen, redactor)?);
    }
    let done = actions(seen, &desired, &files);
    let install = missing_packages(&desired, seen);
    let paths: BTreeSet<HostPath> = desired
        .tree
        .full_manifest()
        .entries
        .iter()
        .map(|entry| entry.path().clone())
        .collect();
    let expected: BTreeMap<_, _> = paths
        .into_iter()
        .map(|path| {
            let hash = seen
                .files
                .get(&path)
                .and_then(LiveFile::content)
                .map(sha256_hex);
            (path, hash)
        })
        .collect();
    Ok(NodePlan {
        node: desired.node.clone(),
        generation: seen.generation(),
        ids: desired.ids.clone(),
        holds: vips
            .iter()
            .copied()
            .filter(|vip| seen.holds(*vip))
            .collect(),
        displaces: Vec::new(),
        install,
        remove_packages: desired.is_original && seen.recorded.is_some(),
        files,
        sysctls: sysctl_changes(&desired.tree.manifest, seen),
        records_members: records_members(&desired, seen),
        drift: drift(seen),
        nginx: done.nginx,
        keepalived: done.keepalived,
        restart_reason: done.restart_reason,
        keepalived_restart_reason: done.keepalived_restart_reason,
        tests: Vec::new(),
        expected,
        tree: desired.tree,
    })
}

/// A record of an earlier version of hactl, which names none, is left until something else changes.
fn records_members(desired: &Desired, seen: &Observation) -> bool {
    let wanted = desired.tree.manifest.get(MEMBERS);
    let recorded = seen.recorded.as_ref().and_then(|own| own.get(MEMBERS));
    recorded.is_some() && wanted.is_some() && recorded != wanted
}

/// A path that the live generation has and the desired state has not goes away, if hactl brought it;
/// a kernel setting gets the value that it had before hactl. Once that is done it is no business of
/// hactl's any more: what somebody else puts there is left alone.
fn drop_what_is_managed_no_longer(desired: &mut Desired, seen: &Observation) {
    let (Some(recorded), Some(original)) = (&seen.recorded, &seen.original) else {
        return;
    };
    let full = desired.tree.full_manifest();
    let is_there = |entry: &&Entry| !matches!(entry, Entry::Absent { .. });
    for entry in recorded.entries.iter().filter(is_there) {
        let path = entry.path();
        let was_absent = original
            .entries
            .iter()
            .any(|entry| matches!(entry, Entry::Absent { path: own } if own == path));
        if was_absent && !full.speaks_of(path) {
            desired
                .tree
                .manifest
                .entries
                .push(Entry::Absent { path: path.clone() });
        }
    }
    for (key, applied) in &recorded.sysctls {
        let is_wanted = desired
            .tree
            .manifest
            .sysctls
            .iter()
            .any(|(own, _)| own == key);
        let before = original.sysctls.iter().find(|(own, _)| own == key);
        if let (false, Some((key, value))) = (is_wanted, before)
            && told(value) != told(applied)
        {
            desired
                .tree
                .manifest
                .sysctls
                .push((key.clone(), value.clone()));
        }
    }
}

fn file_change(
    file: &TreeFile,
    seen: &Observation,
    redactor: &Redactor,
) -> Result<Option<FileChange>, PlanError> {
    let live = seen.files.get(&file.path).unwrap_or(&LiveFile::Absent);
    let wanted_permissions = format!("{:04o} {}:{}", file.mode, file.owner, file.group);
    let (before, permissions): (&[u8], _) = match live {
        LiveFile::File {
            mode,
            owner,
            group,
            content,
        } => (content, Some(format!("{mode:04o} {owner}:{group}"))),
        // The link goes; what it points to is not touched.
        LiveFile::Link(target) => (&[], Some(format!("a link to {target}"))),
        LiveFile::Absent => (&[], None),
        LiveFile::Other => return Err(obstacle(seen, &file.path)),
    };
    let same_permissions = permissions.as_ref() == Some(&wanted_permissions);
    let is_file = matches!(live, LiveFile::File { .. });
    let same_content = is_file && before == file.content;
    if same_content && same_permissions {
        return Ok(None);
    }
    let action = match (&permissions, same_content) {
        (None, _) => FileAction::Create,
        (Some(_), true) => FileAction::Permissions,
        (Some(_), false) => FileAction::Modify,
    };
    Ok(Some(FileChange {
        path: file.path.clone(),
        role: file.role,
        action,
        cause: cause(&file.path, Some(&sha256_hex(&file.content)), live, seen),
        diff: redactor.diff(file.role, before, &file.content),
        permissions: permissions
            .filter(|_| !same_permissions)
            .map(|before| (before, wanted_permissions)),
    }))
}

fn obstacle(seen: &Observation, path: &HostPath) -> PlanError {
    PlanError::Obstacle {
        node: seen.node.clone(),
        path: path.clone(),
        found: "a folder or a device".to_owned(),
    }
}

fn other_change(
    entry: &Entry,
    seen: &Observation,
    redactor: &Redactor,
) -> Result<Option<FileChange>, PlanError> {
    let Some(live) = seen.files.get(entry.path()) else {
        return Ok(None);
    };
    let recorded_role = seen.recorded.as_ref().and_then(|recorded| {
        recorded.entries.iter().find_map(|own| match own {
            Entry::File { role, path, .. } if path == entry.path() => Some(*role),
            _ => None,
        })
    });
    let role = recorded_role.unwrap_or(FileRole::Other);
    let change = |action, diff| FileChange {
        path: entry.path().clone(),
        role,
        action,
        cause: match cause(entry.path(), None, live, seen) {
            // It goes because of what is wanted now, whoever brought it.
            Cause::New => Cause::Inventory,
            cause => cause,
        },
        diff,
        permissions: None,
    };
    Ok(match (entry, live) {
        (_, LiveFile::Other) => return Err(obstacle(seen, entry.path())),
        (Entry::Absent { .. }, LiveFile::File { content, .. }) => Some(change(
            FileAction::Delete,
            redactor.diff(role, content, b""),
        )),
        (Entry::Absent { .. }, LiveFile::Link(_)) => {
            Some(change(FileAction::Delete, String::new()))
        }
        (Entry::Link { target, .. }, live) if *live != LiveFile::Link(target.clone()) => {
            Some(change(FileAction::Modify, format!("-> {target}\n")))
        }
        _ => None,
    })
}

/// Three-way: what was applied, what lies there, what is wanted.
fn cause(path: &HostPath, wanted: Option<&str>, live: &LiveFile, seen: &Observation) -> Cause {
    let Some(recorded) = seen
        .recorded
        .as_ref()
        .filter(|recorded| recorded.speaks_of(path))
    else {
        return Cause::New;
    };
    let applied = recorded.sha256_of(path);
    let live = live.content().map(sha256_hex);
    match (live.as_deref() == applied, wanted == applied) {
        (true, false) => Cause::Inventory,
        (false, false) => Cause::InventoryAndHand,
        // The contents agree when only the mode differs, which the inventory cannot change.
        (_, true) => Cause::Hand,
    }
}

/// What the kernel uses, and nothing for a key that it lacks or that is empty: a record writes both as
/// an empty text or `-`.
fn kernel_value<'a>(seen: &'a Observation, key: &str) -> Option<&'a str> {
    told(seen.sysctls.get(key)?.as_deref()?)
}

fn told(value: &str) -> Option<&str> {
    Some(value).filter(|value| !matches!(*value, "" | "-"))
}

fn sysctl_changes(wanted: &Manifest, seen: &Observation) -> Vec<SysctlChange> {
    let differs = |(key, value): &&(String, String)| kernel_value(seen, key) != told(value);
    let change = |(key, value): &(String, String)| SysctlChange {
        key: key.clone(),
        kernel: kernel_value(seen, key).map(str::to_owned),
        wanted: value.clone(),
    };
    wanted.sysctls.iter().filter(differs).map(change).collect()
}

/// What runs, against what was applied.
pub fn drift(seen: &Observation) -> Vec<RunningDrift> {
    let Some(recorded) = &seen.recorded else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, applied) in &recorded.sysctls {
        let kernel = kernel_value(seen, key);
        if kernel != told(applied) && seen.sysctls.contains_key(key) {
            found.push(RunningDrift::Sysctl {
                key: key.clone(),
                applied: applied.clone(),
                kernel: kernel.map(str::to_owned),
            });
        }
    }
    for program in ["nginx", "keepalived"] {
        let (unit, service) = (format!("{program}.service"), seen.service(program));
        if service.is_masked() {
            found.push(RunningDrift::Masked { unit: unit.clone() });
        }
        if !service.is_active() {
            found.push(RunningDrift::Down {
                unit,
                state: service.active,
            });
            continue;
        }
        if !service.is_masked() && service.enabled != "enabled" {
            found.push(RunningDrift::NotEnabled { unit: unit.clone() });
        }
        if !service.is_masked() && service.needs_daemon_reload {
            found.push(RunningDrift::DaemonReloadNeeded { unit });
        }
        if program == "keepalived" {
            let unwatched = seen.unwatched.iter().cloned();
            found.extend(unwatched.map(|file| RunningDrift::Unwatched { file }));
        }
        let applied = recorded
            .get(&format!("{program}_id"))
            .unwrap_or_default()
            .to_owned();
        if program == "nginx" && seen.serves.as_deref() != Some(applied.as_str()) {
            found.push(RunningDrift::NginxServes {
                applied,
                serves: seen.serves.clone(),
            });
        } else if program == "keepalived" && seen.loaded.as_deref() != Some(applied.as_str()) {
            found.push(RunningDrift::KeepalivedLoaded {
                applied,
                loaded: seen.loaded.clone(),
            });
        }
    }
    found
}
