//! What rules check besides the inventory.

use std::net::IpAddr;

use crate::agent::Observation;
use crate::health::Problem;
use crate::model::{Cluster, Node, NodeName, Version};
use crate::plan::Plan;

/// The version of a node's keepalived.
#[derive(Debug, Clone, Copy)]
pub struct VersionEvidence<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The node.
    pub node: &'a Node,
    /// The version of keepalived there.
    pub version: Version,
    /// True if the inventory names no failover profile.
    pub leaves_profile_open: bool,
}

/// One host.
#[derive(Clone, Copy)]
pub struct HostEvidence<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its node in the inventory.
    pub node: &'a Node,
    /// What was observed there.
    pub seen: &'a Observation,
}

/// All hosts together.
#[derive(Clone, Copy)]
pub struct ClusterEvidence<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What was observed on each host.
    pub seen: &'a [Observation],
    /// Problems of the cluster, as far as they concern the verb: before a change, only those of nodes that hactl has
    /// set up.
    pub problems: &'a [Problem],
    /// Machines outside the cluster that answer for its VIPs.
    pub strangers: &'a [Stranger],
}

/// A machine outside the cluster that answers for a VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The node that asked.
    pub node: NodeName,
    /// The VIP.
    pub vip: IpAddr,
    /// The hardware address that answered.
    pub hardware: String,
}

/// A plan.
#[derive(Clone, Copy)]
pub struct PlanEvidence<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The plan.
    pub plan: &'a Plan,
    /// What was observed on the hosts that it is for.
    pub seen: &'a [Observation],
    /// Problems that the hosts already had, which the change need not solve.
    pub before: &'a [Problem],
}
