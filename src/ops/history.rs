//! `hactl history`: the cluster's generations.

use std::collections::BTreeMap;

use super::connect::Hosts;
use super::error::OpsError;
use super::selection::{Selection, load};
use super::transport::Access;
use crate::agent::{Agent, Fact, Manifest};
use crate::apply::each;
use crate::model::{ClusterName, NodeName, UnitId};
use crate::units;

/// One generation on one node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct NodeHistory {
    /// The node.
    pub node: NodeName,
    /// True if it is the node's live generation.
    pub live: bool,
    /// The identities of the units' configurations.
    pub ids: BTreeMap<UnitId, String>,
    /// Number of files.
    pub files: usize,
}

/// One generation of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct HistoryEntry {
    /// Its number. 0 is the state of the hosts before hactl.
    pub generation: u64,
    /// When it was applied, UTC.
    pub at: String,
    /// Who applied it.
    pub by: String,
    /// The inventory's Git commit.
    pub commit: String,
    /// The generation that it restored, if it is a rollback.
    pub restores: Option<u64>,
    /// The nodes that have it.
    pub nodes: Vec<NodeHistory>,
}

/// All generations, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct HistoryReport {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its generations.
    pub entries: Vec<HistoryEntry>,
}

impl HistoryReport {
    /// From the generations of all nodes, each with the number of its live one.
    pub fn new(
        cluster: ClusterName,
        answers: impl IntoIterator<Item = (NodeName, Vec<Manifest>, Option<u64>)>,
    ) -> Self {
        let mut entries: BTreeMap<u64, HistoryEntry> = BTreeMap::new();
        for (node, manifests, live) in answers {
            for manifest in manifests {
                add(&mut entries, &node, &manifest, live);
            }
        }
        Self {
            cluster,
            entries: entries.into_values().rev().collect(),
        }
    }
}

/// Queries every node for its generations. All must answer.
pub async fn history(selection: &Selection, access: &Access) -> Result<HistoryReport, OpsError> {
    let loaded = load(selection)?;
    let hosts = Hosts::some_of(access, &loaded.cluster, &loaded.nodes());
    hosts
        .with(async |connections, mut errors| {
            if !errors.is_empty() {
                return Err(OpsError::Hosts { errors });
            }
            let agents = || connections.fleet.agents();
            let asked = each(agents(), access.parallel, Agent::history).await;
            let mut answers = Vec::new();
            for (agent, answer) in agents().zip(asked) {
                match answer {
                    Ok((manifests, live)) => answers.push((agent.node().clone(), manifests, live)),
                    Err(error) => errors.push(error),
                }
            }
            if !errors.is_empty() {
                return Err(OpsError::Hosts { errors });
            }
            Ok(HistoryReport::new(loaded.cluster.name.clone(), answers))
        })
        .await
}

fn add(
    entries: &mut BTreeMap<u64, HistoryEntry>,
    node: &NodeName,
    manifest: &Manifest,
    live: Option<u64>,
) {
    let Some(generation) = manifest.generation() else {
        return;
    };
    let text = |fact| manifest.get(fact).unwrap_or_default().to_owned();
    let entry = entries.entry(generation).or_insert_with(|| HistoryEntry {
        generation,
        at: text(Fact::AppliedAt),
        by: text(Fact::AppliedBy),
        commit: text(Fact::Commit),
        restores: manifest
            .get(Fact::Restores)
            .and_then(|number| number.parse().ok()),
        nodes: Vec::new(),
    });
    entry.nodes.push(NodeHistory {
        node: node.clone(),
        live: live.unwrap_or(0) == generation,
        ids: units::ids()
            .filter_map(|unit| Some((unit, manifest.facts.id_of(unit)?.to_owned())))
            .collect(),
        files: manifest.entries.len(),
    });
}
