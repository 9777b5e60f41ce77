//! Changes in progress on the nodes, assembled from what each host reports.

use std::collections::BTreeSet;

use crate::agent::{Deadline, LockInfo, Observation, Phase};
use crate::apply::{Decision, Member, Waiting};
use crate::model::NodeName;

/// One change, as observed on its nodes.
#[derive(Debug, Clone)]
pub(super) struct InFlightChange {
    pub(super) tx: String,
    /// Author, as `user@machine`.
    pub(super) by: String,
    /// The generation that it creates.
    pub(super) generation: Option<u64>,
    /// True if the operator may confirm it.
    pub(super) is_offered: bool,
    /// When the first of its hosts rolls it back.
    pub(super) deadline: Option<Deadline>,
    /// Its nodes that were observed, the decider first.
    pub(super) members: Vec<Member>,
    /// How many of its nodes were not observed.
    pub(super) missing: usize,
    /// Whether the decider's state is known.
    pub(super) is_decider_known: bool,
    /// The lock of the process that runs it, as far as is known.
    pub(super) lock: Option<(NodeName, LockInfo)>,
}

impl InFlightChange {
    /// True if a node has committed it.
    pub(super) fn is_confirmed_somewhere(&self) -> bool {
        self.has(Decision::Committed)
    }

    /// True if a node is on that side.
    pub(super) fn has(&self, side: Decision) -> bool {
        self.members.iter().any(|member| member.side == side)
    }

    /// True if it is pending confirmation and no node has decided.
    pub(super) fn waits(&self) -> bool {
        let waits = |member: &Member| member.phase.is_some_and(Phase::waits);
        self.is_offered && self.members.iter().all(waits)
    }

    pub(super) fn waiting(&self) -> Waiting {
        let left = self.deadline.as_ref().map_or(0, |it| it.seconds_left);
        Waiting {
            tx: self.tx.clone(),
            members: self.members.clone(),
            left: std::time::Duration::from_secs(left),
        }
    }
}

/// The side and the phase of a host in the change `tx`. `None` if the host has no record of it.
fn standing(host: &Observation, tx: &str) -> Option<(Decision, Option<Phase>)> {
    let journal = host.journal.as_ref().filter(|journal| journal.tx == tx);
    Some((host.decision_of(tx)?, journal.map(|journal| journal.phase)))
}

/// All changes in the journals of `seen`, ordered by id.
pub(super) fn under_way(seen: &[Observation]) -> Vec<InFlightChange> {
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
        let is_decided = |member: &Member| member.side != Decision::InDoubt;
        let nodes = own.iter().filter_map(|journal| journal.nodes).max();
        let live = |host: &Observation| {
            let lock = host.lock.as_ref()?;
            (!lock.stale && !lock.pid.is_empty()).then(|| (host.node.clone(), lock.clone()))
        };
        InFlightChange {
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
