//! `hactl confirm` and `hactl cancel`: end a change pending confirmation, from any machine that reaches its nodes.

use std::time::{Duration, Instant};

use super::cluster::owner_patience;
use super::connect::Hosts;
use super::error::{OpsError, SettleRefusal};
use super::events::{Events, Stamped};
use super::in_flight::{InFlightChange, under_way};
use super::look::mark_dead;
use super::selection::{Selection, provenance, read_inventory};
use super::transport::Access;
use crate::agent::{
    AgentError, Client, Deadline, Observation, ObserveRequest, Outcome, Phase, Reason,
};
use crate::apply::{
    self, Decision, Event, Failure, Fleet, Member, PendingAction, ProtocolResult, Session,
    SettleOutcome, each,
};
use crate::health;
use crate::model::{Cluster, Node, NodeName};
use crate::plan::Provenance;
use crate::remote::Connector;

pub struct SettleRequest<'a> {
    /// What to do with the change.
    pub verb: PendingAction,
    /// Receives every event.
    pub events: &'a Events<'a, Event>,
}

/// The change that was found, and how it ended.
#[derive(Debug)]
pub struct SettleReport {
    /// What was requested.
    pub verb: PendingAction,
    /// The change, if there was one.
    pub change: Option<ChangeSeen>,
    pub events: Vec<Stamped<Event>>,
    /// How it ended.
    pub end: SettleEnd,
    /// How long it took.
    pub elapsed: Duration,
}

/// A change that was found in progress.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct ChangeSeen {
    /// Its id.
    pub tx: String,
    /// Author, as `user@machine`.
    pub by: String,
    /// The generation that it creates.
    pub generation: Option<u64>,
    /// Its nodes as they were observed.
    pub members: Vec<Member>,
    /// When the hosts roll it back.
    pub deadline: Option<Deadline>,
}

/// How a change ended.
#[derive(Debug)]
pub enum SettleEnd {
    /// There was none.
    Nothing {
        /// The last outcome of each node that has one.
        last: Vec<(NodeName, Outcome)>,
    },
    /// Every node has the new configuration.
    Committed,
    /// Every node has the old configuration.
    RolledBack,
    /// It is still pending confirmation.
    Pending {
        /// Why, if something failed.
        failure: Option<Failure>,
    },
    /// The nodes differ, or their state is unknown.
    Diverged {
        /// What went wrong first.
        failure: Option<Failure>,
        /// What the operator has to look at.
        problems: Vec<String>,
    },
}

/// Finds the change in progress and ends it.
pub async fn settle(
    selection: &Selection,
    access: &Access,
    request: SettleRequest<'_>,
) -> Result<SettleReport, OpsError> {
    let started = Instant::now();
    request.events.begin();
    let inventory = read_inventory(&selection.inventory)?;
    let provenance = provenance(&selection.inventory, &inventory);
    let cluster = &inventory.cluster;
    let hosts = Hosts::of(access, cluster);
    let found = hosts.with(async |connections, errors| {
        let hands = Settler {
            access,
            connector: connections.connector,
            client: connections.client,
            fleet: connections.fleet,
            nodes: &cluster.nodes,
            cluster,
            provenance: &provenance,
            tell: &|event| request.events.tell(event),
        };
        let (seen, errors) = hands.look(errors).await;
        hands.end_what_waits(request.verb, &seen, errors).await
    });
    let (change, end) = found.await?;
    Ok(SettleReport {
        verb: request.verb,
        change,
        events: request.events.all(),
        end,
        elapsed: started.elapsed(),
    })
}

pub(super) struct Settler<'a> {
    pub(super) access: &'a Access,
    pub(super) connector: &'a dyn Connector,
    pub(super) client: &'a dyn Client,
    pub(super) fleet: &'a Fleet,
    pub(super) nodes: &'a [Node],
    pub(super) cluster: &'a Cluster,
    pub(super) provenance: &'a Provenance,
    pub(super) tell: &'a (dyn Fn(Event) + Sync),
}

