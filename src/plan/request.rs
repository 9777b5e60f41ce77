//! What a plan is built from, and why none can be made of it.

use std::net::IpAddr;

use super::beside::BesideError;
use super::desired::Desired;
use super::diff::Redactor;
use super::owner::AnotherCluster;
use super::types::Goal;
use crate::agent::Observation;
use crate::model::{ClusterName, HostPath, NodeName};

/// What a plan is built from: per node what is wanted and what was seen.
pub struct Request {
    /// The cluster.
    pub cluster: ClusterName,
    /// Where it leads.
    pub goal: Goal,
    /// The nodes that are not changed: those that `--limit` leaves out.
    pub left_out: Vec<LeftOut>,
    /// The address of each node of the cluster, in the inventory's order.
    pub addresses: Vec<(NodeName, IpAddr)>,
    /// All VIPs of the cluster.
    pub vips: Vec<IpAddr>,
    /// The nodes, in the inventory's order.
    pub nodes: Vec<(Desired, Observation)>,
    /// How secrets are masked.
    pub redactor: Redactor,
    /// The cluster that these nodes may have been until now.
    pub take_over: Option<ClusterName>,
}

/// A node that is not changed.
pub enum LeftOut {
    /// What it would be if it were changed, and what it was seen to be.
    Seen(Box<(Desired, Observation)>),
    /// Nobody knows what it runs.
    Unseen(NodeName),
}

/// A plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A change on which all nodes must agree was asked for some of them only.
    #[error(
        "cannot change the nodes without {without}: {reason}, and nodes that disagree on that elect an owner each"
    )]
    Partial {
        /// What they would disagree on, as a clause.
        reason: String,
        /// A node that is left out and would disagree.
        without: NodeName,
    },
    /// A node would get the priority of one that is not changed (rule KA013).
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
    /// The nodes are another cluster's.
    #[error(transparent)]
    AnotherCluster(AnotherCluster),
    /// hactl's part cannot live beside what others have.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// Something other than a regular file lies where a file goes.
    #[error("{node}: {path} is {found}, not a regular file")]
    Obstacle {
        /// The node.
        node: NodeName,
        /// Where.
        path: HostPath,
        /// What lies there.
        found: String,
    },
}
