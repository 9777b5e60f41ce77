//! Which cluster owns a node: the node records the cluster that was last applied to it.

use crate::agent::{Fact, Observation};
use crate::model::{ClusterName, NodeName, clipped};

/// Maximum length of a text from a host's record in a message.
const MAX_TEXT: usize = 120;

/// A node's record of the cluster that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Owner {
    /// The node.
    pub node: NodeName,
    /// Its cluster.
    pub cluster: String,
    /// The live generation.
    pub generation: u64,
    /// Who applied it.
    pub by: String,
    /// When, UTC.
    pub at: String,
}

/// Some nodes belong to a cluster other than the inventory's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; this inventory is of {cluster}", told(owners))]
pub struct AnotherCluster {
    /// The inventory's cluster.
    pub cluster: ClusterName,
    /// The nodes of other clusters.
    pub owners: Vec<Owner>,
}

/// `lb1 and lb2 belong to cluster web (generation 4, applied by alice@ctl at …)`.
fn told(owners: &[Owner]) -> String {
    let same = |a: &Owner, b: &Owner| {
        (&a.cluster, a.generation, &a.by, &a.at) == (&b.cluster, b.generation, &b.by, &b.at)
    };
    let mut groups: Vec<Vec<&Owner>> = Vec::new();
    for owner in owners {
        match groups.iter_mut().find(|group| same(group[0], owner)) {
            Some(group) => group.push(owner),
            None => groups.push(vec![owner]),
        }
    }
    let one = |group: &Vec<&Owner>| {
        let first = group[0];
        let names: Vec<&str> = group.iter().map(|owner| owner.node.as_str()).collect();
        let names = match names.as_slice() {
            [one] => format!("{one} belongs"),
            [others @ .., last] => format!("{} and {last} belong", others.join(", ")),
            [] => String::new(),
        };
        format!(
            "{names} to cluster {} (generation {}, applied by {} at {})",
            first.cluster, first.generation, first.by, first.at
        )
    };
    groups.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Refuses nodes of any cluster but `own`, and the one that is taken over.
pub(super) fn require_own_nodes<'a>(
    own: &ClusterName,
    taken_over: Option<&ClusterName>,
    seen: impl Iterator<Item = &'a Observation>,
) -> Result<(), AnotherCluster> {
    let is_allowed = |cluster: &str| {
        cluster == own.as_str() || taken_over.is_some_and(|allowed| cluster == allowed.as_str())
    };
    let owner = |seen: &Observation| {
        let recorded = seen.recorded.as_ref()?;
        let fact = |key| clipped(recorded.get(key).unwrap_or("?"), MAX_TEXT);
        // Generation 0 belongs to no cluster.
        let generation = recorded.generation().filter(|number| *number > 0)?;
        let cluster = recorded
            .get(Fact::Cluster)
            .filter(|name| !is_allowed(name))?;
        Some(Owner {
            node: seen.node.clone(),
            cluster: clipped(cluster, MAX_TEXT),
            generation,
            by: fact(Fact::AppliedBy),
            at: fact(Fact::AppliedAt),
        })
    };
    let owners: Vec<Owner> = seen.filter_map(owner).collect();
    if owners.is_empty() {
        Ok(())
    } else {
        Err(AnotherCluster {
            cluster: own.clone(),
            owners,
        })
    }
}
