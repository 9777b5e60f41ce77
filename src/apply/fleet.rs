//! Connections to the nodes' agents, and work on several nodes in parallel.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{self, FuturesUnordered};
use tokio::task::JoinSet;

use crate::agent::{Agent, AgentError};
use crate::model::{Node, NodeName};
use crate::remote::Connector;

/// Limit for closing a connection: with a host that is gone it can take very long.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Open connections by node. They are opened and closed only here: work that needs connections is passed in, and they
/// close when it ends, however it ends. If it is dropped half-way, they are dropped, which closes them, too.
#[derive(Default)]
pub struct Fleet {
    agents: BTreeMap<NodeName, Agent>,
    /// Replaced connections that are being closed.
    replaced: JoinSet<()>,
}

impl Fleet {
    /// Does `work` over connections to `nodes`, opened `parallel` at a time. `work` gets an error for each node that
    /// could not be reached.
    pub async fn with<R>(
        connector: &dyn Connector,
        nodes: &[&Node],
        parallel: usize,
        work: impl AsyncFnOnce(&mut Self, Vec<AgentError>) -> R,
    ) -> R {
        let (mut fleet, errors) = Self::connect(connector, nodes, parallel).await;
        let result = work(&mut fleet, errors).await;
        fleet.end().await;
        result
    }

    async fn connect(
        connector: &dyn Connector,
        nodes: &[&Node],
        parallel: usize,
    ) -> (Self, Vec<AgentError>) {
        let connections = each(nodes.iter().copied(), parallel, |node| {
            connect(connector, node)
        })
        .await;
        let mut fleet = Self::default();
        let mut errors = Vec::new();
        for connection in connections {
            match connection {
                Ok(agent) => {
                    fleet.agents.insert(agent.node().clone(), agent);
                }
                Err(error) => errors.push(error),
            }
        }
        (fleet, errors)
    }

    pub fn get(&self, node: &NodeName) -> Option<&Agent> {
        self.agents.get(node)
    }

    /// All agents, by node name.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// Reconnects to `nodes`, some of which may not answer. Does not wait for the old connections to close.
    pub async fn reconnect(&mut self, connector: &dyn Connector, nodes: &[&Node]) {
        let connections = nodes.iter().map(|node| connect(connector, node));
        for agent in join_all(connections).await.into_iter().flatten() {
            if let Some(old) = self.agents.insert(agent.node().clone(), agent) {
                self.replaced.spawn(old.close());
            }
        }
    }

    async fn end(self) {
        let open = join_all(self.agents.into_values().map(Agent::close));
        let all = async { tokio::join!(open, self.replaced.join_all()) };
        // Connections that are dropped here have nothing left to say.
        let _ = tokio::time::timeout(END_PATIENCE, all).await;
    }
}

/// Connections that are opened while something else takes its time, for work that needs new ones. They are opened and
/// closed only here, like a fleet's.
#[derive(Default)]
pub(super) struct Preopened(Mutex<BTreeMap<NodeName, Agent>>);

impl Preopened {
    /// Does `work`, and closes the connections that it did not use.
    pub(super) async fn with<R>(work: impl AsyncFnOnce(&Self) -> R) -> R {
        let preopened = Self::default();
        let result = work(&preopened).await;
        let left = std::mem::take(&mut *preopened.agents());
        let closed = join_all(left.into_values().map(Agent::close));
        let _ = tokio::time::timeout(END_PATIENCE, closed).await;
        result
    }

    fn agents(&self) -> MutexGuard<'_, BTreeMap<NodeName, Agent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the `nodes` that have no connection yet. One that cannot be reached is tried again when it is needed.
    pub(super) async fn open(&self, connector: &dyn Connector, nodes: impl Iterator<Item = &Node>) {
        let missing: Vec<&Node> = {
            let agents = self.agents();
            nodes
                .filter(|node| !agents.contains_key(&node.name))
                .collect()
        };
        let connections = missing.into_iter().map(|node| connect(connector, node));
        let mut connections: FuturesUnordered<_> = connections.collect();
        while let Some(connection) = connections.next().await {
            if let Ok(agent) = connection {
                self.agents().insert(agent.node().clone(), agent);
            }
        }
    }

    /// Does `work` over a connection to `node` of its own, opened beforehand if there is one.
    pub(super) async fn over<R>(
        &self,
        connector: &dyn Connector,
        node: &Node,
        work: impl AsyncFnOnce(&Agent) -> R,
    ) -> Result<R, AgentError> {
        let opened = self.agents().remove(&node.name);
        let agent = match opened {
            Some(agent) => agent,
            None => connect(connector, node).await?,
        };
        let result = work(&agent).await;
        let _ = tokio::time::timeout(END_PATIENCE, agent.close()).await;
        Ok(result)
    }
}

/// Does `work` over a separate connection to `node`.
pub async fn over<R>(
    connector: &dyn Connector,
    node: &Node,
    work: impl AsyncFnOnce(&Agent) -> R,
) -> Result<R, AgentError> {
    Preopened::default().over(connector, node, work).await
}

async fn connect(connector: &dyn Connector, node: &Node) -> Result<Agent, AgentError> {
    Ok(Agent::new(connector.connect(node).await?))
}

/// Runs `work` for every item, `parallel` at a time. Results are in the order of the items.
pub async fn each<I, F, R>(
    items: impl IntoIterator<Item = I>,
    parallel: usize,
    work: impl Fn(I) -> F,
) -> Vec<R>
where
    F: Future<Output = R>,
{
    let futures: Vec<F> = items.into_iter().map(work).collect();
    stream::iter(futures)
        .buffered(parallel.max(1))
        .collect()
        .await
}
