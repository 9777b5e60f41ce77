//! Ends interrupted changes, once the user has seen and approved that.

use super::error::OpsError;
use super::in_flight::{InFlightChange, under_way};
use super::recovery::{Recovery, stale_lock};
use super::selection::Loaded;
use super::settle::Settler;
use super::snapshot::ClusterSnapshot;
use super::transport::Access;
use crate::agent::{AgentError, FailureCode, Pending, Reason};
use crate::apply::{
    Event, FailureCause, PendingAction, ProtocolResult, RecoveryDirection, SettleOutcome,
};
use crate::model::Node;

pub(super) struct Recoverer<'a> {
    pub(super) access: &'a Access,
    pub(super) loaded: &'a Loaded,
    /// Receives every event.
    pub(super) tell: &'a (dyn Fn(Event) + Sync),
}

impl Recoverer<'_> {
    /// Ends the interrupted changes: completes one that a host has confirmed, and rolls back any other. Releases the
    /// locks of holders that are gone.
    pub(super) async fn carry_out(
        &self,
        recovery: &Recovery,
        snapshot: &ClusterSnapshot<'_>,
    ) -> Result<(), OpsError> {
        let seen = &snapshot.seen;
        let nodes: Vec<Node> = self.loaded.nodes().into_iter().cloned().collect();
        let settler = Settler {
            access: self.access,
            connector: snapshot.connector,
            client: snapshot.client,
            fleet: snapshot.fleet,
            nodes: &nodes,
            cluster: &self.loaded.cluster,
            provenance: &self.loaded.provenance,
            tell: self.tell,
        };
        let why = Reason::interrupted();
        let mut errors = Vec::new();
        let known = under_way(seen);
        let own = known.iter().filter(|change| recovery.ends(&change.tx));
        for (change, shown) in own.zip(&recovery.changes) {
            (self.tell)(Event::RecoveryStarted {
                tx: shown.tx.clone(),
                by: shown.by.clone(),
                direction: shown.direction,
                nodes: shown.nodes.clone(),
            });
            let end = settler.end(change, PendingAction::Cancel, &why, seen);
            match end.await {
                Ok(end) => {
                    let direction = match end.result {
                        ProtocolResult::Committed => Some(RecoveryDirection::Complete),
                        ProtocolResult::RolledBack => Some(RecoveryDirection::RollBack),
                        ProtocolResult::Pending | ProtocolResult::Diverged => None,
                    };
                    errors.extend(problems_of(change, end));
                    (self.tell)(Event::RecoveryFinished {
                        tx: shown.tx.clone(),
                        direction,
                    });
                }
                Err(error) => errors.push(error),
            }
        }
        for host in seen {
            let lock = stale_lock(host, &recovery.changes);
            if let (Some(agent), Some(lock)) = (snapshot.fleet.get(&host.node), lock) {
                match agent.break_lock(&lock.tx, false).await {
                    Ok(()) => (self.tell)(Event::LockReleased {
                        node: host.node.clone(),
                        holder: lock.holder.clone(),
                    }),
                    // Another process has taken the lock meanwhile, or a change could not be ended, which is reported.
                    Err(error)
                        if matches!(
                            error.code(),
                            Some(FailureCode::MovedOn | FailureCode::Unfinished)
                        ) => {}
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(OpsError::Recovery { errors })
        }
    }
}

/// The errors of the hosts on which an interrupted change could not be ended.
fn problems_of(change: &InFlightChange, end: SettleOutcome) -> Vec<AgentError> {
    if end.result != ProtocolResult::Diverged {
        return Vec::new();
    }
    let causes = end.failure.into_iter().flat_map(|failure| failure.errors);
    let mut errors: Vec<AgentError> = causes
        .filter_map(|cause| match cause {
            FailureCause::Agent(error) => Some(error),
            _ => None,
        })
        .collect();
    if errors.is_empty()
        && let Some(member) = change.members.first()
    {
        errors.push(AgentError::Pending {
            node: member.node.clone(),
            pending: Pending::Stuck {
                tx: change.tx.clone(),
                detail: end.problems.join("\n"),
            },
        });
    }
    errors
}
