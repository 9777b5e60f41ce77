//! The input of a plan, and why it can fail.

use std::net::IpAddr;

use super::beside::BesideError;
use super::desired::Desired;
use super::diff::Redactor;
use super::owner::AnotherCluster;
use super::types::Goal;
use crate::agent::Observation;
use crate::model::{ClusterName, HostPath, NodeName};

/// The input of a plan: desired and observed state per node.
pub struct Request {
    pub cluster: ClusterName,
    pub goal: Goal,
    /// The nodes that `--limit` leaves out.
    pub left_out: Vec<LeftOut>,
    /// The address of each node of the cluster, in the inventory's order.
    pub addresses: Vec<(NodeName, IpAddr)>,
    /// All VIPs of the cluster.
    pub vips: Vec<IpAddr>,
    /// The nodes, in the inventory's order.
    pub nodes: Vec<(Desired, Observation)>,
    /// How secrets are masked.
    pub redactor: Redactor,
    /// Another cluster that the nodes may still belong to.
    pub take_over: Option<ClusterName>,
}

/// A node that is not changed.
pub enum LeftOut {
    /// Its desired and observed state.
    Seen(Box<(Desired, Observation)>),
    /// Its state is unknown.
    Unseen(NodeName),
}

/// Why no plan can be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A change that all nodes must agree on was requested for some of them only.
    #[error(
        "cannot change the nodes without {without}: {reason}, and nodes that disagree on that would each elect an owner"
    )]
    Partial {
        /// What they would disagree on, as a clause.
        reason: String,
        /// A node that is left out and would disagree.
        without: NodeName,
    },
    /// A node would get the same priority as one that is not changed (rule KA013).
    #[error(
        "cannot change the nodes without {peer}: {node} would have priority {priority} in {instance}, which {peer} keeps"
    )]
    Equals {
        /// The node.
        node: NodeName,
        /// The VRRP instance.
        instance: String,
        /// Its priority.
        priority: u8,
        /// The node that is left out.
        peer: NodeName,
    },
    /// The nodes belong to another cluster.
    #[error(transparent)]
    AnotherCluster(AnotherCluster),
    /// hactl cannot share a daemon's configuration with others.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// Something other than a regular file is in the way.
    #[error("{node}: {path} is {found}, not a regular file")]
    Obstacle {
        /// The node.
        node: NodeName,
        path: HostPath,
        /// What was found there.
        found: String,
    },
}
