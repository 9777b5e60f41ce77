//! Coordinates a change that all nodes make at once.
//!
//! Nodes that hear each other only with the new configuration must not run the old and the new one side by side. One of
//! them, the keeper, proceeds alone: the other nodes stop keepalived before it loads the new configuration, and start
//! it afterwards. A rollback works the same way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};

use super::fleet::each;
use super::session::Session;
use crate::agent::{Agent, AgentError, Part, Switch};
use crate::model::{NodeName, UnitId};
use crate::plan::{NodePlan, Plan};

/// Additional time for hosts to roll back such a change on their own, one after another.
pub(super) const APART: Duration = Duration::from_mins(3);

/// Pause between two attempts to reach a node.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, Default)]
struct Stage {
    silent: usize,
    keeper_is_new: bool,
    is_off: bool,
}

/// State shared by the activations of one change, and by its rollback.
pub(super) struct Switchboard {
    stage: watch::Sender<Stage>,
    /// True for this process's own change if it is rolling.
    is_rolling: bool,
    /// The role of each node that takes part.
    parts: BTreeMap<NodeName, Part>,
    hushed: OnceCell<BTreeMap<NodeName, Part>>,
    keeper_is_back: AtomicBool,
}

impl Switchboard {
    /// For this process's own change, or for a change of another process, whose roles its hosts know.
    pub(super) fn new(change: Option<(&Plan, &[&NodePlan])>) -> Self {
        let keeper = change.and_then(|(plan, _)| plan.keeper());
        let plans = change.map_or(&[][..], |(_, plans)| plans);
        let takes_part = |node: &&&NodePlan| node.unit_change(UnitId::KEEPALIVED).is_some();
        let part = |node: &&NodePlan| {
            let is_keeper = Some(&node.node) == keeper;
            let part = if is_keeper {
                Part::Keeper
            } else {
                Part::Silent
            };
            (node.node.clone(), part)
        };
        let parts = match keeper {
            Some(_) => plans.iter().filter(takes_part).map(part).collect(),
            None => BTreeMap::new(),
        };
        Self {
            is_rolling: change.is_some() && parts.is_empty(),
            parts,
            stage: watch::channel(Stage::default()).0,
            hushed: OnceCell::new(),
            keeper_is_back: AtomicBool::new(false),
        }
    }

    /// The role of `node`, if it has one.
    pub(super) fn switch(&self, node: &NodeName, time: Duration) -> Option<Switch> {
        let part = self.parts.get(node)?;
        Some(Switch::within(time, *part))
    }

    /// Runs `activation`, and sends the node its signals meanwhile.
    pub(super) async fn coordinate(
        &self,
        agent: &Agent,
        tx: &str,
        switch: Option<Switch>,
        activation: impl Future<Output = Result<(), AgentError>>,
    ) -> Result<(), AgentError> {
        let Some(switch) = switch else {
            return activation.await;
        };
        tokio::pin!(activation);
        let answer = tokio::select! {
            biased;
            answer = &mut activation => answer,
            () = self.signal(agent, tx, switch) => activation.await,
        };
        self.stage
            .send_modify(|stage| match (&answer, switch.part) {
                (Err(_), _) => stage.is_off = true,
                (Ok(()), Part::Keeper) => stage.keeper_is_new = true,
                (Ok(()), Part::Silent) => {}
            });
        answer
    }

    async fn signal(&self, agent: &Agent, tx: &str, switch: Switch) {
        let go = match switch.part {
            Part::Keeper => {
                let silent = |part: &&Part| **part == Part::Silent;
                let all = self.parts.values().filter(silent).count();
                self.reaches(|stage| stage.silent == all).await
            }
            Part::Silent => {
                match agent.ready(tx, switch.patience).await {
                    Ok(()) => self.stage.send_modify(|stage| stage.silent += 1),
                    Err(_) => self.stage.send_modify(|stage| stage.is_off = true),
                }
                self.reaches(|stage| stage.keeper_is_new).await
            }
        };
        // A node that does not receive the signal does not proceed.
        if let Err(error) = agent.signal(tx, go).await {
            tracing::warn!(node = %agent.node(), %error, "failed to signal a node");
        }
    }

    /// False if the change is aborted.
    async fn reaches(&self, is_there: impl Fn(&Stage) -> bool) -> bool {
        let mut stage = self.stage.subscribe();
        let seen = stage
            .wait_for(|stage| stage.is_off || is_there(stage))
            .await;
        seen.is_ok_and(|stage| !stage.is_off)
    }

    /// Waits until the other nodes allow `node` to be rolled back: the keeper once the other nodes are silent, and
    /// those once the keeper is back. False if the keeper could not be rolled back.
    pub(super) async fn may_go_back(
        &self,
        session: &Session<'_>,
        nodes: &[NodeName],
        tx: &str,
        node: &NodeName,
    ) -> bool {
        if self.is_rolling {
            return true;
        }
        let parts = self.hushed.get_or_init(|| hush(session, nodes, tx)).await;
        let has_keeper = parts.values().any(|part| *part == Part::Keeper);
        let must_wait = parts.get(node) == Some(&Part::Silent) && has_keeper;
        !must_wait || self.keeper_is_back.load(Ordering::Relaxed)
    }

    /// Records that `node` has been rolled back.
    pub(super) fn is_back(&self, node: &NodeName) {
        let parts = self.hushed.get();
        if parts.is_some_and(|parts| parts.get(node) == Some(&Part::Keeper)) {
            self.keeper_is_back.store(true, Ordering::Relaxed);
        }
    }
}

/// Silences all nodes that were silent while the keeper changed, and returns each node's role. If some take part, a
/// node that cannot be reached may be running the new configuration: it is retried until the caller gives up, and by
/// then the hosts' own timers have rolled everything back.
async fn hush(session: &Session<'_>, nodes: &[NodeName], tx: &str) -> BTreeMap<NodeName, Part> {
    let mut parts = BTreeMap::new();
    let mut open: Vec<&NodeName> = nodes.iter().collect();
    let mut tries = 0;
    loop {
        let answers = each(open.clone(), usize::MAX, |node| {
            hush_one(session, node, tx, tries)
        })
        .await;
        let mut left = Vec::new();
        for (node, answer) in open.into_iter().zip(answers) {
            match answer {
                Ok(Some(part)) => {
                    parts.insert(node.clone(), part);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%node, %error, "failed to make a node silent; trying again");
                    left.push(node);
                }
            }
        }
        tries += 1;
        if left.is_empty() || parts.is_empty() && tries > 1 {
            return parts;
        }
        open = left;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hush_one(
    session: &Session<'_>,
    node: &NodeName,
    tx: &str,
    tries: usize,
) -> Result<Option<Part>, AgentError> {
    if let (0, Some(agent)) = (tries, session.fleet.get(node)) {
        return agent.hush(tx).await;
    }
    let answer = session.afresh(node, async |agent| agent.hush(tx).await);
    answer.await.flatten()
}
