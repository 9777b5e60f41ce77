//! A plan, as data.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::change::{Change, FileChange, SysctlChange, UnitChange};
use super::drift::RunningDrift;
use super::serving::Loss;
use crate::agent::{Fact, TestResult, Tree, UnitAction};
use crate::model::{ClusterName, Distribution, HostPath, NodeName, UnitId};
use crate::render::ConfigIds;
use crate::units;

/// The goal of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Goal {
    /// The state in the inventory.
    Apply,
    /// An earlier generation. 0 is the state of the hosts before hactl.
    Rollback {
        /// Its number.
        to: u64,
    },
}

/// The order in which the nodes change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Strategy {
    /// One after the other, VIP owners last.
    Rolling,
    /// All at once, since nodes that disagree on this would elect two owners (rule KA053).
    AtOnce {
        /// What they would disagree on.
        reason: String,
        /// How long VIPs have no owner meanwhile, by VRRP's timers. `None` if these do not determine it.
        #[serde(rename = "without_owner_ms", serialize_with = "milliseconds")]
        #[schemars(with = "Option<f64>")]
        without_owner: Option<Duration>,
    },
}

#[expect(clippy::ref_option, reason = "serde hands the field over as it is")]
fn milliseconds<S: serde::Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let time = time.map(|time| time.as_secs_f64() * 1000.0);
    serde::Serialize::serialize(&time, serializer)
}

/// What must be proven about the cluster before a change is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Nothing: no daemon and no script is touched, or the hosts return to their state before hactl, which hactl
    /// cannot judge.
    NotNeeded,
    /// Every VIP has one owner, and clients that reach it are served what that owner serves. The inventory does not
    /// tell what an earlier generation listened on.
    WhatTheOwnerServes,
    /// Every VIP has one owner, and every listener in the inventory answers.
    AllListeners,
}

/// A node's place in the change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Place {
    /// Its position in the order of activation, from 0. The node at position 0 decides the outcome of a change that is
    /// pending confirmation.
    pub position: usize,
    /// How many nodes change.
    pub nodes: usize,
    /// Its own address, at which the other nodes ask how the change ended.
    pub address: IpAddr,
    /// The addresses of the other nodes that change, which it asks.
    pub peers: Vec<IpAddr>,
}

/// Everything that changes on one node.
#[derive(Clone, serde::Serialize, schemars::JsonSchema)]
pub struct NodePlan {
    /// The node.
    pub node: NodeName,
    /// The live generation, if hactl has applied one.
    pub generation: Option<u64>,
    /// Its place in the change. `None` if nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The identities of the new configurations. `None` for generation 0.
    pub ids: Option<ConfigIds>,
    /// VIPs that it owns now.
    pub holds: Vec<IpAddr>,
    /// VIPs outside hactl's control that leave this node while its keepalived is stopped for the change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub displaces: Vec<IpAddr>,
    /// The changes, in this order.
    pub changes: Vec<Change>,
    /// Running state that differs from what was applied.
    pub drift: Vec<RunningDrift>,
    /// Results of the daemons' own tests of the new files, filled in after these ran.
    pub tests: Vec<TestResult>,
    /// Current hash by path. apply refuses a host whose files have changed since.
    pub expected: BTreeMap<HostPath, Option<String>>,
    /// The files themselves. Never serialised: they hold secrets.
    #[serde(skip)]
    pub tree: Tree,
}

impl NodePlan {
    /// True when nothing changes on this node.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The packages to install.
    pub fn packages(&self) -> Vec<&str> {
        let installed = self.changes.iter().filter_map(|change| match change {
            Change::Install(name) => Some(name.as_str()),
            _ => None,
        });
        installed.collect()
    }

    /// The files that change.
    pub fn files(&self) -> impl Iterator<Item = &FileChange> {
        self.changes.iter().filter_map(|change| match change {
            Change::File(file) => Some(file),
            _ => None,
        })
    }

    /// The kernel settings that change.
    pub fn sysctls(&self) -> impl Iterator<Item = &SysctlChange> {
        self.changes.iter().filter_map(|change| match change {
            Change::Sysctl(sysctl) => Some(sysctl),
            _ => None,
        })
    }

    /// The action on a service, and its reason. `None` if the service is left alone.
    pub fn unit_change(&self, id: UnitId) -> Option<&UnitChange> {
        self.changes.iter().find_map(|change| match change {
            Change::Unit(unit) if unit.unit == id => Some(unit),
            _ => None,
        })
    }

    pub fn unit(&self, id: UnitId) -> UnitAction {
        self.unit_change(id)
            .map_or(UnitAction::None, |unit| unit.action)
    }

