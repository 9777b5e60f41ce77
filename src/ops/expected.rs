//! Expected impact of faults on a cluster's users, before and after a change.

use std::collections::BTreeMap;

use crate::agent::{Observation, TreeFile};
use crate::check::{Prediction, predictions};
use crate::conf::keepalived::Conf;
use crate::model::{Cluster, FileRole, NodeFacts, NodeName, Version};
use crate::plan::{NodePlan, Plan, TimerFiles, with_timers_of};

/// The predictions of `hactl check` and `plan`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Expected {
    /// The oldest keepalived of the nodes, which the predictions are for. Debian 12's if no node was observed.
    pub keepalived: Version,
    /// With the planned configuration.
    pub predictions: Vec<Prediction>,
    /// With the live configuration, if the change makes a difference.
    pub before: Option<Vec<Prediction>>,
}

impl Expected {
    /// From the inventory alone.
    pub(super) fn of(cluster: &Cluster) -> Self {
        let keepalived = NodeFacts::debian_12().keepalived;
        Self {
            keepalived,
            predictions: predictions(cluster, keepalived),
            before: None,
        }
    }

    /// From the plan's files and the hosts' live ones. `None` if those are not hactl's.
    pub(super) fn of_plan(cluster: &Cluster, plan: &Plan, seen: &[Observation]) -> Option<Self> {
        let versions = seen.iter().map(|seen| Some(seen.facts().ok()?.keepalived));
        let keepalived = versions.collect::<Option<Vec<_>>>()?.into_iter().min()?;
        let (mut then, mut now): (
            BTreeMap<NodeName, TimerFiles>,
            BTreeMap<NodeName, TimerFiles>,
        ) = Default::default();
        for node in &plan.nodes {
            let conf = file_of(node, FileRole::KeepalivedConf)?;
            let check = file_of(node, FileRole::CheckScript);
            let text = |content: &[u8]| String::from_utf8_lossy(content).into_owned();
            let host = seen.iter().find(|seen| seen.node == node.node);
            let conf_of = |text: &str| Conf::of_text(text, host.map(|seen| seen.hostname.as_str()));
            let live = |file: &TreeFile| Some(text(host?.files.get(&file.path)?.content()?));
            let before = live(conf).map(|keepalived| TimerFiles {
                keepalived: conf_of(&keepalived),
                check: check.and_then(live),
            });
            now.extend(before.map(|before| (node.node.clone(), before)));
            let after = TimerFiles {
                keepalived: conf_of(&text(&conf.content)),
                check: check.map(|file| text(&file.content)),
            };
            then.insert(node.node.clone(), after);
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

fn file_of(node: &NodePlan, role: FileRole) -> Option<&TreeFile> {
    node.tree.files.iter().find(|file| file.role == role)
}
