//! What earlier commands left on the hosts: changes that were interrupted, and locks whose holder is gone.
//!
//! Finding it is one thing, and pure; ending it is another, and is done only once the user has seen it and
//! agreed.

use super::context::{Context, Loaded};
use super::error::OpsError;
use super::notice::Notice;
use super::settle::Settler;
use super::survey::Survey;
use super::under_way::{UnderWay, under_way};
use crate::agent::{
    AgentError, Entry, FailureCode, LiveFile, LockInfo, Observation, Pending, Reason, sha256_hex,
};
use crate::apply::{
    Event, FailureCause, Fleet, RecoveryDirection, SettleOutcome, SettleVerb, Verdict,
};
use crate::model::{Node, NodeName};

/// A change that was interrupted, and that nobody works on any more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InterruptedChange {
    /// Its id.
    pub tx: String,
    /// `user@machine` of who made it.
    pub by: String,
    /// The generation that it makes.
    pub generation: Option<u64>,
    /// How it will end.
    pub direction: RecoveryDirection,
    /// The nodes on which it is not finished.
    pub nodes: Vec<NodeName>,
}

/// A lock whose holder no longer runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StaleLock {
    /// The node.
    pub node: NodeName,
    /// `user@machine` of who took it.
    pub holder: String,
    /// When it was taken, UTC.
    pub since: String,
    /// The change that it is for.
    pub tx: String,
}

/// Everything that has to be ended before a change of one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Recovery {
    /// Interrupted changes.
    pub changes: Vec<InterruptedChange>,
    /// Locks that no interrupted change has.
    pub stale_locks: Vec<StaleLock>,
}

impl Recovery {
    /// What `seen` leaves to recover. A change that waits for a person, or that somebody works on, is left
    /// alone. `is_whole`: all nodes of the cluster were looked at. Where some were left out nothing is
    /// recovered, since one of them may be the one that was confirmed.
    pub fn find(seen: &[Observation], is_whole: bool) -> Self {
        if !is_whole {
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

    /// True when the hosts are free.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.stale_locks.is_empty()
    }

    /// The notices, without those that tell what this recovery ends.
    pub(super) fn without_own(&self, notices: Vec<Notice>) -> Vec<Notice> {
        let is_own =
            |notice: &Notice| matches!(notice, Notice::Unfinished { tx, .. } if self.ends(tx));
        notices
            .into_iter()
            .filter(|notice| !is_own(notice))
            .collect()
    }

    fn ends(&self, tx: &str) -> bool {
        self.changes.iter().any(|change| change.tx == tx)
    }

    fn change_on(&self, host: &Observation) -> Option<&InterruptedChange> {
        let journal = host.journal.as_ref()?;
        self.changes.iter().find(|change| change.tx == journal.tx)
    }
}

fn interrupted(change: &UnderWay) -> InterruptedChange {
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

/// The lock of a dead holder on a host where no change but those of `changes` is under way.
fn stale_lock<'s>(host: &'s Observation, changes: &[InterruptedChange]) -> Option<&'s LockInfo> {
    let is_left = |tx: &String| !changes.iter().any(|change| change.tx == *tx);
    if host.journal.as_ref().is_some_and(|it| is_left(&it.tx)) {
        return None;
    }
    host.lock.as_ref().filter(|lock| lock.stale)
}

