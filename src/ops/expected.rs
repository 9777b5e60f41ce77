//! What faults are expected to cost a cluster's users, after a change and before it.

use std::collections::BTreeMap;

use crate::agent::Observation;
use crate::check::{Prediction, predictions};
use crate::model::{Cluster, NodeFacts, NodeName, Version};
use crate::plan::{NodePlan, Plan, with_timers_of};

/// The predictions of `hactl check` and `plan`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Expected {
    /// The oldest keepalived of the nodes, for which this holds; Debian 12's where no node was asked.
    pub keepalived: Version,
    /// With the configuration to come.
    pub predictions: Vec<Prediction>,
    /// With the one that is live, where the change alters them.
    pub before: Option<Vec<Prediction>>,
}

impl Expected {
    /// By the inventory alone.
    pub(super) fn of(cluster: &Cluster) -> Self {
        let keepalived = NodeFacts::debian_12().keepalived;
        Self {
            keepalived,
            predictions: predictions(cluster, keepalived),
            before: None,
        }
    }

    /// By what the plan's files say and what the hosts have; `None` where these are not hactl's.
    pub(super) fn of_plan(cluster: &Cluster, plan: &Plan, seen: &[Observation]) -> Option<Self> {
        let versions = seen.iter().map(|seen| Some(seen.facts().ok()?.keepalived));
        let keepalived = versions.collect::<Option<Vec<_>>>()?.into_iter().min()?;
        let conf = |node: &NodePlan| {
            let files = &node.tree.files;
            files
                .iter()
                .find(|file| file.role == "keepalived_conf")
                .cloned()
        };
        let (mut then, mut now): (BTreeMap<NodeName, String>, BTreeMap<NodeName, String>) =
            Default::default();
        for node in &plan.nodes {
            let file = conf(node)?;
            let live = seen.iter().find(|seen| seen.node == node.node);
            let live = live.and_then(|seen| seen.files.get(&file.path)?.content());
            now.extend(live.map(|live| {
                (
                    node.node.clone(),
                    String::from_utf8_lossy(live).into_owned(),
                )
            }));
            then.insert(
                node.node.clone(),
                String::from_utf8_lossy(&file.content).into_owned(),
            );
        }
        let of = |files| Some(predictions(&with_timers_of(cluster, files)?, keepalived));
        let predictions = of(&then)?;
        let before = of(&now).filter(|before| *before != predictions);
        Some(Self {
            keepalived,
            predictions,
            before,
        })
    }
}
