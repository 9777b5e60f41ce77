//! The changes that are under way on the nodes, put together from what each host tells.

use std::collections::BTreeSet;

use crate::agent::{Deadline, LockInfo, Observation, Phase};
use crate::apply::{Member, Side, Waiting};
use crate::model::NodeName;

/// One change, as it was seen.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    /// Its id.
    pub(super) tx: String,
    /// `user@machine` of who made it.
    pub(super) by: String,
    /// The generation that it makes.
    pub(super) generation: Option<u64>,
    /// A person may confirm it.
    pub(super) is_offered: bool,
    /// When the first of its hosts undoes it.
    pub(super) deadline: Option<Deadline>,
    /// Its nodes that were seen, the one that decides first.
    pub(super) members: Vec<Member>,
    /// How many more it concerns.
    pub(super) missing: usize,
    /// Whether it is known how the deciding node stands.
    pub(super) is_decider_known: bool,
    /// The lock of a process that is at it, as far as is known.
    pub(super) lock: Option<(NodeName, LockInfo)>,
}

impl UnderWay {
    /// True where a node has it for good.
    pub(super) fn is_confirmed_somewhere(&self) -> bool {
        self.has(Side::New)
    }

    /// True where a node is on that side.
    pub(super) fn has(&self, side: Side) -> bool {
        self.members.iter().any(|member| member.side == side)
    }

    /// True when it waits for the operator, and nothing of it has been decided.
    pub(super) fn waits(&self) -> bool {
        let waits = |member: &Member| member.phase.is_some_and(Phase::waits);
        self.is_offered && self.members.iter().all(waits)
    }

    /// For the engine.
    pub(super) fn waiting(&self) -> Waiting {
        let left = self.deadline.as_ref().map_or(0, |it| it.seconds_left);
        Waiting {
            tx: self.tx.clone(),
            members: self.members.clone(),
            left: std::time::Duration::from_secs(left),
        }
    }
}

/// On which side of the change `tx` a host is, and how far it got there; `None` if it knows nothing of it.
fn standing(host: &Observation, tx: &str) -> Option<(Side, Option<Phase>)> {
    let journal = host.journal.as_ref().filter(|journal| journal.tx == tx);
    Some((host.side_of(tx)?, journal.map(|journal| journal.phase)))
}

/// All changes that lie in a journal of `seen`, by their ids.
pub(super) fn under_way(seen: &[Observation]) -> Vec<UnderWay> {
    let journals = || seen.iter().filter_map(|host| host.journal.as_ref());
    let ids: BTreeSet<&str> = journals().map(|journal| journal.tx.as_str()).collect();
    let one = |tx: &str| {
        let own: Vec<_> = journals().filter(|journal| journal.tx == tx).collect();
        let mut members: Vec<(usize, Member)> = seen
            .iter()
            .filter_map(|host| {
                let (side, phase) = standing(host, tx)?;
                let journal = host.journal.as_ref().filter(|it| it.tx == tx);
                let position = journal.and_then(|it| it.position).unwrap_or(usize::MAX);
                let node = host.node.clone();
                Some((position, Member { node, side, phase }))
            })
            .collect();
        members.sort_by_key(|(position, _)| *position);
        let is_decided = |member: &Member| member.side != Side::Undecided;
        let nodes = own.iter().filter_map(|journal| journal.nodes).max();
        let live = |host: &Observation| {
            let lock = host.lock.as_ref()?;
            (!lock.stale && !lock.pid.is_empty()).then(|| (host.node.clone(), lock.clone()))
        };
        UnderWay {
            tx: tx.to_owned(),
            by: own
                .first()
                .map(|journal| journal.by.clone())
                .unwrap_or_default(),
            generation: own.iter().find_map(|journal| journal.generation),
            is_offered: own.iter().any(|journal| journal.phase == Phase::Offered),
            deadline: own
                .iter()
                .filter_map(|journal| journal.deadline.clone())
                .min_by_key(|deadline| deadline.seconds_left),
            missing: nodes.unwrap_or_default().saturating_sub(members.len()),
            is_decider_known: members
                .iter()
                .any(|(position, member)| *position == 0 || is_decided(member)),
            members: members.into_iter().map(|(_, member)| member).collect(),
            lock: seen.iter().find_map(live),
        }
    };
    ids.into_iter().map(one).collect()
}
