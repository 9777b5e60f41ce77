//! What hosts report about earlier changes that the user should know before going on.
//!
//! The outcome of a change is reported to everyone who looks until somebody who has seen it goes on to change the
//! cluster, or for a week, by which time its author has asked.

use std::net::IpAddr;

use super::in_flight::under_way;
use crate::agent::{Cause, Deadline, Ending, Fact, LockInfo, Observation, Outcome, Phase};
use crate::apply::Fleet;
use crate::model::NodeName;

/// How long the outcome of a change is reported, in seconds.
const WEEK: i64 = 7 * 24 * 3600;

/// Something that a host reports about an earlier change, a drill or a lock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Notice {
    /// A change is unfinished on the host. Its timer rolls the change back unless its owner confirms it.
    Unfinished {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// The phase that it reached.
        phase: Phase,
        /// When the host ends it, if known.
        deadline: Option<Deadline>,
    },
    /// A change is pending confirmation by the operator.
    Waiting {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// Author of the change, as `user@machine`.
        by: String,
        /// When the host rolls it back.
        deadline: Option<Deadline>,
    },
    /// The host rolled the last change back on its own, at its deadline or after a reboot.
    Undone {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// The reason.
        why: String,
        /// When it was rolled back, in UTC.
        at: String,
    },
    /// The host confirmed the last change because another node had, since hactl could not confirm it.
    Completed {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// When it was confirmed, in UTC.
        at: String,
    },
    /// The operator cancelled the last change, or an apply rolled it back because it had been interrupted.
    Cancelled {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// Who cancelled it, or why it was rolled back.
        why: String,
        /// When it was rolled back, in UTC.
        at: String,
    },
    /// A rollback failed. The host retries it.
    Incomplete {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// What failed.
        why: String,
    },
    /// A drill's fault is armed on the host.
    Drilling {
        /// The node.
        node: NodeName,
        /// The fault.
        name: String,
        /// When it was armed, in UTC.
        since: String,
        /// Seconds until the host removes the fault. 0 if it has tried and failed so far.
        seconds_left: u64,
    },
    /// A node that `--limit` excludes could not be observed.
    NotSeen {
        /// The node.
        node: NodeName,
        /// The reason.
        why: String,
    },
    /// The node lacks the last change that was made on it: it was restored from a backup, or prevented from
    /// confirming.
    Behind {
        /// The node.
        node: NodeName,
        /// The node's generation.
        generation: u64,
        /// The generation that another node records for it.
        newest: u64,
    },
    /// Another operation holds the lock on the host.
    Locked {
        /// The node.
        node: NodeName,
        /// The lock.
        lock: LockInfo,
    },
}

pub(super) fn notices(seen: &[Observation]) -> Vec<Notice> {
    let changes = under_way(seen);
    let mut found = Vec::new();
    for host in seen {
        let node = || host.node.clone();
        if let Some(journal) = &host.journal {
            let tx = journal.tx.clone();
            let waits = changes
                .iter()
                .find(|change| change.tx == tx && change.waits());
            found.push(match waits {
                Some(change) => Notice::Waiting {
                    node: node(),
                    tx,
                    by: change.by.clone(),
                    deadline: change.deadline.clone(),
                },
                None => Notice::Unfinished {
                    node: node(),
                    tx,
                    phase: journal.phase,
                    deadline: journal.deadline.clone(),
                },
            });
        }
        if let Some(outcome) = &host.outcome {
            found.extend(of_outcome(host, outcome));
        }
        if let Some(drill) = &host.drill {
            found.push(Notice::Drilling {
                node: node(),
                name: drill.name.clone(),
                since: drill.since.clone(),
                seconds_left: drill.seconds_left,
            });
        }
        found.extend(behind(host, seen));
        let is_told = |lock: &&LockInfo| !lock.stale && !lock.pid.is_empty();
        if let Some(lock) = host.lock.as_ref().filter(is_told) {
            found.push(Notice::Locked {
                node: node(),
                lock: lock.clone(),
            });
        }
    }
    found
}

