//! A cluster's open connections, and what everything that is done over them needs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event::Event;
use super::fleet::{Fleet, each, over};
use crate::agent::{Agent, AgentError, Client, Reason, VipDoors};
use crate::model::{Node, NodeName};
use crate::remote::Connector;

/// One cluster, while something is done to it.
pub struct Session<'a> {
    /// All nodes' agents.
    pub fleet: &'a Fleet,
    /// For connections of their own: the confirmation's, and those to nodes that were lost.
    pub connector: &'a dyn Connector,
    /// Where the VIPs are looked at from besides the nodes.
    pub client: &'a dyn Client,
    /// The cluster's nodes.
    pub nodes: &'a [Node],
    /// The cluster's VIPs, and what their users may reach there.
    pub vips: Vec<VipDoors>,
    /// How long the election may take.
    pub owner_patience: Duration,
    /// Nodes worked on at a time in the steps that change nothing live.
    pub parallel: usize,
    /// Set from outside, when the user wants to stop.
    pub stop: Arc<AtomicBool>,
    /// Told of everything that happens.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Session<'_> {
    pub(super) fn emit(&self, event: Event) {
        (self.tell)(event);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Does `work` over a connection of its own: a change that cuts new ones off must not be confirmed by an old
    /// one.
    pub(super) async fn afresh<R>(
        &self,
        name: &NodeName,
        work: impl AsyncFnOnce(&Agent) -> R,
    ) -> Result<R, AgentError> {
        let node = self.nodes.iter().find(|node| node.name == *name);
        let Some(node) = node else {
            return Err(AgentError::Protocol {
                node: name.clone(),
                label: "connect".to_owned(),
                detail: "the inventory has no such node".to_owned(),
            });
        };
        over(self.connector, node, work).await
    }

    /// Tells a node once more, over a fresh connection, to undo what it could not undo at once.
    pub(super) async fn undo_again(&self, name: &NodeName, tx: &str) -> Result<(), AgentError> {
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

    /// All but the nodes of a change that may end differently for all that is known: with its lock, a
    /// confirmed node would give up what lets it answer another one that has to ask yet. Their own timers
    /// give those locks back.
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
