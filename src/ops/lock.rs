//! `hactl lock`: shows who holds the cluster lock, and breaks the lock of a holder that is gone.

use super::connect::Hosts;
use super::error::OpsError;
use super::holder::is_dead;
use super::selection::{Selection, read_inventory};
use super::status::Unreachable;
use super::transport::Access;
use crate::agent::{AgentError, Journal, LockInfo, ObserveRequest, Pending};
use crate::apply::{Fleet, each};
use crate::model::{ClusterName, NodeName};

/// One node's lock.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct NodeLock {
    /// The node.
    pub node: NodeName,
    /// Its lock, if it has one.
    pub lock: Option<LockInfo>,
    /// True if the holder ran on this machine and has exited.
    pub is_holder_dead: bool,
    /// The change in progress on the node.
    pub journal: Option<Journal>,
}

/// The locks of all nodes.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub struct LockReport {
    /// The cluster.
    pub cluster: ClusterName,
    /// Nodes that answered.
    pub nodes: Vec<NodeLock>,
    /// Nodes that did not answer.
    pub unreachable: Vec<Unreachable>,
    /// Nodes whose lock was broken.
    pub broken: Vec<NodeName>,
    /// Why locks could not be broken.
    #[serde(skip)]
    pub errors: Vec<AgentError>,
}

pub struct LockBreakRequest<'a> {
    /// Break locks even while a change is in progress.
    pub force: bool,
    /// Shown the locks that were found. `false` aborts.
    pub agree: &'a (dyn Fn(&LockReport) -> bool + Sync),
}

pub async fn lock_show(selection: &Selection, access: &Access) -> Result<LockReport, OpsError> {
    let cluster = read_inventory(&selection.inventory)?.cluster;
    let hosts = Hosts::some_of(access, &cluster, &selection.nodes_of(&cluster)?);
    hosts
        .with(async |connections, errors| {
            look(access, cluster.name.clone(), connections.fleet, errors).await
        })
        .await
}

/// Breaks the locks. Nothing live is touched: a change in progress is left to its host's timer.
pub async fn lock_break(
    selection: &Selection,
    access: &Access,
    request: LockBreakRequest<'_>,
) -> Result<LockReport, OpsError> {
    let cluster = read_inventory(&selection.inventory)?.cluster;
    let hosts = Hosts::some_of(access, &cluster, &selection.nodes_of(&cluster)?);
    hosts
        .with(async |connections, errors| {
            let fleet = &*connections.fleet;
            let mut report = look(access, cluster.name.clone(), fleet, errors).await?;
            break_all(fleet, &mut report, request).await?;
            Ok(report)
        })
        .await
}

async fn break_all(
    fleet: &Fleet,
    report: &mut LockReport,
    request: LockBreakRequest<'_>,
) -> Result<(), OpsError> {
    let is_under_way = |node: &NodeLock| node.lock.is_some() && node.journal.is_some();
    let refused = |node: &NodeLock| AgentError::Pending {
        node: node.node.clone(),
        pending: Pending::UnderWay,
    };
    if !request.force && report.nodes.iter().any(is_under_way) {
        let nodes = report.nodes.iter().filter(|node| is_under_way(node));
        let errors = nodes.map(refused).collect();
        return Err(OpsError::Hosts { errors });
    }
    let has_lock = report.nodes.iter().any(|node| node.lock.is_some());
    if has_lock && (request.agree)(report) {
        for node in &report.nodes {
            let (Some(agent), Some(lock)) = (fleet.get(&node.node), &node.lock) else {
                continue;
            };
            match agent.break_lock(&lock.tx, request.force).await {
                Ok(()) => report.broken.push(node.node.clone()),
                Err(error) => report.errors.push(error),
            }
        }
    }
    Ok(())
}

async fn look(
    access: &Access,
    cluster: ClusterName,
    fleet: &Fleet,
    mut errors: Vec<AgentError>,
) -> Result<LockReport, OpsError> {
    let question = ObserveRequest::default();
    let answers = each(fleet.agents(), access.parallel, |agent| {
        agent.observe(&question)
    });
    let mut found = Vec::new();
    for answer in answers.await {
        match answer {
            Ok(seen) => found.push(NodeLock {
                node: seen.node,
                is_holder_dead: seen.lock.as_ref().is_some_and(is_dead),
                lock: seen.lock,
                journal: seen.journal,
            }),
            Err(error) => errors.push(error),
        }
    }
    if found.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    Ok(LockReport {
        cluster,
        nodes: found,
        unreachable: errors.iter().map(Unreachable::of).collect(),
        broken: Vec::new(),
        errors: Vec::new(),
    })
}
