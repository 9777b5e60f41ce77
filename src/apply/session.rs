//! The open connections to a cluster, and the context of all work over them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event::Event;
use super::fleet::{Fleet, Preopened, each};
use crate::agent::{Agent, AgentError, Client, Reason, VipDoors};
use crate::model::{Node, NodeName};
use crate::remote::Connector;

/// One cluster, while an operation works on it.
pub struct Session<'a> {
    pub fleet: &'a Fleet,
    /// For fresh connections: to confirm, and to nodes whose connection was lost.
    pub connector: &'a dyn Connector,
    /// Probes the VIPs from outside.
    pub client: &'a dyn Client,
    /// The cluster's nodes.
    pub nodes: &'a [Node],
    /// The cluster's VIPs, and the endpoints that users may reach there.
    pub vips: Vec<VipDoors>,
    /// Upper bound of an election.
    pub owner_patience: Duration,
    /// Maximum number of nodes to work on in parallel in steps that change nothing live.
    pub parallel: usize,
    /// Set when the user wants to stop.
    pub stop: Arc<AtomicBool>,
    /// Receives every event.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Session<'_> {
    pub(super) fn emit(&self, event: Event) {
        (self.tell)(event);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Does `work` over a fresh connection: an old one must not confirm a change that blocks new ones.
    pub(super) async fn afresh<R>(
        &self,
        name: &NodeName,
        work: impl AsyncFnOnce(&Agent) -> R,
    ) -> Result<R, AgentError> {
        self.afresh_from(&Preopened::default(), name, work).await
    }

    /// Does `work` over a fresh connection, which may have been opened beforehand.
    pub(super) async fn afresh_from<R>(
        &self,
        preopened: &Preopened,
        name: &NodeName,
        work: impl AsyncFnOnce(&Agent) -> R,
    ) -> Result<R, AgentError> {
        preopened
            .over(self.connector, self.known(name)?, work)
            .await
    }

    fn known(&self, name: &NodeName) -> Result<&Node, AgentError> {
        let node = self.nodes.iter().find(|node| node.name == *name);
        node.ok_or_else(|| AgentError::Protocol {
            node: name.clone(),
            label: "connect".to_owned(),
            detail: "the inventory has no such node".to_owned(),
        })
    }

    /// Asks a node once more, over a fresh connection, to roll back.
    pub(super) async fn retry_rollback(&self, name: &NodeName, tx: &str) -> Result<(), AgentError> {
        let again = Reason::failed("it could not be undone at once");
        let answer = self.afresh(name, async |agent| agent.revert(tx, &again).await);
        let answer = answer.await.flatten();
        if answer.is_ok() {
            self.emit(Event::Reverted { node: name.clone() });
        }
        answer
    }

    pub(super) async fn unlock_all(&self, tx: &str) {
        self.unlock(self.fleet.agents(), tx).await;
    }

    /// Unlocks all but the nodes of a change that may end differently on them. A confirmed node that loses its lock
    /// would also lose what it needs to answer a node that has yet to query it. Those locks are released by the nodes'
    /// own timers.
    pub(super) async fn unlock_but(&self, kept: impl Iterator<Item = &NodeName>, tx: &str) {
        let kept: BTreeSet<&NodeName> = kept.collect();
        let others = self.fleet.agents();
        self.unlock(others.filter(|agent| !kept.contains(agent.node())), tx)
            .await;
    }

    async fn unlock<'f>(&self, agents: impl Iterator<Item = &'f Agent>, tx: &str) {
        let results = each(agents, self.parallel, |agent| agent.unlock(tx)).await;
        for error in results.into_iter().filter_map(Result::err) {
            self.emit(Event::LockNotReleased {
                node: error.node().clone(),
                message: error.to_string(),
            });
        }
    }
}
