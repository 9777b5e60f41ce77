//! `hactl rollback`: applies an earlier generation, with the same plan, order and checks as apply.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::change::{ApplyReport, ApplyRequest, change};
use super::cluster::{self, addresses, vips};
use super::error::OpsError;
use super::fitness::look_on_the_wire;
use super::planning::{Planned, Planner, redactor};
use super::selection::{Loaded, Selection, load};
use super::snapshot::ClusterSnapshot;
use super::transport::Access;
use super::wanted::left_out_as;
use crate::agent::{Agent, AgentError, Fact, Manifest, Observation};
use crate::apply::each;
use crate::model::HostPath;
use crate::plan::{Desired, Goal, Request, build};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RollbackRequest {
    /// Its number. `None` for the one before the live one.
    pub to: Option<u64>,
}

pub async fn rollback(
    selection: &Selection,
    access: &Access,
    request: RollbackRequest,
    how: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let mut loaded = load(selection)?;
    let planner = ToGeneration {
        parallel: access.parallel,
        to: request.to,
    };
    change(access, &mut loaded, planner, how).await
}

/// Plans to restore an earlier generation.
struct ToGeneration {
    parallel: usize,
    to: Option<u64>,
}

impl Planner for ToGeneration {
    const INSPECTS: bool = false;

    async fn plan(
        &self,
        loaded: &Loaded,
        snapshot: &ClusterSnapshot<'_>,
        seen: &[Observation],
    ) -> Result<Planned, OpsError> {
        make(loaded, snapshot, seen, self.to, self.parallel).await
    }
}

async fn make(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
    seen: &[Observation],
    to: Option<u64>,
    parallel: usize,
) -> Result<Planned, OpsError> {
    let live: Vec<&Manifest> = seen
        .iter()
        .filter_map(|seen| seen.recorded.as_ref())
        .collect();
    let Some(to) = to.or_else(|| previous(&live)) else {
        return Err(OpsError::NoGeneration {
            reason: "hactl has applied nothing to these nodes yet".to_owned(),
        });
    };
    let fetched = each(snapshot.fleet.agents(), parallel, |agent| fetch(agent, to)).await;
    refuse_unknown(to, &fetched)?;
    let mut desired = BTreeMap::new();
    let mut errors = Vec::new();
    for (agent, fetched) in snapshot.fleet.agents().zip(fetched) {
        let node = agent.node();
        let is_live = |seen: &Observation| seen.node == *node && seen.recorded.is_some();
        if to == 0 && !seen.iter().any(is_live) && seen.iter().any(|seen| seen.node == *node) {
            desired.insert(node.clone(), Desired::as_it_is(node));
            continue;
        }
        let is_left_out = loaded.nodes().iter().all(|own| own.name != *node);
        let found = fetched.map(|fetched| match fetched.generation {
            Some((manifest, contents)) => Desired::from_generation(node, manifest, contents)
                .ok_or_else(|| format!("{node}'s copy of generation {to} is damaged")),
            None => Err(format!("{node} has no generation {to}, nor an earlier one")),
        });
        match found {
            Ok(Ok(own)) => {
                desired.insert(node.clone(), own.with_members_of(&loaded.cluster));
            }
            // It is outside the change, and only cannot be compared.
            _ if is_left_out => {}
            Ok(Err(reason)) => return Err(OpsError::NoGeneration { reason }),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    let nodes = seen
        .iter()
        .filter_map(|seen| Some((desired.remove(&seen.node)?, seen.clone())))
        .collect();
    let nodes: Vec<(Desired, Observation)> = nodes;
    let vips = vips_of(loaded, to, nodes.iter().map(|(desired, _)| desired));
    refuse_taken(loaded, snapshot, &vips).await?;
    let left_out = left_out_as(loaded, snapshot, |node, _| desired.remove(&node.name));
    let plan = build(Request {
        cluster: loaded.cluster.name.clone(),
        goal: Goal::Rollback { to },
        addresses: addresses(&loaded.cluster),
        vips: vips.clone(),
        left_out,
        nodes,
        redactor: redactor()?,
        take_over: loaded.take_over.clone(),
    })
    .map_err(OpsError::Plan)?;
    Ok(Planned {
        plan,
        findings: Vec::new(),
        // A rollback undoes a change to some nodes, so the other nodes need not match it.
        behind: Vec::new(),
        vips,
    })
}

/// The VIPs of a generation, which may differ from the inventory's. A generation from before hactl recorded them is
/// assumed to have the inventory's.
fn vips_of<'a>(loaded: &Loaded, to: u64, nodes: impl Iterator<Item = &'a Desired>) -> Vec<IpAddr> {
    let mut all = BTreeSet::new();
    for desired in nodes {
        match desired.tree.manifest.get(Fact::Vips) {
            Some(recorded) if to > 0 => {
                all.extend(
                    recorded
                        .split(' ')
                        .filter_map(|vip| vip.parse::<IpAddr>().ok()),
                );
            }
            _ => return vips(&loaded.cluster),
        }
    }
    all.into_iter().collect()
}

/// Refuses VIPs that would come back although another host has taken them since (rule KA025). The inventory's own VIPs
/// have been checked before.
async fn refuse_taken(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
    vips: &[IpAddr],
) -> Result<(), OpsError> {
    let known = cluster::vips(&loaded.cluster);
    let new: Vec<IpAddr> = vips
        .iter()
        .copied()
        .filter(|vip| !known.contains(vip))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let (seen, others) = (&snapshot.seen, &snapshot.others);
    let (_, problems) = look_on_the_wire(loaded, snapshot.fleet, seen, others, new).await?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Unfit { problems })
    }
}

