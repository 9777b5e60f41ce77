//! `hactl confirm` and `hactl cancel`: end a change that waits, from any machine that reaches its nodes.

use std::time::{Duration, Instant};

use super::cluster::owner_patience;
use super::connect::Hosts;
use super::error::{OpsError, SettleRefusal};
use super::events::{Events, Stamped};
use super::look::mark_dead;
use super::selection::{Selection, provenance, read_inventory};
use super::transport::Access;
use super::under_way::{UnderWay, under_way};
use crate::agent::{AgentError, Client, Deadline, Observation, Outcome, Phase, Question, Reason};
use crate::apply::{
    self, Event, Failure, Fleet, Member, Session, SettleOutcome, SettleVerb, Side, Verdict, each,
};
use crate::health;
use crate::model::{Cluster, Node, NodeName};
use crate::plan::Provenance;
use crate::remote::Connector;

/// What is asked for.
pub struct SettleRequest<'a> {
    /// What to do with the change.
    pub verb: SettleVerb,
    /// Told of everything that happens.
    pub events: &'a Events<'a, Event>,
}

/// What was found, and what became of it.
#[derive(Debug)]
pub struct SettleReport {
    /// What was asked for.
    pub verb: SettleVerb,
    /// The change that was found.
    pub change: Option<ChangeSeen>,
    /// What happened.
    pub events: Vec<Stamped<Event>>,
    /// How it ended.
    pub end: SettleEnd,
    /// How long it took.
    pub elapsed: Duration,
}

/// A change that was found under way.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct ChangeSeen {
    /// Its id.
    pub tx: String,
    /// `user@machine` of who made it.
    pub by: String,
    /// The generation that it makes.
    pub generation: Option<u64>,
    /// Its nodes as they were found.
    pub members: Vec<Member>,
    /// When the hosts undo it.
    pub deadline: Option<Deadline>,
}

/// How a change ended.
#[derive(Debug)]
pub enum SettleEnd {
    /// None was under way. How the last one ended, as the hosts tell, with those that tell it.
    Nothing {
        /// The last outcome of each node that has one.
        last: Vec<(NodeName, Outcome)>,
    },
    /// Every node has the new configuration.
    AllNew,
    /// Every node has the old one.
    AllOld,
    /// Nothing was decided: it still waits.
    Waiting {
        /// Why, if something failed.
        failure: Option<Failure>,
    },
    /// Neither, or it is unknown.
    Mixed {
        /// What went wrong first.
        failure: Option<Failure>,
        /// What the operator has to look at.
        problems: Vec<String>,
    },
}

/// Finds the change under way and ends it.
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

/// What ending a change needs.
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
    /// The nodes that answer, and why the others do not, `errors` among them.
    async fn look(&self, mut errors: Vec<AgentError>) -> (Vec<Observation>, Vec<AgentError>) {
        let question = Question::default();
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
        verb: SettleVerb,
        seen: &[Observation],
        errors: Vec<AgentError>,
    ) -> Result<(Option<ChangeSeen>, SettleEnd), OpsError> {
        let mut changes = under_way(seen);
        if changes.len() > 1 {
            let named = |change: &UnderWay| (change.tx.clone(), with_journal(change));
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
            // What cannot be reached is left to its own timer, and to the other nodes.
            let left = errors.iter().map(ToString::to_string);
            outcome.problems.extend(left);
            outcome.verdict = Verdict::Mixed;
        }
        let SettleOutcome {
            verdict,
            failure,
            problems,
        } = outcome;
        let end = match verdict {
            Verdict::AllNew => SettleEnd::AllNew,
            Verdict::AllOld => SettleEnd::AllOld,
            Verdict::Waiting => SettleEnd::Waiting { failure },
            Verdict::Mixed => SettleEnd::Mixed { failure, problems },
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

    /// Ends one change. A node that was not activated for it never will be, where it is cancelled; then,
    /// if nobody knows how the deciding node stands, it is one of these.
    pub(super) async fn end(
        &self,
        change: &UnderWay,
        verb: SettleVerb,
        why: &Reason,
        seen: &[Observation],
    ) -> Result<SettleOutcome, AgentError> {
        let mut waiting = change.waiting();
        if verb == SettleVerb::Cancel {
            let is_member = |node: &NodeName| change.members.iter().any(|it| it.node == *node);
            for host in seen.iter().filter(|host| !is_member(&host.node)) {
                let Some(agent) = self.fleet.get(&host.node) else {
                    continue;
                };
                let is_new = agent.withdraw(&change.tx).await?;
                if is_new || !change.is_decider_known {
                    waiting.members.push(Member {
                        node: host.node.clone(),
                        side: if is_new { Side::New } else { Side::Old },
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

fn with_journal(change: &UnderWay) -> Vec<NodeName> {
    let own = change
        .members
        .iter()
        .filter(|member| member.phase.is_some());
    own.map(|member| member.node.clone()).collect()
}

fn unreachable(verb: SettleVerb, change: &UnderWay, errors: Vec<AgentError>) -> OpsError {
    OpsError::Settle(SettleRefusal::Unreachable {
        verb,
        missing: change.missing,
        errors,
        deadline: change.deadline.clone(),
    })
}

/// Why a change may not be ended now.
enum Refusal {
    For(OpsError),
    /// Nodes that have to be asked do not answer.
    Unreachable,
}

/// `are_missing`: some nodes do not answer.
fn refusal(verb: SettleVerb, change: &UnderWay, are_missing: bool) -> Option<Refusal> {
    let is_proven = change.is_offered || change.is_confirmed_somewhere();
    let is_over = change.has(Side::Old) || change.members.iter().any(is_asking);
    if !is_proven
        && !is_over
        && let Some((node, lock)) = &change.lock
    {
        // Somebody is still making it.
        return Some(Refusal::For(OpsError::Hosts {
            errors: vec![AgentError::Locked {
                node: node.clone(),
                lock: Box::new(lock.clone()),
            }],
        }));
    }
    match verb {
        SettleVerb::Confirm if is_over || change.is_confirmed_somewhere() => None,
        SettleVerb::Confirm if !(is_proven || change.missing > 0 && are_missing) => {
            Some(Refusal::For(OpsError::Settle(SettleRefusal::NotProven {
                by: change.by.clone(),
                deadline: change.deadline.clone(),
            })))
        }
        SettleVerb::Confirm if change.missing > 0 || !change.is_decider_known => {
            Some(Refusal::Unreachable)
        }
        SettleVerb::Cancel if !change.is_decider_known && are_missing => Some(Refusal::Unreachable),
        SettleVerb::Confirm | SettleVerb::Cancel => None,
    }
}

/// Its time is over: the nodes settle it among themselves.
fn is_asking(member: &Member) -> bool {
    matches!(
        member.phase,
        Some(Phase::Asking | Phase::Undoing | Phase::Unknown)
    )
}
