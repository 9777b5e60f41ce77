//! Preconditions that a host must meet, whatever is applied to it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::cluster::vips;
use super::error::OpsError;
use super::host_problem::HostProblem;
use super::member::Missing;
use super::membership;
use super::neighbours::strangers;
use super::selection::Loaded;
use super::snapshot::Other;
use crate::agent::Observation;
use crate::apply::Fleet;
use crate::check::{self, ClusterEvidence, Stranger};
use crate::model::{Cluster, InterfaceName, NodeName, UnitId};
use crate::units;

/// Refuses hosts on which the cluster cannot work: an interface is missing, or another host on the link has a VIP (rule
/// KA025). Returns the members that the inventory no longer lists.
pub(super) async fn require_fit(
    loaded: &Loaded,
    fleet: &Fleet,
    seen: &[Observation],
    others: &[Other],
) -> Result<Vec<Missing>, OpsError> {
    let mut problems: Vec<HostProblem> = seen
        .iter()
        .flat_map(|seen| missing_interfaces(loaded, seen))
        .collect();
    problems.extend(same_machines(seen));
    let (missing, taken) =
        look_on_the_wire(loaded, fleet, seen, others, vips(&loaded.cluster)).await?;
    problems.extend(taken);
    if problems.is_empty() {
        Ok(missing)
    } else {
        Err(OpsError::Unfit { problems })
    }
}

/// Probes for those of `vips` that no node has. Returns the members that the inventory no longer lists, and each of
/// these VIPs that one of them or a foreign host has (rule KA025).
pub(super) async fn look_on_the_wire(
    loaded: &Loaded,
    fleet: &Fleet,
    seen: &[Observation],
    others: &[Other],
    vips: Vec<IpAddr>,
) -> Result<(Vec<Missing>, Vec<HostProblem>), OpsError> {
    let cluster = &loaded.cluster;
    let all: Vec<&Observation> = seen
        .iter()
        .chain(others.iter().filter_map(Other::seen))
        .collect();
    let owned = |vip: &IpAddr| all.iter().any(|seen| seen.holds(*vip));
    let free: Vec<IpAddr> = vips
        .into_iter()
        // An unobserved node may hold it, and rightly so.
        .filter(|vip| !owned(vip) && all.len() == cluster.nodes.len())
        .collect();
    let agent = seen.first().and_then(|seen| fleet.get(&seen.node));
    let missing = membership::missing(cluster, &all);
    let hears = membership::is_heard_by_all(cluster, &all);
    let missing = membership::look_for(missing, &free, agent, &all, hears).await;
    let (false, Some(agent)) = (free.is_empty(), agent) else {
        return Ok((missing, Vec::new()));
    };
    let taken = strangers(agent, free, &all).await;
    let taken = taken.map_err(|error| OpsError::Hosts {
        errors: vec![error],
    })?;
    let member_with = |vip: &IpAddr| missing.iter().find(|one| one.holds.contains(vip));
    let (removed, strangers): (Vec<_>, Vec<_>) = taken
        .into_iter()
        .partition(|(vip, _)| member_with(vip).is_some());
    let of_removed = removed.into_iter().filter_map(|(vip, _)| {
        Some(HostProblem::VipOfRemoved {
            node: agent.node().clone(),
            vip,
            member: member_with(&vip)?.member.clone(),
        })
    });
    let mut problems: Vec<HostProblem> = of_removed.collect();
    problems.extend(taken_vips(cluster, agent.node(), strangers));
    Ok((missing, problems))
}

/// The VIPs that a host outside the cluster answers for, as seen from `node`.
fn taken_vips(
    cluster: &Cluster,
    node: &NodeName,
    taken: Vec<(IpAddr, String)>,
) -> Vec<HostProblem> {
    let strangers: Vec<Stranger> = taken
        .into_iter()
        .map(|(vip, hardware)| Stranger {
            node: node.clone(),
            vip,
            hardware,
        })
        .collect();
    let evidence = ClusterEvidence {
        cluster,
        seen: &[],
        problems: &[],
        strangers: &strangers,
    };
    let found = check::of_hosts(&evidence).into_iter();
    let problem = |finding| HostProblem::VipTaken {
        node: node.clone(),
        finding: Box::new(finding),
    };
    found.map(problem).collect()
}

fn missing_interfaces(loaded: &Loaded, seen: &Observation) -> Vec<HostProblem> {
    let Some(node) = loaded.cluster.node(&seen.node) else {
        return Vec::new();
    };
    let own = loaded
        .cluster
        .instances
        .iter()
        .filter_map(|instance| instance.interface.as_ref());
    let needed: BTreeSet<&InterfaceName> = own.chain([&node.interface]).collect();
    let has = || {
        let names = seen.interfaces.keys().filter(|name| *name != "lo");
        names.cloned().collect()
    };
    needed
        .into_iter()
        .filter(|interface| !seen.interfaces.contains_key(interface.as_str()))
        .map(|interface| HostProblem::NoInterface {
            node: node.name.clone(),
            interface: interface.clone(),
            has: has(),
        })
        .collect()
}

/// Refuses to change hosts on which a daemon's unit is masked: systemd can neither start nor reload it, so the change
/// would fail halfway, and so would its rollback. Read-only commands are not affected.
pub(super) fn refuse_masked(seen: &[Observation]) -> Result<(), OpsError> {
    let problems: Vec<HostProblem> = seen.iter().flat_map(masked).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Unfit { problems })
    }
}

fn masked(seen: &Observation) -> impl Iterator<Item = HostProblem> {
    let is_masked = |unit: &UnitId| seen.service(*unit).is_masked();
    units::ids()
        .filter(is_masked)
        .map(|unit| HostProblem::Masked {
            node: seen.node.clone(),
            unit,
        })
}

/// Nodes that lead to the same machine as an earlier node. Changed twice, that machine would end up with the files of
/// one node only.
fn same_machines(seen: &[Observation]) -> Vec<HostProblem> {
    let of_earlier = |(index, own): (usize, &Observation)| {
        let is_same =
            |other: &&Observation| own.boot_id == other.boot_id && own.hostname == other.hostname;
        let earlier = seen.get(..index)?.iter().find(is_same)?;
        Some(HostProblem::SameMachine {
            node: earlier.node.clone(),
            other: own.node.clone(),
            hostname: own.hostname.clone(),
        })
    };
    seen.iter().enumerate().filter_map(of_earlier).collect()
}
