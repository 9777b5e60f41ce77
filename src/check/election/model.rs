//! One virtual router's election: who owns the VIP once the adverts have settled.

use std::net::IpAddr;

use crate::model::{
    Cluster, NodeName, OnNginxFailure, Preemption, Priority, VrrpInstance, VrrpSettings,
};

/// A node that stands for a virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// Its name.
    pub node: NodeName,
    /// Its configured priority.
    pub priority: Priority,
    /// Its address, which decides between equal priorities (RFC 9568, 6.4.3).
    pub address: IpAddr,
}

/// One virtual router's contenders and the settings that decide between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// The contenders, in the order of the ladder.
    pub contenders: Vec<Contender>,
    /// Whether a node takes the VIP from an owner of lower priority. `preempt_delay` puts that off
    /// and changes nothing about who owns the VIP in the end.
    pub preempt: bool,
    /// What a dead nginx does to its node's candidacy.
    pub on_nginx_failure: OnNginxFailure,
}

/// A set of contenders, by position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::check) struct Nodes(u64);

impl Nodes {
    /// The most contenders that a set can hold.
    pub(in crate::check) const MAX: usize = 64;
    /// None.
    pub(in crate::check) const NONE: Self = Self(0);

    /// The first `count` contenders.
    pub(in crate::check) fn first(count: usize) -> Self {
        (0..count).collect()
    }

    /// True when `index` is among them.
    pub(in crate::check) fn contains(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    /// These and `index`.
    #[must_use]
    pub(in crate::check) fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << index)
    }

    /// These but for `index`.
    #[must_use]
    pub(in crate::check) fn without(self, index: usize) -> Self {
        Self(self.0 & !(1 << index))
    }

    /// Their positions, in order.
    pub(in crate::check) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let index = usize::try_from(rest.trailing_zeros()).ok()?;
            (rest != 0).then(|| {
                rest &= rest - 1;
                index
            })
        })
    }

    /// How many they are.
    pub(in crate::check) fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// True when there are none.
    pub(in crate::check) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<usize> for Nodes {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        indices.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What is alive, and who owns the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::check) struct State {
    /// Nodes that run.
    pub(in crate::check) up: Nodes,
    /// Nodes that run and whose nginx serves.
    pub(in crate::check) serving: Nodes,
    /// Nodes that hold the VIP. More than one only where an election cannot be decided.
    pub(in crate::check) owners: Nodes,
}

impl Election {
    /// The election of `instance` as `cluster` configures it. A name in the ladder that no node has
    /// is left out.
    pub fn of(cluster: &Cluster, instance: &VrrpInstance) -> Self {
        let contenders = instance.ladder.iter().filter_map(|(name, priority)| {
            let address = cluster.node(name)?.address;
            Some(Contender {
                node: name.clone(),
                priority: *priority,
                address,
            })
        });
        Self::new(contenders.collect(), &cluster.vrrp)
    }

    /// An election between `contenders` by `settings`.
    pub fn new(contenders: Vec<Contender>, settings: &VrrpSettings) -> Self {
        Self {
            contenders,
            preempt: settings.preemption != Preemption::Keep,
            on_nginx_failure: settings.on_nginx_failure,
        }
    }

    /// The priority that the contender at `index` adverts while its nginx serves or not, or `None`
    /// in FAULT. keepalived clamps what a weight makes of it to 1..=254 (`vrrp_track.c`).
    ///
    /// The weight counts once, as for an nginx that hangs. For one that was killed the tracked file
    /// and the check each count it; a lower priority of a dead node breaks nothing that the higher
    /// one does not, so that what holds here holds there.
    pub fn effective_priority(&self, index: usize, serving: bool) -> Option<u8> {
        let base = i16::from(self.contenders.get(index)?.priority.get());
        let change = match self.on_nginx_failure {
            OnNginxFailure::Fault if serving => 0,
            OnNginxFailure::Fault => return None,
            OnNginxFailure::Weight { weight } if (weight.get() < 0) == serving => 0,
            OnNginxFailure::Weight { weight } => weight.get(),
        };
        u8::try_from((base + change).clamp(1, 254)).ok()
    }

    /// Everything alive, and the owner that a start of all nodes together elects.
    pub(in crate::check) fn all_healthy(&self) -> State {
        let all = Nodes::first(self.contenders.len());
        State {
            up: all,
            serving: all,
            owners: self.settle(all, all, Nodes::NONE),
        }
    }

    /// Who owns the VIP once the adverts have settled, when `up` run, nginx serves on `serving` and
    /// `owners` held it before.
    pub(in crate::check) fn settle(&self, up: Nodes, serving: Nodes, owners: Nodes) -> Nodes {
        let priority = |index| self.effective_priority(index, serving.contains(index));
        let candidates: Nodes = up
            .iter()
            .filter(|index| priority(*index).is_some())
            .collect();
        let present: Nodes = owners
            .iter()
            .filter(|index| candidates.contains(*index))
            .collect();
        let best = |nodes: Nodes| nodes.iter().filter_map(priority).max();

        // An owner goes on unless a backup finds its adverts too low, and with nopreempt none does.
        // A backup gives way to equal adverts, so a tie leaves the VIP where it is.
        let challenged = self.preempt && best(candidates) > best(present);
        let electorate = if present.is_empty() || challenged {
            candidates
        } else {
            present
        };
        self.winners(electorate, best(electorate), priority)
    }

    /// Of several that send adverts at once, the highest priority stays, and of equal ones the
    /// higher address. Equal addresses cannot be told apart: all of them stay.
    fn winners(
        &self,
        electorate: Nodes,
        best: Option<u8>,
        priority: impl Fn(usize) -> Option<u8>,
    ) -> Nodes {
        let address = |index: usize| self.contenders.get(index).map(|node| node.address);
        let top: Nodes = electorate
            .iter()
            .filter(|index| priority(*index) == best)
            .collect();
        let highest = top.iter().map(address).max();
        top.iter()
            .filter(|index| Some(address(*index)) == highest)
            .collect()
    }
}