/// Set if other nodes record a newer change that included this host, and the host does not have it.
fn behind(host: &Observation, seen: &[Observation]) -> Option<Notice> {
    let generation = host.generation().filter(|own| *own > 0)?;
    let is_its = |address: &str| {
        let address = address.parse::<IpAddr>();
        address.is_ok_and(|address| host.holds(address))
    };
    let told_by = |other: &Observation| {
        let recorded = other.recorded.as_ref()?;
        let concerned = recorded.get(Fact::Peers)?.split(' ').any(is_its);
        concerned.then(|| recorded.generation()).flatten()
    };
    let newest = seen.iter().filter_map(told_by).max()?;
    // A change that is in progress or pending confirmation may end either way.
    (newest > generation && seen.iter().all(|one| one.journal.is_none())).then(|| Notice::Behind {
        node: host.node.clone(),
        generation,
        newest,
    })
}

/// The outcome of the last change, if its author may not know it.
fn of_outcome(host: &Observation, outcome: &Outcome) -> Option<Notice> {
    let node = host.node.clone();
    let (tx, why, at) = (outcome.tx.clone(), outcome.why.clone(), outcome.at.clone());
    if outcome.result == Ending::Incomplete {
        // Reported only as long as it lasts.
        return host
            .journal
            .is_some()
            .then_some(Notice::Incomplete { node, tx, why });
    }
    if outcome.is_noted || is_old(host.clock, &at) {
        return None;
    }
    match (outcome.result, outcome.cause) {
        (Ending::Expired, _) => Some(Notice::Undone { node, tx, why, at }),
        (Ending::Confirmed, Cause::Peer) => Some(Notice::Completed { node, tx, at }),
        (Ending::Reverted, Cause::Cancelled | Cause::Interrupted) => {
            Some(Notice::Cancelled { node, tx, why, at })
        }
        _ => None,
    }
}

/// Both times are from the host's own clock. A timestamp that does not parse is not old.
fn is_old(clock: f64, at: &str) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a clock that is off by that much is of no use anyway"
    )]
    let now = clock as i64;
    at.parse::<jiff::Timestamp>()
        .is_ok_and(|at| now > at.as_second() + WEEK)
}

/// Marks these outcomes as acknowledged on the hosts. One that cannot be marked is reported once more.
pub(super) async fn acknowledge_all(fleet: &Fleet, notices: &[Notice]) {
    for notice in notices {
        if let Notice::Undone { node, tx, .. }
        | Notice::Completed { node, tx, .. }
        | Notice::Cancelled { node, tx, .. } = notice
            && let Some(agent) = fleet.get(node)
            && let Err(error) = agent.noted(tx).await
        {
            tracing::debug!(%node, %error, "failed to note that the user was told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Journal, Manifest};

    /// A node at `address` with a generation that was also applied to `peers`.
    fn host(name: &str, address: &str, generation: u64, peers: &str) -> Observation {
        let mut host = Observation::of(NodeName::new(name).unwrap());
        let address = format!("{address}/24").parse().unwrap();
        host.addresses.push(("eth0".to_owned(), address));
        let text = format!("generation\t{generation}\npeers\t{peers}\n");
        host.recorded = Some(Manifest::parse(&text));
        host
    }

    #[test]
    fn a_node_that_lacks_a_change_that_was_made_on_it_is_behind() {
        let hosts = |made_on| {
            let lb1 = host("lb1", "10.0.0.11", 10, made_on);
            vec![lb1, host("lb2", "10.0.0.12", 9, "10.0.0.11 10.0.0.13")]
        };
        // The last change did not include lb2.
        assert_eq!(notices(&hosts("10.0.0.13")), []);
        let behind = Notice::Behind {
            node: NodeName::new("lb2").unwrap(),
            generation: 9,
            newest: 10,
        };
        let told = notices(&hosts("10.0.0.12 10.0.0.13"));
        assert_eq!(told, std::slice::from_ref(&behind));
        // While any node has a change in progress, only that is reported.
        let mut unfinished = hosts("10.0.0.12 10.0.0.13");
        unfinished[0].journal = Some(Journal::default());
        assert!(!notices(&unfinished).contains(&behind));
    }
}
