//! The nodes' agents, and doing something on several of them at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use tokio::task::JoinSet;

use crate::agent::{Agent, AgentError};
use crate::model::{Node, NodeName};
use crate::remote::Connector;

/// A connection to a host that is gone may take longer to end than anybody waits for.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Open connections by node. They are made and ended here alone: whoever needs some says what for, and however
/// that ends, they end with it. Work that is dropped half-way drops them, which ends them, too.
#[derive(Default)]
pub struct Fleet {
    agents: BTreeMap<NodeName, Agent>,
    /// Those that were replaced, and are about to end.
    replaced: JoinSet<()>,
}

impl Fleet {
    /// Does `work` over connections to `nodes`, made `parallel` at a time. It is told which nodes could
    /// not be connected to, and why.
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

    /// The agent of `node`.
    pub fn get(&self, node: &NodeName) -> Option<&Agent> {
        self.agents.get(node)
    }

    /// All agents, by name.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// Connects anew to `nodes`, of which some may stay silent. Nobody waits for the end of what was there before.
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
        // What is dropped then has no more to say.
        let _ = tokio::time::timeout(END_PATIENCE, all).await;
    }
}

/// Does `work` over a connection of its own to `node`.
pub async fn over<R>(
    connector: &dyn Connector,
    node: &Node,
    work: impl AsyncFnOnce(&Agent) -> R,
) -> Result<R, AgentError> {
    let agent = connect(connector, node).await?;
    let result = work(&agent).await;
    let _ = tokio::time::timeout(END_PATIENCE, agent.close()).await;
    Ok(result)
}

async fn connect(connector: &dyn Connector, node: &Node) -> Result<Agent, AgentError> {
    Ok(Agent::new(connector.connect(node).await?))
}

/// Runs `work` for every item, `parallel` at a time; results in the items' order.
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
