//! What rules are checked against, besides the inventory.

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
    /// The version there.
    pub version: Version,
    /// The inventory names no failover profile.
    pub leaves_profile_open: bool,
}

/// One host.
#[derive(Clone, Copy)]
pub struct HostEvidence<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its node in the inventory.
    pub node: &'a Node,
    /// What was seen of it.
    pub seen: &'a Observation,
}

/// All hosts together.
#[derive(Clone, Copy)]
pub struct ClusterEvidence<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What was seen of each host.
    pub seen: &'a [Observation],
    /// What keeps the cluster from being whole, as far as the verb is to judge it: before a change, only what
    /// concerns nodes that hactl has set up.
    pub problems: &'a [Problem],
    /// Who outside the cluster answers for its VIPs.
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
    /// The hosts that it is for.
    pub seen: &'a [Observation],
    /// What was wrong with them already: a change may be about something else.
    pub before: &'a [Problem],
}