/// The generation of the cluster before its last change. That change included the nodes with the highest number. The
/// remaining nodes may have changed since the former got their previous generation.
fn previous(live: &[&Manifest]) -> Option<u64> {
    let newest = live.iter().filter_map(|own| own.generation()).max()?;
    let before = |own: &&Manifest| {
        let number = own.generation()?;
        if number < newest {
            return Some(number);
        }
        let told = own
            .get(Fact::Previous)
            .and_then(|number| number.parse().ok());
        told.or_else(|| number.checked_sub(1))
    };
    Some(live.iter().filter_map(before).max().unwrap_or(0))
}

/// A number that no node knows is the user's mistake, whatever generations precede it.
fn refuse_unknown(to: u64, fetched: &[Result<Fetched, AgentError>]) -> Result<(), OpsError> {
    let known: BTreeSet<u64> = fetched
        .iter()
        .flatten()
        .flat_map(|fetched| fetched.numbers.iter().copied())
        .collect();
    // If a node did not answer, its error is the one to report.
    if known.contains(&to) || fetched.iter().any(Result::is_err) {
        return Ok(());
    }
    let list: Vec<String> = known.iter().map(u64::to_string).collect();
    let reason = if list.is_empty() {
        "hactl has applied nothing to these nodes yet".to_owned()
    } else {
        format!(
            "there is no generation {to}; there {} {}",
            if list.len() == 1 { "is only" } else { "are" },
            list.join(", ")
        )
    };
    Err(OpsError::NoGeneration { reason })
}

type Generation = (Manifest, BTreeMap<HostPath, Vec<u8>>);

/// What a node keeps of its past.
struct Fetched {
    /// All its generations.
    numbers: Vec<u64>,
    /// The requested generation.
    generation: Option<Generation>,
}

/// What was live on this node when the cluster was at generation `to`. A node that was not part of that change has only
/// an earlier generation.
async fn fetch(agent: &Agent, to: u64) -> Result<Fetched, AgentError> {
    let (manifests, _) = agent.history().await?;
    let numbers: Vec<u64> = manifests.iter().filter_map(Manifest::generation).collect();
    let meant = numbers
        .iter()
        .filter(|number| **number <= to && (to == 0 || **number > 0))
        .max();
    let generation = match meant {
        Some(number) => Some(agent.generation(*number).await?),
        None => None,
    };
    Ok(Fetched {
        numbers,
        generation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(generation: u64, before: u64) -> Manifest {
        let text = format!("generation\t{generation}\nprevious\t{before}\n");
        Manifest::parse(&text)
    }

    #[test]
    fn only_the_last_change_is_taken_back() {
        let of = |nodes: &[(u64, u64)]| {
            let live: Vec<Manifest> = nodes.iter().map(|(own, told)| live(*own, *told)).collect();
            previous(&live.iter().collect::<Vec<_>>())
        };
        assert_eq!(of(&[(6, 5), (6, 5)]), Some(5));
        // The last change included the second node only, and the one before it only the first.
        assert_eq!(of(&[(2, 1), (3, 1)]), Some(2));
        // The third node was new in the last change.
        assert_eq!(of(&[(6, 5), (6, 5), (6, 0)]), Some(5));
        assert_eq!(of(&[(1, 0)]), Some(0));
        assert_eq!(of(&[]), None);
    }
}
