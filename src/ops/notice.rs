//! Things that a host tells about earlier changes, and that the user should know first.
//!
//! How a change ended is told to everybody who looks, until somebody who was told goes on to change the
//! cluster, or for a week: by then who made it has asked.

use std::net::IpAddr;

use super::under_way::under_way;
use crate::agent::{Cause, Deadline, Ending, Fact, LockInfo, Observation, Outcome, Phase};
use crate::apply::Fleet;
use crate::model::NodeName;

/// For this long is told how a change ended, in seconds.
const WEEK: i64 = 7 * 24 * 3600;

/// One such thing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Notice {
    /// A change lies unfinished on the host; its timer will undo it unless its owner confirms it.
    Unfinished {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// How far it got.
        phase: Phase,
        /// When the host ends it, where it tells.
        deadline: Option<Deadline>,
    },
    /// A change waits for the operator to confirm it.
    Waiting {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// `user@machine` of who made it.
        by: String,
        /// When the host undoes it.
        deadline: Option<Deadline>,
    },
    /// The host rolled the last change back on its own, at its deadline or after a restart.
    Undone {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// Why.
        why: String,
        /// When, UTC.
        at: String,
    },
    /// The last change was confirmed by what another node said, when hactl could not.
    Completed {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// When, UTC.
        at: String,
    },
    /// A person cancelled the last change, or an apply undid it since it had been interrupted.
    Cancelled {
        /// The node.
        node: NodeName,
        /// The change's id.
        tx: String,
        /// Who, or why.
        why: String,
        /// When, UTC.
        at: String,
    },
    /// An undo failed; the host tries it again.
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
        /// Since when, UTC.
        since: String,
        /// Seconds until the host ends it; 0 when it has tried and failed so far.
        seconds_left: u64,
    },
    /// A node that `--limit` leaves out could not be looked at.
    NotSeen {
        /// The node.
        node: NodeName,
        /// Why.
        why: String,
    },
    /// It lacks the last change that was made on it: it was brought back from a backup, or was kept from
    /// being confirmed.
    Behind {
        /// The node.
        node: NodeName,
        /// Its generation.
        generation: u64,
        /// The one that another node knows it to have got.
        newest: u64,
    },
    /// Somebody else works on the host.
    Locked {
        /// The node.
        node: NodeName,
        /// The lock.
        lock: LockInfo,
    },
}

/// What `seen` tells.
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

/// What others tell of a change that was made on this host, too, and that it does not know.
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
    // One that is under way, or waits, may end either way.
    (newest > generation && seen.iter().all(|one| one.journal.is_none())).then(|| Notice::Behind {
        node: host.node.clone(),
        generation,
        newest,
    })
}

/// How the last change ended, where its maker may not know.
fn of_outcome(host: &Observation, outcome: &Outcome) -> Option<Notice> {
    let node = host.node.clone();
    let (tx, why, at) = (outcome.tx.clone(), outcome.why.clone(), outcome.at.clone());
    if outcome.result == Ending::Incomplete {
        // For as long as it is so.
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

/// Both by the host's own clock; a time that makes no sense is none.
fn is_old(clock: f64, at: &str) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a clock that is off by that much is of no use anyway"
    )]
    let now = clock as i64;
    at.parse::<jiff::Timestamp>()
        .is_ok_and(|at| now > at.as_second() + WEEK)
}

/// Tells the hosts that these were told. What fails here is told once more.
pub(super) async fn note_all(fleet: &Fleet, notices: &[Notice]) {
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

    /// A node at `address` with a generation that was made on `peers`, too.
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
        // The last change did not concern it.
        assert_eq!(notices(&hosts("10.0.0.13")), []);
        let behind = Notice::Behind {
            node: NodeName::new("lb2").unwrap(),
            generation: 9,
            newest: 10,
        };
        let told = notices(&hosts("10.0.0.12 10.0.0.13"));
        assert_eq!(told, std::slice::from_ref(&behind));
        // While a change lies on any of them, that is what there is to tell.
        let mut unfinished = hosts("10.0.0.12 10.0.0.13");
        unfinished[0].journal = Some(Journal::default());
        assert!(!notices(&unfinished).contains(&behind));
    }
}
