//! The facts in a generation's manifest, besides its paths, sysctls and units.

use crate::model::UnitId;
use indexmap::IndexMap;
use strum::{Display, EnumString, IntoStaticStr};

/// A key of a manifest. The host's program uses the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Fact {
    /// The generation's number. 0 is the host's state before hactl.
    Generation,
    /// The id of the change that made it.
    Tx,
    /// The number of the previously live generation.
    Previous,
    /// The number of the generation that a rollback restores.
    Restores,
    /// The cluster's name.
    Cluster,
    /// The node's name.
    Node,
    /// The cluster's nodes: `lb1=10.0.0.11 lb2=10.0.0.12`.
    Members,
    /// The VIPs. A host announces those that it owns.
    Vips,
    /// nginx's status port on loopback.
    StatusPort,
    /// The failover profile's name.
    Failover,
    /// The units whose configuration hactl shares with others there.
    Shares,
    /// The VRRP instances, if keepalived is shared.
    Instances,
    /// The file in keepalived's `track_file`.
    TrackedFile,
    /// The node's position in the change, counted from 0.
    Position,
    /// The number of nodes in the change.
    Nodes,
    /// How it is confirmed: `auto` or `manual`.
    Confirm,
    /// The addresses of the other nodes of the change.
    Peers,
    /// Who applied it, as `user@machine`.
    AppliedBy,
    /// When it was applied, in UTC.
    AppliedAt,
    /// SHA-256 of the inventory's text.
    Inventory,
    /// The inventory's Git commit.
    Commit,
}

/// The key for the id of a unit's configuration.
fn id_word(unit: UnitId) -> String {
    format!("{}_id", unit.name())
}

/// Facts, in insertion order. Unknown ones, written by another version of hactl, are preserved.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Facts(IndexMap<String, String>);

impl Facts {
    /// The value of `fact`. `None` if it is absent or empty.
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.word(fact.into())
    }

    /// The value of `key`. `None` if it is absent or empty.
    pub(super) fn word(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?;
        Some(value.as_str()).filter(|value| !matches!(*value, "" | "-"))
    }

    pub fn set(&mut self, fact: Fact, value: impl Into<String>) {
        self.0.insert(fact.to_string(), value.into());
    }

    /// The id of the configuration of `unit`.
    pub fn id_of(&self, unit: UnitId) -> Option<&str> {
        self.word(&id_word(unit))
    }

    pub fn set_id(&mut self, unit: UnitId, id: impl Into<String>) {
        self.0.insert(id_word(unit), id.into());
    }

    pub fn remove(&mut self, fact: Fact) {
        self.0.shift_remove(<&str>::from(fact));
    }

    /// Keys and values in the order of a manifest's lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.0.iter();
        lines.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Sets a key from a manifest's line, whether known or not.
    pub(super) fn read(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }
}

impl Extend<(Fact, String)> for Facts {
    fn extend<I: IntoIterator<Item = (Fact, String)>>(&mut self, facts: I) {
        for (fact, value) in facts {
            self.set(fact, value);
        }
    }
}

impl<const N: usize> From<[(Fact, String); N]> for Facts {
    fn from(facts: [(Fact, String); N]) -> Self {
        let mut all = Self::default();
        all.extend(facts);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::agent::script::agent_script;

    /// Its reads have the form `$(value_in "$into/new/manifest" generation)`.
    #[test]
    fn the_hosts_program_reads_no_fact_by_another_word() {
        let text = agent_script();
        let reads: BTreeSet<&str> = text
            .split("/manifest\" ")
            .skip(1)
            .map(|rest| rest.split([')', ' ', '\n']).next().unwrap())
            .filter(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            })
            .collect();
        assert!(reads.len() > 5, "{reads:?}");
        let unknown: Vec<_> = reads
            .iter()
            .filter(|word| word.parse::<Fact>().is_err())
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn what_another_version_wrote_is_kept() {
        let mut facts = Facts::default();
        facts.read("of_tomorrow", "7");
        facts.set(Fact::Commit, "");
        assert_eq!(facts.get(Fact::Commit), None);
        assert_eq!(
            facts.lines().collect::<Vec<_>>(),
            [("of_tomorrow", "7"), ("commit", "")]
        );
    }
}
