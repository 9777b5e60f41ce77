//! The election of one virtual router: who owns the VIP once the state is stable.

use std::net::IpAddr;

use crate::model::{
    Cluster, NodeName, OnNginxFailure, Preemption, Priority, VrrpInstance, VrrpSettings,
};

/// A node that takes part in the election of a virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    pub node: NodeName,
    /// The configured priority.
    pub priority: Priority,
    /// The address, which decides between equal priorities (RFC 9568, 6.4.3).
    pub address: IpAddr,
}

/// The contenders of a virtual router, and the settings that decide between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// The contenders, in the order of the instance's `priority order`.
    pub contenders: Vec<Contender>,
    /// Whether a node preempts an owner of lower priority. `preempt_delay` only postpones that, and does not change
    /// who owns the VIP in the end.
    pub preempt: bool,
    /// How a dead nginx affects its node in the election.
    pub on_nginx_failure: OnNginxFailure,
}

/// A set of contenders, by position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::check) struct Nodes(u64);

impl Nodes {
    /// Capacity of the set.
    pub(in crate::check) const MAX: usize = 64;
    pub(in crate::check) const NONE: Self = Self(0);

    /// The first `count` contenders.
    pub(in crate::check) fn first(count: usize) -> Self {
        (0..count).collect()
    }

    pub(in crate::check) fn contains(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    #[must_use]
    pub(in crate::check) fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << index)
    }

    #[must_use]
    pub(in crate::check) fn without(self, index: usize) -> Self {
        Self(self.0 & !(1 << index))
    }

    /// The positions, in ascending order.
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

    pub(in crate::check) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(in crate::check) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<usize> for Nodes {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        indices.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Which nodes are alive, and which own the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::check) struct State {
    /// Nodes that run.
    pub(in crate::check) up: Nodes,
    /// Nodes that run and whose nginx serves.
    pub(in crate::check) serving: Nodes,
    /// Nodes that own the VIP. Several only if the election cannot be decided.
    pub(in crate::check) owners: Nodes,
}

impl Election {
    /// The election of `instance` as `cluster` configures it. Names in its `priority order` that no node has are
    /// ignored.
    pub fn of(cluster: &Cluster, instance: &VrrpInstance) -> Self {
        let contenders = instance
            .priority_order
            .iter()
            .filter_map(|(name, priority)| {
                let address = cluster.node(name)?.address;
                Some(Contender {
                    node: name.clone(),
                    priority: *priority,
                    address,
                })
            });
        Self::new(contenders.collect(), &cluster.vrrp)
    }

    pub fn new(contenders: Vec<Contender>, settings: &VrrpSettings) -> Self {
        Self {
            contenders,
            preempt: settings.preemption != Preemption::Keep,
            on_nginx_failure: settings.on_nginx_failure,
        }
    }

    /// The priority that the contender at `index` advertises while its nginx serves or not. `None` in FAULT.
    /// keepalived clamps the result of a weight to 1..=254 (`vrrp_track.c`).
    ///
    /// The weight counts once, as for a hung nginx. For a killed one, the tracked file and the check both count it. A
    /// still lower priority of a dead node cannot break anything, so what holds here holds there too.
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

    /// Who owns the VIP in the stable state when the nodes `up` run and hear each other, nginx serves on `serving`, and
    /// `owners` had the VIP before. Names that are no contender's are ignored.
    pub fn owners_among(
        &self,
        up: &[NodeName],
        serving: &[NodeName],
        owners: &[NodeName],
    ) -> Vec<NodeName> {
        let number = |name: &NodeName| {
            let mut contenders = self.contenders.iter();
            contenders.position(|one| one.node == *name)
        };
        let set = |names: &[NodeName]| -> Nodes { names.iter().filter_map(number).collect() };
        let settled = self.settle(set(up), set(serving), set(owners));
        let name = |index: usize| Some(self.contenders.get(index)?.node.clone());
        settled.iter().filter_map(name).collect()
    }

    /// Everything is alive, and the owner is the one elected when all nodes start together.
    pub(in crate::check) fn all_healthy(&self) -> State {
        let all = Nodes::first(self.contenders.len());
        State {
            up: all,
            serving: all,
            owners: self.settle(all, all, Nodes::NONE),
        }
    }

    /// Who owns the VIP in the stable state when `up` run, nginx serves on `serving`, and `owners` had the VIP before.
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

        // The owner stays unless a backup finds its adverts too low, which never happens with nopreempt. A backup
        // accepts adverts of equal priority, so a tie leaves the VIP where it is.
        let challenged = self.preempt && best(candidates) > best(present);
        let electorate = if present.is_empty() || challenged {
            candidates
        } else {
            present
        };
        self.winners(electorate, best(electorate), priority)
    }

    /// Of several nodes that send adverts at once, the highest priority wins, and on a tie the higher address. Nodes
    /// with equal addresses cannot be told apart, so all of them stay.
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