    /// The actions on the services, in this order.
    pub fn actions(&self) -> Vec<(UnitId, UnitAction)> {
        let units = units::ids();
        let change = |id| self.unit_change(id).map(|change| (id, change.action));
        units.filter_map(change).collect()
    }

    /// Turns a reload of the service into a restart.
    pub(super) fn restart(&mut self, id: UnitId, why: &str) {
        for change in &mut self.changes {
            if let Change::Unit(unit) = change
                && unit.unit == id
            {
                unit.action = UnitAction::Restart;
                why.clone_into(&mut unit.reason);
            }
        }
    }

    /// Sets the action on a service.
    #[cfg(test)]
    pub(crate) fn set_unit(&mut self, unit: UnitId, action: UnitAction, reason: &str) {
        let is_it = |change: &Change| matches!(change, Change::Unit(own) if own.unit == unit);
        self.changes.retain(|change| !is_it(change));
        if action != UnitAction::None {
            let reason = reason.to_owned();
            let change = UnitChange {
                unit,
                action,
                reason,
            };
            let others = |change: &Change| matches!(change, Change::Unit(own) if own.unit > unit);
            let at = self.changes.iter().filter(|change| !others(change)).count();
            self.changes.insert(at, Change::Unit(change));
        }
    }

    /// True when a VIP leaves this node during the change.
    pub fn moves_vip(&self) -> bool {
        let interrupts = |action| matches!(action, UnitAction::Restart | UnitAction::Stop);
        !self.holds.is_empty() && units::ids().any(|id| interrupts(self.unit(id)))
    }

    /// True when the change of this node may lead to the election of another one.
    pub(super) fn changes_election(&self) -> bool {
        self.unit(UnitId::KEEPALIVED) != UnitAction::None
            || self.unit(UnitId::NGINX) == UnitAction::Start
    }

    /// False while nginx lacks a module that its new files need, because the package is yet to be installed.
    pub fn can_test(&self, unit: UnitId) -> bool {
        unit != UnitId::NGINX
            || !self
                .packages()
                .into_iter()
                .any(Distribution::is_stream_module)
    }

    /// The daemons' tests that failed.
    pub fn failed_tests(&self) -> impl Iterator<Item = &TestResult> {
        self.tests.iter().filter(|test| !test.verdict().is_passed())
    }
}

/// A plan: everything that will change.
#[derive(Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Plan {
    /// The cluster.
    pub cluster: ClusterName,
    /// The goal.
    pub goal: Goal,
    /// The number of the generation that will be live: a new one, or 0 again.
    pub generation: u64,
    /// The order in which the nodes change.
    pub strategy: Strategy,
    /// How the change is proven.
    pub proof: Proof,
    /// What the hosts would stop serving.
    pub losses: Vec<Loss>,
    /// The owner of each VIP after the election, if the change decides it and it can be predicted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub preferred: BTreeMap<IpAddr, NodeName>,
    /// The nodes, in the order of their activation.
    pub nodes: Vec<NodePlan>,
}

impl Plan {
    /// The facts in the new generation's manifest that the plan decides.
    pub fn record_of(&self, node: &NodePlan) -> Vec<(Fact, String)> {
        let mut record = vec![
            (Fact::Generation, self.generation.to_string()),
            (Fact::Previous, node.generation.unwrap_or(0).to_string()),
        ];
        if let Some(place) = &node.place {
            let peers: Vec<String> = place.peers.iter().map(IpAddr::to_string).collect();
            record.extend([
                (Fact::Position, place.position.to_string()),
                (Fact::Nodes, place.nodes.to_string()),
                (Fact::Peers, peers.join(" ")),
            ]);
        }
        if let Goal::Rollback { to } = self.goal {
            record.push((Fact::Restores, to.to_string()));
        }
        record
    }

    /// True when nothing changes on any node.
    pub fn is_empty(&self) -> bool {
        self.nodes.iter().all(NodePlan::is_empty)
    }

    /// True when a daemon refused the files of a node.
    pub fn is_refused(&self) -> bool {
        self.nodes
            .iter()
            .any(|node| node.failed_tests().next().is_some())
    }

    /// The node that stays up alone while all change at once: the last one, which owns most VIPs. `None` if they
    /// change one after the other.
    pub fn keeper(&self) -> Option<&NodeName> {
        if self.strategy == Strategy::Rolling {
            return None;
        }
        let takes_part = |node: &&NodePlan| node.unit(UnitId::KEEPALIVED) != UnitAction::None;
        self.changing()
            .filter(takes_part)
            .last()
            .map(|node| &node.node)
    }

    /// The nodes that change.
    pub fn changing(&self) -> impl Iterator<Item = &NodePlan> {
        self.nodes.iter().filter(|node| !node.is_empty())
    }
}
