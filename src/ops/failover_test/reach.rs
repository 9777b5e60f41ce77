//! Reaches nodes that lose their link, their power or their daemons during a drill.

use std::time::Duration;

use futures::future::join_all;

use crate::agent::{Agent, AgentError, Client, LockRequest, Observation, ObserveRequest};
use crate::apply::each;
use crate::model::{Node, NodeName};
use crate::ops::connect::Connections;
use crate::ops::selection::Loaded;

/// A node that takes longer for a quick observation is in trouble.
const GLANCE: Duration = Duration::from_secs(2);

/// All nodes of a cluster. Lost connections are opened again.
pub(super) struct Reach<'a> {
    connections: Connections<'a>,
    nodes: Vec<&'a Node>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(loaded: &'a Loaded, connections: Connections<'a>) -> Self {
        Self {
            connections,
            nodes: loaded.cluster.nodes.iter().collect(),
        }
    }

    /// Probes VIPs from outside.
    pub(super) fn client(&self) -> &dyn Client {
        self.connections.client
    }

    pub(super) fn agent(&self, node: &NodeName) -> Option<&Agent> {
        self.connections.fleet.get(node)
    }

    /// In the inventory's order.
    pub(super) fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.nodes
            .iter()
            .filter_map(|node| self.connections.fleet.get(&node.name))
    }

    /// The addresses of each node, in the inventory's order. `None` for a node that does not answer, which is
    /// reconnected for the next call.
    pub(super) async fn glance(&mut self) -> Vec<Option<Observation>> {
        let glances = self.nodes.iter().map(|node| async {
            let agent = self.connections.fleet.get(&node.name)?;
            tokio::time::timeout(GLANCE, agent.glance())
                .await
                .ok()?
                .ok()
        });
        let seen = join_all(glances).await;
        let silent = self
            .nodes
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| seen.is_none());
        let silent: Vec<&Node> = silent.map(|(node, _)| *node).collect();
        let Connections {
            connector, fleet, ..
        } = &mut self.connections;
        fleet.reconnect(*connector, &silent).await;
        seen
    }

    /// Full observations of all nodes.
    pub(super) async fn observe(&self) -> Result<Vec<Observation>, Vec<AgentError>> {
        let question = ObserveRequest {
            installed: true,
            ..ObserveRequest::default()
        };
        let seen = each(self.agents(), usize::MAX, |agent| agent.observe(&question)).await;
        let (seen, errors): (Vec<_>, Vec<_>) = seen.into_iter().partition(Result::is_ok);
        let errors: Vec<AgentError> = errors.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() {
            Ok(seen.into_iter().flatten().collect())
        } else {
            Err(errors)
        }
    }

    /// Takes the lock on all nodes, or on none.
    pub(super) async fn lock(&self, request: &LockRequest) -> Result<(), Vec<AgentError>> {
        let taken = each(self.agents(), usize::MAX, |agent| agent.lock(request)).await;
        let errors: Vec<AgentError> = taken.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() {
            return Ok(());
        }
        self.unlock(&request.tx).await;
        Err(errors)
    }

    /// Releases the lock on nodes that can be reached. Elsewhere it expires.
    pub(super) async fn unlock(&self, tx: &str) {
        let given = each(self.agents(), usize::MAX, |agent| {
            tokio::time::timeout(Duration::from_secs(5), agent.unlock(tx))
        });
        given.await;
    }
}
