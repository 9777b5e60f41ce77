//! What the simulator of `check` expects after each event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hactl::check::Election;
use hactl::model::{Cluster, NodeName, Preemption, VrrpVersion};

use crate::scenario::Step;

/// Who owns each VIP, by the number of its instance.
pub(crate) type Owners = BTreeMap<usize, BTreeSet<usize>>;

/// Two nodes that wait for times as close as this are elected by chance.
const BY_CHANCE: Duration = Duration::from_millis(10);

/// The state of a cluster.
#[derive(Clone)]
pub(crate) struct World {
    /// `Skew_Time` of a priority of 0, which one of 256 does not have (RFC 9568, 6.1).
    longest_skew: Duration,
    /// Whether a node of higher priority takes the VIP from another one.
    preempts: bool,
    names: Vec<NodeName>,
    elections: Vec<Election>,
    /// Nodes whose keepalived runs.
    running: BTreeSet<usize>,
    linked: BTreeSet<usize>,
    serving: BTreeSet<usize>,
    /// One side of a split network.
    apart: BTreeSet<usize>,
    owners: Owners,
    /// Addresses that a killed keepalived has left behind, by instance.
    stale: Owners,
}

impl World {
    /// All nodes run, all are healthy, and the network is whole.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let all: BTreeSet<usize> = (0..cluster.nodes.len()).collect();
        let instances = cluster.instances.iter();
        let longest_skew = match cluster.vrrp.version {
            VrrpVersion::V2 => Duration::from_secs(1),
            VrrpVersion::V3 => cluster.vrrp.advert_interval.duration(),
        };
        let mut world = Self {
            longest_skew,
            preempts: cluster.vrrp.preemption != Preemption::Keep,
            names: cluster.nodes.iter().map(|node| node.name.clone()).collect(),
            elections: instances.map(|one| Election::of(cluster, one)).collect(),
            running: all.clone(),
            linked: all.clone(),
            serving: all,
            apart: BTreeSet::new(),
            owners: Owners::new(),
            stale: Owners::new(),
        };
        world.settle();
        world
    }

    /// Takes over who owns the VIPs in fact.
    pub(crate) fn is_owned_by(&mut self, owners: Owners) {
        for (instance, nodes) in owners {
            let stale = self.stale.get(&instance).cloned().unwrap_or_default();
            self.owners.insert(instance, &nodes - &stale);
        }
    }

    /// The nodes that have each VIP's address.
    pub(crate) fn owners(&self) -> Owners {
        let all = (0..self.elections.len()).map(|instance| {
            let of = |owners: &Owners| owners.get(&instance).cloned().unwrap_or_default();
            (instance, &of(&self.owners) | &of(&self.stale))
        });
        all.collect()
    }

    /// Whether that is as expected, but for what chance decides: which of two nodes is quicker, if their priorities are
    /// close together and there is no preemption, and who owns the VIP where nginx is dead on all nodes.
    pub(crate) fn allows(&self, found: &Owners) -> bool {
        let expected = self.owners();
        expected.iter().all(|(instance, expected)| {
            let found = &found[instance];
            let stale = self.stale.get(instance).cloned().unwrap_or_default();
            let (one, other) = (expected - &stale, found - &stale);
            let is_by_chance = || match (one.first(), other.first()) {
                (Some(of_one), Some(of_other)) if one.len() == 1 && other.len() == 1 => {
                    let able = &self.running & &self.linked;
                    let is_hopeless = able.is_disjoint(&self.serving) && able.contains(of_other);
                    let is_close = !self.preempts && self.are_close(*instance, *of_one, *of_other);
                    self.apart.is_empty() && (is_close || is_hopeless)
                }
                _ => false,
            };
            expected == found || expected.is_superset(&stale) && is_by_chance()
        })
    }

    fn are_close(&self, instance: usize, one: usize, other: usize) -> bool {
        let able = |node| self.running.contains(&node) && self.linked.contains(&node);
        let election = &self.elections[instance];
        let priority = |node: usize| {
            let mut contenders = election.contenders.iter();
            let number = contenders.position(|own| own.node == self.names[node])?;
            election.effective_priority(number, self.serving.contains(&node))
        };
        let (Some(one), Some(of_other), true) = (priority(one), priority(other), able(other))
        else {
            return false;
        };
        let apart = u32::from(one.abs_diff(of_other));
        self.longest_skew * apart / 256 < BY_CHANCE
    }

    /// Whether the event can happen now.
    pub(crate) fn can(&self, step: &Step) -> bool {
        match step {
            Step::NginxDies(node) => self.serving.contains(node),
            Step::NginxReturns(node) => !self.serving.contains(node),
            Step::Stop(node) | Step::Kill(node) | Step::Reload(node) => self.running.contains(node),
            Step::Start(node) => !self.running.contains(node),
            Step::Cut(node) => self.linked.contains(node),
            Step::Plug(node) => !self.linked.contains(node),
            Step::Split(side) => {
                let splits = !side.is_empty() && side.len() < self.names.len();
                self.apart.is_empty() && splits
            }
            Step::Join => !self.apart.is_empty(),
        }
    }

    pub(crate) fn apply(&mut self, step: &Step) {
        match step {
            Step::NginxDies(node) => drop(self.serving.remove(node)),
            Step::NginxReturns(node) => drop(self.serving.insert(*node)),
            Step::Stop(node) => drop(self.running.remove(node)),
            Step::Kill(node) => {
                self.running.remove(node);
                for (instance, owners) in &self.owners {
                    if owners.contains(node) {
                        self.stale.entry(*instance).or_default().insert(*node);
                    }
                }
            }
            Step::Start(node) => {
                self.running.insert(*node);
                // It begins as a backup, and removes what it finds.
                for stale in self.stale.values_mut() {
                    stale.remove(node);
                }
            }
            Step::Cut(node) => drop(self.linked.remove(node)),
            Step::Plug(node) => drop(self.linked.insert(*node)),
            Step::Reload(_) => {}
            Step::Split(side) => self.apart.clone_from(side),
            Step::Join => self.apart.clear(),
        }
        self.settle();
    }

    fn settle(&mut self) {
        let able = &self.running & &self.linked;
        let sides = [&able & &self.apart, &able - &self.apart];
        for (instance, election) in self.elections.iter().enumerate() {
            let before = self.owners.remove(&instance).unwrap_or_default();
            let mut owners = BTreeSet::new();
            for side in &sides {
                let names = |nodes: BTreeSet<usize>| -> Vec<NodeName> {
                    nodes.iter().map(|node| self.names[*node].clone()).collect()
                };
                let found = election.owners_among(
                    &names(side.clone()),
                    &names(&self.serving & side),
                    &names(&before & side),
                );
                let number = |name: &NodeName| self.names.iter().position(|own| own == name);
                owners.extend(found.iter().filter_map(number));
            }
            self.owners.insert(instance, owners);
        }
    }
}
