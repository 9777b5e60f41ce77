//! `hactl history`: the cluster's generations.

use std::collections::BTreeMap;

use super::context::{Context, load};
use super::error::OpsError;
use super::survey::connect;
use crate::agent::{Agent, AgentError, Manifest};
use crate::apply::each;
use crate::model::{ClusterName, NodeName};

/// One generation on one node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NodeHistory {
    /// The node.
    pub node: NodeName,
    /// It is the live one there.
    pub live: bool,
    /// The identity of nginx's configuration.
    pub nginx_id: Option<String>,
    /// The identity of keepalived's.
    pub keepalived_id: Option<String>,
    /// How many files it consists of.
    pub files: usize,
}

/// One generation of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HistoryEntry {
    /// Its number; 0 is the hosts as they were before hactl.
    pub generation: u64,
    /// When it was applied, UTC.
    pub at: String,
    /// Who applied it.
    pub by: String,
    /// The inventory's Git commit.
    pub commit: String,
    /// The generation that it brought back, if it is a rollback.
    pub restores: Option<u64>,
    /// The nodes that have it.
    pub nodes: Vec<NodeHistory>,
}

/// All generations, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HistoryReport {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its generations.
    pub entries: Vec<HistoryEntry>,
}

impl HistoryReport {
    /// The generations of all nodes, each with the number of its live one.
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

/// Asks every node for its generations.
pub async fn history(context: &Context) -> Result<HistoryReport, OpsError> {
    let loaded = load(context)?;
    let (_, fleet) = connect(context, &loaded).await?;
    let asked = each(fleet.agents(), context.parallel, Agent::history).await;
    let mut answers = Vec::new();
    let mut errors: Vec<AgentError> = Vec::new();
    for (agent, answer) in fleet.agents().zip(asked) {
        match answer {
            Ok((manifests, live)) => answers.push((agent.node().clone(), manifests, live)),
            Err(error) => errors.push(error),
        }
    }
    fleet.close().await;
    if !errors.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    Ok(HistoryReport::new(loaded.cluster.name, answers))
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
    let text = |key: &str| manifest.get(key).unwrap_or_default().to_owned();
    let entry = entries.entry(generation).or_insert_with(|| HistoryEntry {
        generation,
        at: text("applied_at"),
        by: text("applied_by"),
        commit: text("commit"),
        restores: manifest
            .get("restores")
            .and_then(|number| number.parse().ok()),
        nodes: Vec::new(),
    });
    entry.nodes.push(NodeHistory {
        node: node.clone(),
        live: live.unwrap_or(0) == generation,
        nginx_id: manifest.get("nginx_id").map(str::to_owned),
        keepalived_id: manifest.get("keepalived_id").map(str::to_owned),
        files: manifest.entries.len(),
    });
}
