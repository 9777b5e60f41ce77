//! A snapshot of a cluster, which plan, apply, rollback and status start from.

use super::cluster::vips;
use super::judged::of_running;
use super::member::Missing;
use super::notice::{Notice, notices};
use crate::agent::{Client, Observation};
use crate::apply::Fleet;
use crate::check::Finding;
use crate::health::{self, Problem};
use crate::model::{Cluster, NodeName};
use crate::remote::Connector;

/// Open connections, and what was observed over them.
pub(super) struct ClusterSnapshot<'a> {
    pub(super) connector: &'a dyn Connector,
    /// Probes VIPs from outside.
    pub(super) client: &'a dyn Client,
    pub(super) fleet: &'a Fleet,
    /// In the inventory's order.
    pub(super) seen: Vec<Observation>,
    /// Nodes outside the change, in the inventory's order.
    pub(super) others: Vec<Other>,
    /// Members of the newest generation that the inventory no longer lists.
    pub(super) missing: Vec<Missing>,
}

/// A node outside the change: its observation, or why there is none.
pub(super) enum Other {
    Seen(Box<Observation>),
    Unseen { node: NodeName, why: String },
}

impl Other {
    pub(super) fn is(&self, name: &NodeName) -> bool {
        match self {
            Self::Seen(seen) => seen.node == *name,
            Self::Unseen { node, .. } => node == name,
        }
    }

    pub(super) fn seen_mut(&mut self) -> Option<&mut Observation> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Unseen { .. } => None,
        }
    }

    pub(super) fn seen(&self) -> Option<&Observation> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Unseen { .. } => None,
        }
    }
}

impl ClusterSnapshot<'_> {
    /// What the hosts report, and which nodes outside the change could not be observed.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let unseen = self.others.iter().filter_map(|other| match other {
            Other::Unseen { node, why } => Some(Notice::NotSeen {
                node: node.clone(),
                why: why.clone(),
            }),
            Other::Seen(_) => None,
        });
        notices(&self.seen).into_iter().chain(unseen).collect()
    }

    /// Problems of the nodes to be changed, and of the VIPs.
    pub(super) fn known_problems(&self, cluster: &Cluster) -> Vec<Problem> {
        let others: Vec<_> = self.others.iter().map(Other::seen).collect();
        health::known_problems_beside(&self.seen, &others, &vips(cluster))
    }

    /// The same as findings of rules, and as problems that no rule covers.
    pub(super) fn broken(&self, cluster: &Cluster) -> (Vec<Finding>, Vec<Problem>) {
        of_running(cluster, &self.all(), self.known_problems(cluster))
    }

    /// `seen`, and the observations of nodes outside the change.
    pub(super) fn with_others(&self, seen: &[Observation]) -> Vec<Observation> {
        let others = self.others.iter().filter_map(Other::seen);
        seen.iter().chain(others).cloned().collect()
    }

    pub(super) fn all(&self) -> Vec<Observation> {
        self.with_others(&self.seen)
    }
}
