//! Inputs and effects of a plan, by subject: whether two plans are the same, and if not, how they differ.

use std::collections::{BTreeMap, BTreeSet};

use super::moved::{Difference, Moved};
use crate::agent::{Observation, sha256_hex};
use crate::model::UnitId;
use crate::plan::{NodePlan, Plan, Strategy};
use crate::render::Templates;
use crate::units;

/// Inputs of a plan other than the hosts' files.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Basis {
    /// hactl's version.
    pub(super) hactl: String,
    /// A hash of the inventory's text.
    pub(super) inventory: String,
    /// A hash of all templates.
    pub(super) templates: String,
    /// Facts of each node, by name: its nginx's version, and so on.
    pub(super) hosts: BTreeMap<String, BTreeMap<String, String>>,
}

impl Basis {
    /// From the text of an inventory, and hosts as observed.
    pub fn of(inventory: &str, templates: &Templates, seen: &[Observation]) -> Self {
        let host = |seen: &Observation| Some((seen.node.to_string(), facts(seen)?));
        Self {
            hactl: env!("CARGO_PKG_VERSION").to_owned(),
            inventory: sha256_hex(inventory.as_bytes()),
            templates: templates.hash(),
            hosts: seen.iter().filter_map(host).collect(),
        }
    }
}

/// The facts that rendering depends on.
fn facts(seen: &Observation) -> Option<BTreeMap<String, String>> {
    let facts = seen.facts().ok()?;
    let own = facts.addresses.into_iter().flatten();
    let own: BTreeSet<String> = own.map(|own| own.net.to_string()).collect();
    let fact = |name: &str, value: String| (name.to_owned(), value);
    Some(BTreeMap::from([
        fact(
            "the system",
            format!("{} {}", facts.os_id, facts.os_version),
        ),
        fact("keepalived", facts.keepalived.to_string()),
        fact("nginx", facts.nginx.to_string()),
        fact("nginx's user", facts.nginx_user.to_string()),
        fact(
            "its addresses",
            own.into_iter().collect::<Vec<_>>().join(" "),
        ),
    ]))
}

/// A plan, by subject.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Fingerprint {
    cluster: String,
    basis: Basis,
    order: String,
    nodes: BTreeMap<String, NodeFingerprint>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct NodeFingerprint {
    generation: Option<u64>,
    /// Hash of the live file by path. `None` if there is no file.
    files: BTreeMap<String, Option<String>>,
    /// Current values of the kernel settings to be changed.
    kernel: BTreeMap<String, Option<String>>,
    /// The action for each daemon.
    units: BTreeMap<String, String>,
    /// What stops being served.
    stops: BTreeSet<String>,
    /// A hash of everything that it is to receive.
    wanted: String,
}

impl NodeFingerprint {
    fn of(plan: &Plan, node: &NodePlan) -> Self {
        let losses = plan.losses.iter().filter(|loss| loss.node == node.node);
        let unit = |id: UnitId| (id.name().to_owned(), node.unit(id).word().to_owned());
        let files = node.expected.iter();
        let kernel = node.sysctls();
        Self {
            generation: node.generation,
            files: files
                .map(|(path, hash)| (path.to_string(), hash.clone()))
                .collect(),
            kernel: kernel
                .map(|own| (own.key.clone(), own.kernel.clone()))
                .collect(),
            units: units::ids().map(unit).collect(),
            stops: losses.map(|loss| loss.name.clone()).collect(),
            wanted: sha256_hex(node.tree.full_manifest().to_text().as_bytes()),
        }
    }

    /// True if both do the same to the same host. The live generation may differ, if it was applied and rolled back in
    /// the meantime.
    fn does_the_same(&self, other: &Self) -> bool {
        let generation = self.generation;
        *self
            == Self {
                generation,
                ..other.clone()
            }
    }
}

/// True if both do the same to the same hosts.
pub(super) fn is_same(one: &Plan, other: &Plan) -> bool {
    one.cluster == other.cluster
        && one.goal == other.goal
        && one.strategy == other.strategy
        && one.nodes.len() == other.nodes.len()
        && one.nodes.iter().all(|node| {
            let mut others = other.nodes.iter();
            let is_same = |same: &NodePlan| {
                NodeFingerprint::of(one, node).does_the_same(&NodeFingerprint::of(other, same))
            };
            others
                .find(|own| own.node == node.node)
                .is_some_and(is_same)
        })
}

impl Fingerprint {
    pub(super) fn of(plan: &Plan, basis: &Basis) -> Self {
        let node = |node: &NodePlan| (node.node.to_string(), NodeFingerprint::of(plan, node));
        Self {
            cluster: plan.cluster.to_string(),
            basis: basis.clone(),
            order: match &plan.strategy {
                Strategy::Rolling => "one after the other".to_owned(),
                Strategy::AtOnce { reason, .. } => format!("all at once, since {reason}"),
            },
            nodes: plan.nodes.iter().map(node).collect(),
        }
    }

