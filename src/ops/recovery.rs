//! What earlier commands left behind on the hosts: interrupted changes, and locks whose holder is gone. This only finds
//! them.

use super::error::OpsError;
use super::in_flight::{InFlightChange, under_way};
use super::notice::Notice;
use crate::agent::{AgentError, LockInfo, Observation, Pending};
use crate::apply::RecoveryDirection;
use crate::model::NodeName;

/// A change that was interrupted, and that no process works on any more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct InterruptedChange {
    /// Its id.
    pub tx: String,
    /// Author, as `user@machine`.
    pub by: String,
    /// The generation that it creates.
    pub generation: Option<u64>,
    /// How it will end.
    pub direction: RecoveryDirection,
    /// The nodes on which it is unfinished.
    pub nodes: Vec<NodeName>,
}

/// A lock whose holder no longer runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct StaleLock {
    /// The node.
    pub node: NodeName,
    /// Holder, as `user@machine`.
    pub holder: String,
    /// When it was taken, in UTC.
    pub since: String,
    /// The change that it was taken for.
    pub tx: String,
}

/// Everything that has to be ended before a new change.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Recovery {
    /// Interrupted changes.
    pub changes: Vec<InterruptedChange>,
    /// Stale locks that do not belong to an interrupted change.
    pub stale_locks: Vec<StaleLock>,
}

impl Recovery {
    /// What has to be recovered according to `seen`. A change that is pending confirmation, or that a process works on,
    /// is left alone. `is_complete`: all nodes of the cluster were observed. Otherwise nothing is recovered, since an
    /// unobserved node may have confirmed the change.
    pub fn find(seen: &[Observation], is_complete: bool) -> Self {
        if !is_complete {
            return Self::default();
        }
        let changes: Vec<InterruptedChange> = under_way(seen)
            .iter()
            .filter(|change| change.lock.is_none() && !change.waits())
            .map(interrupted)
            .collect();
        let locks = seen.iter().filter_map(|host| {
            let lock = stale_lock(host, &changes)?;
            let is_of_change = changes.iter().any(|change| change.tx == lock.tx);
            (!is_of_change).then(|| StaleLock {
                node: host.node.clone(),
                holder: lock.holder.clone(),
                since: lock.since.clone(),
                tx: lock.tx.clone(),
            })
        });
        Self {
            stale_locks: locks.collect(),
            changes,
        }
    }

    /// True if there is nothing to recover.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.stale_locks.is_empty()
    }

    /// The notices, without those about changes that this recovery ends.
    pub(super) fn without_own(&self, notices: Vec<Notice>) -> Vec<Notice> {
        let is_own =
            |notice: &Notice| matches!(notice, Notice::Unfinished { tx, .. } if self.ends(tx));
        notices
            .into_iter()
            .filter(|notice| !is_own(notice))
            .collect()
    }

    pub(super) fn ends(&self, tx: &str) -> bool {
        self.changes.iter().any(|change| change.tx == tx)
    }

    pub(super) fn change_on(&self, host: &Observation) -> Option<&InterruptedChange> {
        let journal = host.journal.as_ref()?;
        self.changes.iter().find(|change| change.tx == journal.tx)
    }
}

fn interrupted(change: &InFlightChange) -> InterruptedChange {
    let unfinished = change.members.iter().filter(|it| it.phase.is_some());
    InterruptedChange {
        tx: change.tx.clone(),
        by: change.by.clone(),
        generation: change.generation,
        direction: if change.is_confirmed_somewhere() {
            RecoveryDirection::Complete
        } else {
            RecoveryDirection::RollBack
        },
        nodes: unfinished.map(|member| member.node.clone()).collect(),
    }
}

/// The lock of a dead holder, on a host that has no change in progress except those of `changes`.
pub(super) fn stale_lock<'s>(
    host: &'s Observation,
    changes: &[InterruptedChange],
) -> Option<&'s LockInfo> {
    let is_left = |tx: &String| !changes.iter().any(|change| change.tx == *tx);
    if host.journal.as_ref().is_some_and(|it| is_left(&it.tx)) {
        return None;
    }
    host.lock.as_ref().filter(|lock| lock.stale)
}

