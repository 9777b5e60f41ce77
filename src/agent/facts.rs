//! What a generation's manifest says of it, beside the paths, kernel settings and units that it consists of.

use crate::model::UnitId;
use indexmap::IndexMap;
use strum::{Display, EnumString, IntoStaticStr};

/// What a manifest says of its generation. The host's program reads some of it by the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Fact {
    /// The generation's number; 0 for the host as it was before hactl.
    Generation,
    /// The change that made it.
    Tx,
    /// The number of the generation that was live before.
    Previous,
    /// The number of the generation that it brings back.
    Restores,
    /// The cluster's name.
    Cluster,
    /// The node's name.
    Node,
    /// The cluster's nodes: `lb1=10.0.0.11 lb2=10.0.0.12`.
    Members,
    /// The VIPs, as a host announces those that it owns.
    Vips,
    /// Where nginx answers on loopback for its status.
    StatusPort,
    /// The failover profile's name.
    Failover,
    /// The programs that hactl shares with others there.
    Shares,
    /// The VRRP instances, where keepalived is shared.
    Instances,
    /// The file that keepalived tracks.
    TrackedFile,
    /// The node's position in the change, from 0.
    Position,
    /// How many nodes the change has.
    Nodes,
    /// Who confirms it: `auto` or `manual`.
    Confirm,
    /// The addresses of the other nodes of the change.
    Peers,
    /// Who made it, as `user@machine`.
    AppliedBy,
    /// When, in UTC.
    AppliedAt,
    /// SHA-256 of the inventory's text.
    Inventory,
    /// The inventory's Git commit.
    Commit,
}

/// The word for the identity of a unit's configuration.
fn id_word(unit: UnitId) -> String {
    format!("{}_id", unit.name())
}

/// Facts, in the order in which they were set. One that another version of hactl has written, and this one does
/// not know, is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Facts(IndexMap<String, String>);

impl Facts {
    /// What is said of `fact`; `None` also where that is nothing.
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.word(fact.into())
    }

    /// What the line of `key` says.
    pub(super) fn word(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?;
        Some(value.as_str()).filter(|value| !matches!(*value, "" | "-"))
    }

    /// Says something of `fact`.
    pub fn set(&mut self, fact: Fact, value: impl Into<String>) {
        self.0.insert(fact.to_string(), value.into());
    }

    /// The identity of the configuration of `unit`.
    pub fn id_of(&self, unit: UnitId) -> Option<&str> {
        self.word(&id_word(unit))
    }

    /// Says which identity the configuration of `unit` has.
    pub fn set_id(&mut self, unit: UnitId, id: impl Into<String>) {
        self.0.insert(id_word(unit), id.into());
    }

    /// Says nothing of `fact` any more.
    pub fn remove(&mut self, fact: Fact) {
        self.0.shift_remove(<&str>::from(fact));
    }

    /// As a manifest's lines have them.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.0.iter();
        lines.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// From a manifest's line, whoever wrote it.
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

    /// Its reads look like `$(value_in "$into/new/manifest" generation)`.
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
