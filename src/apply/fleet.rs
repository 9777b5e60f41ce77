//! The nodes' agents, and doing something on several of them at a time.

use std::collections::BTreeMap;
use std::future::Future;

use futures::StreamExt;
use futures::stream;

use crate::agent::{Agent, AgentError};
use crate::model::{Node, NodeName};
use crate::remote::Connector;

/// Open connections by node.
#[derive(Default)]
pub struct Fleet {
    agents: BTreeMap<NodeName, Agent>,
}

impl Fleet {
    /// Connects to all `nodes`, `parallel` at a time. Nodes that fail are in the errors.
    pub async fn connect(
        connector: &dyn Connector,
        nodes: &[&Node],
        parallel: usize,
    ) -> (Self, Vec<AgentError>) {
        let connections = each(nodes.iter().copied(), parallel, |node| async move {
            connector.connect(node).await.map(Agent::new)
        })
        .await;
        let mut fleet = Self::default();
        let mut errors = Vec::new();
        for connection in connections {
            match connection {
                Ok(agent) => {
                    fleet.agents.insert(agent.node().clone(), agent);
                }
                Err(error) => errors.push(AgentError::from(error)),
            }
        }
        (fleet, errors)
    }

    /// The agent of `node`.
    pub fn get(&self, node: &NodeName) -> Option<&Agent> {
        self.agents.get(node)
    }

    /// Takes the agents of another one, too.
    pub fn extend(&mut self, other: Self) {
        self.agents.extend(other.agents);
    }

    /// Puts `agent` in the place of its node's earlier one.
    pub fn replace(&mut self, agent: Agent) -> Option<Agent> {
        self.agents.insert(agent.node().clone(), agent)
    }

    /// All agents, by name.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// Ends all connections.
    pub async fn close(self) {
        futures::future::join_all(self.agents.into_values().map(Agent::close)).await;
    }
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