/// Refuses hosts with a change in progress: what they will have is not decided yet.
pub(super) fn require_no_pending_change(seen: &[Observation]) -> Result<(), OpsError> {
    let changes = under_way(seen);
    let unfinished = |host: &Observation| {
        let journal = host.journal.as_ref()?;
        let waits = changes
            .iter()
            .find(|change| change.tx == journal.tx && change.waits());
        let lock = match waits {
            // One deadline for all of its nodes, so that they are reported as one.
            Some(change) => Some(LockInfo {
                deadline: change.deadline.clone(),
                ..journal.as_lock()
            }),
            None => host.lock.clone().filter(|lock| !lock.stale),
        };
        Some(match lock {
            Some(lock) => AgentError::Locked {
                node: host.node.clone(),
                lock: Box::new(lock),
            },
            None => AgentError::Pending {
                node: host.node.clone(),
                pending: Pending::Unfinished {
                    tx: journal.tx.clone(),
                },
            },
        })
    };
    let errors: Vec<AgentError> = seen.iter().filter_map(unfinished).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Hosts { errors })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::agent::Answer;

    const TX: &str = "20261122T165000Z-1";

    /// The observation of a host that answers with these records.
    fn host(name: &str, records: &[String]) -> Observation {
        let node = NodeName::new(name).unwrap();
        let records = records.concat();
        let text = format!("hactl-agent\t1\nclock\t0\t100\tboot\n{records}end\n");
        let answer = Answer::read(&node, "observe", text.as_bytes(), "");
        let answer = answer.map_err(|error| error.to_string()).unwrap();
        answer.observation(&node)
    }

    fn journal(phase: &str, position: usize) -> String {
        format!("journal\t{TX}\t{phase}\t4\t{position}\t3\tauto\t60\tada@desk\n")
    }

    /// A lock that expires `until` seconds after the host booted. The host has been up for 100 s.
    fn lock(tx: &str, until: u64) -> String {
        let text = format!(
            "tx\t{tx}\nholder\tada@desk\npid\t42\nsince\tnow\nboot\tboot\nuntil\t{until}\n"
        );
        format!("lock\t{tx}\n {}\n", STANDARD.encode(text))
    }

    fn confirmed() -> String {
        format!("outcome\t{TX}\tconfirmed\tby hactl\t2026-01-01T00:00:00Z\t-\n")
    }

    fn found(hosts: &[Observation]) -> Vec<(RecoveryDirection, Vec<&str>)> {
        let changes = Recovery::find(hosts, true).changes;
        let names = |change: &InterruptedChange| {
            let is_in = |host: &&Observation| change.nodes.contains(&host.node);
            let own = hosts.iter().filter(is_in);
            (
                change.direction,
                own.map(|host| host.node.as_str()).collect(),
            )
        };
        changes.iter().map(names).collect()
    }

    #[test]
    fn a_change_that_nobody_works_on_goes_back_unless_a_node_was_confirmed() {
        use RecoveryDirection::{Complete, RollBack};
        let (first, second) = (journal("activated", 0), journal("activating", 1));
        let hosts = [
            host("lb1", &[lock(TX, 50)]),
            host("lb2", &[first.clone(), lock(TX, 50)]),
            host("lb3", std::slice::from_ref(&second)),
        ];
        assert_eq!(found(&hosts), [(RollBack, vec!["lb2", "lb3"])]);
        let hosts = [
            host("lb1", &[confirmed()]),
            host("lb2", std::slice::from_ref(&first)),
            host("lb3", std::slice::from_ref(&second)),
        ];
        assert_eq!(found(&hosts), [(Complete, vec!["lb2", "lb3"])]);
        // A journal that says confirmed is completed, too.
        let hosts = [
            host("lb1", &[journal("confirmed", 0)]),
            host("lb2", &[second]),
        ];
        assert_eq!(found(&hosts), [(Complete, vec!["lb1", "lb2"])]);
        // An unobserved node may have confirmed the change.
        assert!(Recovery::find(&hosts, false).is_empty());
    }

    #[test]
    fn a_change_that_somebody_works_on_or_that_waits_is_left_alone() {
        let worked_on = [
            host("lb1", &[journal("activated", 0), lock(TX, 500)]),
            host("lb2", &[journal("activating", 1)]),
        ];
        let waiting = [
            host("lb1", &[journal("offered", 0)]),
            host("lb2", &[journal("activated", 1)]),
        ];
        for hosts in [worked_on, waiting] {
            assert!(Recovery::find(&hosts, true).is_empty());
            assert!(require_no_pending_change(&hosts).is_err());
        }
    }

    #[test]
    fn stale_locks_are_found_and_live_ones_are_not() {
        let hosts = [
            host("lb1", &[lock("other", 50)]),
            host("lb2", &[lock("other", 500)]),
            host("lb3", &[]),
        ];
        let recovery = Recovery::find(&hosts, true);
        assert!(recovery.changes.is_empty());
        let nodes: Vec<&str> = recovery
            .stale_locks
            .iter()
            .map(|lock| lock.node.as_str())
            .collect();
        assert_eq!(nodes, ["lb1"]);
        assert!(require_no_pending_change(&hosts).is_ok());
    }
}