impl Settler<'_> {
    /// The nodes that answer, and an error for each other node, including `errors`.
    async fn look(&self, mut errors: Vec<AgentError>) -> (Vec<Observation>, Vec<AgentError>) {
        let question = ObserveRequest::default();
        let answers = each(self.fleet.agents(), self.access.parallel, |agent| {
            agent.observe(&question)
        });
        let mut seen = Vec::new();
        for answer in answers.await {
            match answer {
                Ok(host) => seen.push(host),
                Err(error) => errors.push(error),
            }
        }
        mark_dead(&mut seen);
        (seen, errors)
    }

    async fn end_what_waits(
        &self,
        verb: PendingAction,
        seen: &[Observation],
        errors: Vec<AgentError>,
    ) -> Result<(Option<ChangeSeen>, SettleEnd), OpsError> {
        let mut changes = under_way(seen);
        if changes.len() > 1 {
            let named = |change: &InFlightChange| (change.tx.clone(), with_journal(change));
            return Err(OpsError::Settle(SettleRefusal::Several {
                changes: changes.iter().map(named).collect(),
            }));
        }
        let Some(change) = changes.pop() else {
            if !errors.is_empty() {
                return Err(OpsError::Hosts { errors });
            }
            let last = |host: &Observation| Some((host.node.clone(), host.outcome.clone()?));
            let last = seen.iter().filter_map(last).collect();
            return Ok((None, SettleEnd::Nothing { last }));
        };
        match refusal(verb, &change, !errors.is_empty()) {
            Some(Refusal::For(error)) => return Err(error),
            Some(Refusal::Unreachable) => return Err(unreachable(verb, &change, errors)),
            None => {}
        }
        let why = Reason::cancelled(&self.provenance.by);
        let outcome = self.end(&change, verb, &why, seen);
        let mut outcome = outcome
            .await
            .map_err(|error| unreachable(verb, &change, vec![error]))?;
        if change.missing > 0 && !errors.is_empty() {
            // An unreachable node is left to its own timer and to the other nodes.
            let left = errors.iter().map(ToString::to_string);
            outcome.problems.extend(left);
            outcome.result = ProtocolResult::Diverged;
        }
        let SettleOutcome {
            result,
            failure,
            problems,
        } = outcome;
        let end = match result {
            ProtocolResult::Committed => SettleEnd::Committed,
            ProtocolResult::RolledBack => SettleEnd::RolledBack,
            ProtocolResult::Pending => SettleEnd::Pending { failure },
            ProtocolResult::Diverged => SettleEnd::Diverged { failure, problems },
        };
        let change = ChangeSeen {
            tx: change.tx,
            by: change.by,
            generation: change.generation,
            members: change.members,
            deadline: change.deadline,
        };
        Ok((Some(change), end))
    }

    /// Ends one change. If it is cancelled, a node that was not activated for it never will be. If the decider's state
    /// is unknown, it is one of these nodes.
    pub(super) async fn end(
        &self,
        change: &InFlightChange,
        verb: PendingAction,
        why: &Reason,
        seen: &[Observation],
    ) -> Result<SettleOutcome, AgentError> {
        let mut waiting = change.waiting();
        if verb == PendingAction::Cancel {
            let is_member = |node: &NodeName| change.members.iter().any(|it| it.node == *node);
            for host in seen.iter().filter(|host| !is_member(&host.node)) {
                let Some(agent) = self.fleet.get(&host.node) else {
                    continue;
                };
                let is_new = agent.withdraw(&change.tx).await?;
                if is_new || !change.is_decider_known {
                    waiting.members.push(Member {
                        node: host.node.clone(),
                        side: if is_new {
                            Decision::Committed
                        } else {
                            Decision::RolledBack
                        },
                        phase: None,
                    });
                }
            }
        }
        let session = Session {
            fleet: self.fleet,
            connector: self.connector,
            client: self.client,
            nodes: self.nodes,
            vips: health::doors(self.cluster),
            owner_patience: owner_patience(self.cluster),
            parallel: self.access.parallel,
            stop: self.access.stop.clone(),
            tell: self.tell,
        };
        Ok(apply::settle(&session, &waiting, verb, why).await)
    }
}

fn with_journal(change: &InFlightChange) -> Vec<NodeName> {
    let own = change
        .members
        .iter()
        .filter(|member| member.phase.is_some());
    own.map(|member| member.node.clone()).collect()
}

fn unreachable(verb: PendingAction, change: &InFlightChange, errors: Vec<AgentError>) -> OpsError {
    OpsError::Settle(SettleRefusal::Unreachable {
        verb,
        missing: change.missing,
        errors,
        deadline: change.deadline.clone(),
    })
}

/// Why a change cannot be ended now.
enum Refusal {
    For(OpsError),
    /// Nodes that have to answer do not.
    Unreachable,
}

/// `are_missing`: some nodes do not answer.
fn refusal(verb: PendingAction, change: &InFlightChange, are_missing: bool) -> Option<Refusal> {
    let is_proven = change.is_offered || change.is_confirmed_somewhere();
    let is_over = change.has(Decision::RolledBack) || change.members.iter().any(is_asking);
    if !is_proven
        && !is_over
        && let Some((node, lock)) = &change.lock
    {
        // A process is still working on it.
        return Some(Refusal::For(OpsError::Hosts {
            errors: vec![AgentError::Locked {
                node: node.clone(),
                lock: Box::new(lock.clone()),
            }],
        }));
    }
    match verb {
        PendingAction::Confirm if is_over || change.is_confirmed_somewhere() => None,
        PendingAction::Confirm if !(is_proven || change.missing > 0 && are_missing) => {
            Some(Refusal::For(OpsError::Settle(SettleRefusal::NotProven {
                by: change.by.clone(),
                deadline: change.deadline.clone(),
            })))
        }
        PendingAction::Confirm if change.missing > 0 || !change.is_decider_known => {
            Some(Refusal::Unreachable)
        }
        PendingAction::Cancel if !change.is_decider_known && are_missing => {
            Some(Refusal::Unreachable)
        }
        PendingAction::Confirm | PendingAction::Cancel => None,
    }
}

/// True if it has passed its deadline and the nodes resolve it among themselves.
fn is_asking(member: &Member) -> bool {
    matches!(
        member.phase,
        Some(Phase::Asking | Phase::Undoing | Phase::Unknown)
    )
}