    /// The differences that matter to the hosts, causes first.
    pub(super) fn moved(&self, now: &Self) -> Vec<Moved> {
        if self.cluster != now.cluster {
            let was = self.cluster.clone();
            return vec![Moved::Cluster { was }];
        }
        let is_for_the_same = self.nodes.keys().eq(now.nodes.keys());
        let pairs = self
            .nodes
            .iter()
            .filter_map(|(name, was)| Some((name, was, now.nodes.get(name)?)));
        let differing: Vec<_> = pairs
            .filter(|(_, was, is)| !was.does_the_same(is))
            .collect();
        if is_for_the_same && differing.is_empty() {
            let order = (self.order != now.order).then(|| Moved::Order {
                now: now.order.clone(),
            });
            return order.into_iter().collect();
        }
        let mut moved = Vec::new();
        if !is_for_the_same || differing.iter().any(|(_, was, is)| was.wanted != is.wanted) {
            moved.extend(self.basis.moved(&now.basis));
        }
        if !is_for_the_same {
            moved.push(Moved::Nodes {
                were: self.nodes.keys().cloned().collect(),
            });
        }
        let is_explained = !moved.is_empty();
        let mut hosts: Vec<(Vec<String>, Difference)> = Vec::new();
        for (name, was, is) in differing {
            let mut all = was.differences(is);
            if was.wanted != is.wanted {
                all.extend(self.basis.facts_moved(&now.basis, name));
            }
            if all.is_empty() && !is_explained {
                all.push(Difference::Wanted);
            }
            for how in all {
                match hosts.iter_mut().find(|(_, known)| *known == how) {
                    Some((nodes, _)) => nodes.push(name.clone()),
                    None => hosts.push((vec![name.clone()], how)),
                }
            }
        }
        let hosts = hosts.into_iter();
        moved.extend(hosts.map(|(nodes, how)| Moved::Hosts { nodes, how }));
        moved
    }
}

impl Basis {
    fn moved(&self, now: &Self) -> Vec<Moved> {
        let mut moved = Vec::new();
        if self.hactl != now.hactl {
            moved.push(Moved::Hactl {
                was: self.hactl.clone(),
                is: now.hactl.clone(),
            });
        }
        if self.inventory != now.inventory {
            moved.push(Moved::Inventory);
        }
        // A different version comes with different templates.
        if self.hactl == now.hactl && self.templates != now.templates {
            moved.push(Moved::Templates);
        }
        moved
    }

    fn facts_moved(&self, now: &Self, node: &str) -> Vec<Difference> {
        let (Some(was), Some(is)) = (self.hosts.get(node), now.hosts.get(node)) else {
            return Vec::new();
        };
        let moved = |(name, was): (&String, &String)| {
            let is = is.get(name).filter(|is| *is != was)?;
            Some(Difference::Fact {
                name: name.clone(),
                was: was.clone(),
                is: is.clone(),
            })
        };
        was.iter().filter_map(moved).collect()
    }
}

/// The keys whose values differ.
fn differing<V: PartialEq>(was: &BTreeMap<String, V>, is: &BTreeMap<String, V>) -> Vec<String> {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let differs = |key: &&&String| was.get(**key) != is.get(**key);
    keys.iter()
        .filter(differs)
        .map(|key| (*key).clone())
        .collect()
}

impl NodeFingerprint {
    fn differences(&self, is: &Self) -> Vec<Difference> {
        if self.generation != is.generation {
            return vec![Difference::Generation {
                was: self.generation,
                is: is.generation,
            }];
        }
        let mut found = Vec::new();
        // A path in only one of them is a difference in what is wanted.
        let both = |path: &String| self.files.contains_key(path) && is.files.contains_key(path);
        let mut files = differing(&self.files, &is.files);
        files.retain(both);
        if !files.is_empty() {
            found.push(Difference::Files(files));
        }
        if self.wanted != is.wanted {
            return found;
        }
        let kernel = differing(&self.kernel, &is.kernel);
        if !kernel.is_empty() {
            found.push(Difference::Kernel(kernel));
        }
        if found.is_empty() {
            let units = differing(&self.units, &is.units);
            let word = |units: &BTreeMap<String, String>, name: &str| {
                units.get(name).cloned().unwrap_or_default()
            };
            found.extend(units.into_iter().map(|name| Difference::Unit {
                was: word(&self.units, &name),
                is: word(&is.units, &name),
                name,
            }));
        }
        let stops: Vec<String> = self
            .stops
            .symmetric_difference(&is.stops)
            .cloned()
            .collect();
        if !stops.is_empty() {
            found.push(Difference::Stops(stops));
        }
        found
    }
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