/// The hosts as they will be once `recovery` is carried out, as well as can be told before: files as in
/// the generation that stays, and no change under way. Only looks. What it cannot know, such as a file
/// that was edited by hand before the change, shows when the hosts are looked at again afterwards.
pub(super) async fn foresee(
    recovery: &Recovery,
    fleet: &Fleet,
    seen: &[Observation],
) -> Result<Vec<Observation>, OpsError> {
    let mut hosts = Vec::new();
    for host in seen {
        let mut host = host.clone();
        let direction = recovery.change_on(&host).map(|change| change.direction);
        match direction {
            Some(RecoveryDirection::RollBack) => roll_back(&mut host, fleet).await?,
            Some(RecoveryDirection::Complete) => complete(&mut host),
            None => {}
        }
        if direction.is_some() {
            host.journal = None;
        }
        if host.lock.as_ref().is_some_and(|lock| lock.stale) && host.journal.is_none() {
            host.lock = None;
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// Its files are those of its live generation, over those that were there before hactl.
async fn roll_back(host: &mut Observation, fleet: &Fleet) -> Result<(), OpsError> {
    let live = host.generation().filter(|number| *number > 0);
    for number in std::iter::once(0).chain(live) {
        let Some(agent) = fleet.get(&host.node) else {
            continue;
        };
        let (manifest, mut contents) = match agent.generation(number).await {
            Ok(generation) => generation,
            Err(error) if error.code() == Some(FailureCode::NoGeneration) => continue,
            Err(error) => {
                return Err(OpsError::Hosts {
                    errors: vec![error],
                });
            }
        };
        for entry in manifest.entries {
            let (path, file) = match entry {
                Entry::File {
                    mode,
                    owner,
                    group,
                    path,
                    ..
                } => {
                    let Some(content) = contents.remove(&path) else {
                        continue;
                    };
                    let file = LiveFile::File {
                        mode,
                        owner,
                        group,
                        content,
                    };
                    (path, file)
                }
                Entry::Link { target, path } => (path, LiveFile::Link(target)),
                Entry::Absent { path } => (path, LiveFile::Absent),
            };
            host.files.insert(path, file);
        }
        let values = manifest.sysctls.into_iter();
        host.sysctls
            .extend(values.map(|(key, value)| (key, Some(value))));
    }
    let recorded = host.recorded.as_ref();
    let id = |key: &str| recorded.and_then(|it| it.get(key)).map(str::to_owned);
    (host.serves, host.loaded) = (id("nginx_id"), id("keepalived_id"));
    Ok(())
}

/// What is live becomes what is recorded.
fn complete(host: &mut Observation) {
    let generation = host.journal.as_ref().and_then(|it| it.generation);
    let Some(recorded) = &mut host.recorded else {
        return;
    };
    let mut set = |key: &str, value: Option<String>| {
        recorded
            .meta
            .insert(key.to_owned(), value.unwrap_or_default())
    };
    set("generation", generation.map(|number| number.to_string()));
    set("nginx_id", host.serves.clone());
    set("keepalived_id", host.loaded.clone());
    for entry in &mut recorded.entries {
        if let Entry::File { sha256, path, .. } = entry
            && let Some(content) = host.files.get(path).and_then(LiveFile::content)
        {
            *sha256 = sha256_hex(content);
        }
    }
}

/// What carrying a recovery out needs.
pub(super) struct Recoverer<'a> {
    pub(super) context: &'a Context,
    pub(super) loaded: &'a Loaded,
    /// What is told of everything that happens.
    pub(super) tell: &'a (dyn Fn(Event) + Sync),
}

impl Recoverer<'_> {
    /// Ends the interrupted changes: the way that they ended on a host where they were confirmed, or else
    /// back. Releases the locks of holders that are gone.
    pub(super) async fn carry_out(
        &self,
        recovery: &Recovery,
        survey: &Survey,
    ) -> Result<(), OpsError> {
        let seen = &survey.seen;
        let nodes: Vec<Node> = self.loaded.nodes().into_iter().cloned().collect();
        let settler = Settler {
            context: self.context,
            connector: &survey.connector,
            fleet: &survey.fleet,
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
            let end = settler.end(change, SettleVerb::Cancel, &why, seen);
            match end.await {
                Ok(end) => {
                    let direction = match end.verdict {
                        Verdict::AllNew => Some(RecoveryDirection::Complete),
                        Verdict::AllOld => Some(RecoveryDirection::RollBack),
                        Verdict::Waiting | Verdict::Mixed => None,
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
            if let (Some(agent), Some(lock)) = (survey.fleet.get(&host.node), lock) {
                match agent.break_lock(&lock.tx, false).await {
                    Ok(()) => (self.tell)(Event::LockReleased {
                        node: host.node.clone(),
                        holder: lock.holder.clone(),
                    }),
                    // Somebody else has taken it meanwhile, or a change could not be ended: that is said.
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

/// Why the end of an interrupted change failed, on each host where it did.
fn problems_of(change: &UnderWay, end: SettleOutcome) -> Vec<AgentError> {
    if end.verdict != Verdict::Mixed {
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

/// Nothing can be said of a host on which a change is under way: what it will be is not decided.
pub(super) fn require_no_pending_change(seen: &[Observation]) -> Result<(), OpsError> {
    let changes = under_way(seen);
    let unfinished = |host: &Observation| {
        let journal = host.journal.as_ref()?;
        let waits = changes
            .iter()
            .find(|change| change.tx == journal.tx && change.waits());
        let lock = match waits {
            // One deadline for all of its nodes, so that they are told of as one.
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

    /// What a host answers `observe` that has these records.
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

    /// A lock that expires `until` seconds after the host's start; the host is up for 100.
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
        // One that lies in its journal as confirmed is carried through there, too.
        let hosts = [
            host("lb1", &[journal("confirmed", 0)]),
            host("lb2", &[second]),
        ];
        assert_eq!(found(&hosts), [(Complete, vec!["lb1", "lb2"])]);
        // A node that was left out may be the one that was confirmed.
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
