//! Builds a plan from a three-way comparison per node: desired, observed and last applied state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::actions::actions;
use super::agreement::{preferred, refuse_equals};
use super::beside;
use super::change::{Cause, Change, FileAction, FileChange, SysctlChange};
use super::desired::Desired;
use super::diff::Redactor;
use super::drift::{drift, kernel_value, told};
use super::owner::require_own_nodes;
use super::packages::missing_packages;
use super::request::{PlanError, Request};
use super::serving::losses;
use super::strategy::{be_silent_meanwhile, refuse_partial, strategy, strictness};
use super::types::{Goal, NodePlan, Place, Plan, Proof};
use crate::agent::{Entry, Fact, LiveFile, Manifest, Observation, TreeFile, sha256_hex};
use crate::model::{FileRole, HostPath, NodeName};
use crate::units;

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
    // VIP owners last, so that a bad change hits nodes without traffic first.
    nodes.sort_by_key(|node| node.holds.len());
    let mut plan = Plan {
        preferred: BTreeMap::new(),
        cluster: request.cluster,
        goal: request.goal,
        generation: match request.goal {
            Goal::Rollback { to: 0 } => 0,
            _ => highest.unwrap_or(0) + 1,
        },
        strategy,
        proof: Proof::NotNeeded,
        losses,
        nodes,
    };
    be_silent_meanwhile(&mut plan, &request.nodes);
    plan.preferred = preferred(&request.nodes, &request.left_out, &request.vips, &plan);
    plan.proof = proof(&plan);
    give_places(&mut plan, &request.addresses);
    Ok(plan)
}

fn proof(plan: &Plan) -> Proof {
    let is_touched = |node: &NodePlan| {
        let mut units = units::ids();
        units.any(|unit| node.unit_change(unit).is_some())
            || node.files().any(|file| file.role.is_script())
    };
    match plan.goal {
        Goal::Rollback { to: 0 } => Proof::NotNeeded,
        _ if !plan.nodes.iter().any(is_touched) => Proof::NotNeeded,
        Goal::Rollback { .. } => Proof::WhatTheOwnerServes,
        Goal::Apply => Proof::AllListeners,
    }
}

/// `addresses` are those of the cluster's nodes, in its order.
fn give_places(plan: &mut Plan, addresses: &[(NodeName, IpAddr)]) {
    let changing: Vec<NodeName> = plan.changing().map(|node| node.node.clone()).collect();
    for node in &mut plan.nodes {
        let own = addresses.iter().find(|(name, _)| *name == node.node);
        let position = changing.iter().position(|name| *name == node.node);
        let (Some((_, address)), Some(position)) = (own, position) else {
            continue;
        };
        let peers = addresses
            .iter()
            .filter(|(name, _)| *name != node.node && changing.contains(name));
        node.place = Some(Place {
            position,
            nodes: changing.len(),
            address: *address,
            peers: peers.map(|(_, address)| *address).collect(),
        });
    }
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
    let units = actions(seen, &desired, &files);
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
    let mut changes: Vec<Change> = Vec::new();
    let install = missing_packages(&desired, seen);
    changes.extend(install.into_iter().map(Change::Install));
    if desired.is_original && seen.recorded.is_some() {
        changes.push(Change::RemovePackages);
    }
    changes.extend(files.into_iter().map(Change::File));
    let sysctls = sysctl_changes(&desired.tree.manifest, seen);
    changes.extend(sysctls.into_iter().map(Change::Sysctl));
    if records_members(&desired, seen) {
        changes.push(Change::Members);
    }
    changes.extend(units.into_iter().map(Change::Unit));
    Ok(NodePlan {
        node: desired.node.clone(),
        generation: seen.generation(),
        place: None,
        ids: desired.ids.clone(),
        holds: vips
            .iter()
            .copied()
            .filter(|vip| seen.holds(*vip))
            .collect(),
        displaces: Vec::new(),
        changes,
        drift: drift(seen),
        tests: Vec::new(),
        expected,
        tree: desired.tree,
    })
}

/// A record by an earlier version of hactl has no members. It is left until something else changes.
fn records_members(desired: &Desired, seen: &Observation) -> bool {
    let wanted = desired.tree.manifest.get(Fact::Members);
    let recorded = seen
        .recorded
        .as_ref()
        .and_then(|own| own.get(Fact::Members));
    recorded.is_some() && wanted.is_some() && recorded != wanted
}

/// Removes files that hactl created and no longer manages, and resets kernel settings to their value before hactl.
/// After that they are out of hactl's hands: whatever others put there is left alone.
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
        // The link is removed. Its target is not touched.
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
            // It is removed because of the desired state, whoever created it.
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

/// Three-way: applied, live, desired.
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
    cause_of(live.as_deref() == applied, wanted == applied)
}

fn cause_of(lies_as_applied: bool, is_wanted_as_applied: bool) -> Cause {
    match (lies_as_applied, is_wanted_as_applied) {
        (true, false) => Cause::Inventory,
        (false, false) => Cause::InventoryAndHand,
        // If the contents agree, only the mode differs, which the inventory cannot change.
        (_, true) => Cause::Hand,
    }
}

fn sysctl_changes(wanted: &Manifest, seen: &Observation) -> Vec<SysctlChange> {
    let differs = |(key, value): &&(String, String)| kernel_value(seen, key) != told(value);
    let applied = |key: &str| {
        let mut recorded = seen.recorded.iter().flat_map(|it| &it.sysctls);
        recorded.find_map(|(own, value)| (own == key).then_some(value.as_str()))
    };
    let change = |(key, value): &(String, String)| SysctlChange {
        key: key.clone(),
        kernel: kernel_value(seen, key).map(str::to_owned),
        wanted: value.clone(),
        cause: match applied(key) {
            None => Cause::New,
            Some(applied) => cause_of(kernel_value(seen, key) == told(applied), value == applied),
        },
    };
    wanted.sysctls.iter().filter(differs).map(change).collect()
}
