//! What a plan does to the VIPs that nodes hold now.

use crate::agent::UnitAction;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::serving::LostService;
use super::types::{NodePlan, Plan};
use crate::model::{NodeName, UnitId};

/// Where a VIP goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "course")]
pub enum Course {
    /// It stays where it is.
    Stays,
    /// It moves to the node that is preferred from now on.
    Moves {
        /// The new owner.
        to: NodeName,
    },
    /// It moves to another node during the change, and back.
    Returns,
    /// It moves to another node, which cannot be predicted.
    Leaves,
    /// No node owns it afterwards.
    Ends,
    /// It cannot be predicted.
    Unknown,
}

/// What a change does to a VIP.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct VipCourse {
    /// The VIP.
    pub vip: IpAddr,
    /// The nodes that own it now.
    pub from: Vec<NodeName>,
    /// Where it goes.
    #[serde(flatten)]
    pub course: Course,
}

impl Plan {
    /// The course of every VIP that a node holds now, ordered by address.
    pub fn courses(&self) -> Vec<VipCourse> {
        let held: BTreeSet<IpAddr> = self
            .nodes
            .iter()
            .flat_map(|node| &node.holds)
            .copied()
            .collect();
        let course = |vip: IpAddr| VipCourse {
            vip,
            from: self.holders(vip).map(|node| node.node.clone()).collect(),
            course: self.course(vip),
        };
        held.into_iter().map(course).collect()
    }

    pub fn course(&self, vip: IpAddr) -> Course {
        let is_lost = self.losses.iter().any(
            |loss| matches!(&loss.service, LostService::Vip { address, .. } if *address == vip),
        );
        let all_stop = self
            .nodes
            .iter()
            .all(|node| node.unit(UnitId::KEEPALIVED) == UnitAction::Stop);
        if is_lost || all_stop {
            return Course::Ends;
        }
        let mut holders = self.holders(vip);
        let (Some(holder), None) = (holders.next(), holders.next()) else {
            return Course::Unknown;
        };
        match self.preferred.get(&vip) {
            Some(next) if *next != holder.node => Course::Moves { to: next.clone() },
            Some(_) if holder.moves_vip() => Course::Returns,
            None if holder.moves_vip() => Course::Leaves,
            None if self.nodes.iter().any(NodePlan::changes_election) => Course::Unknown,
            Some(_) | None => Course::Stays,
        }
    }

    fn holders(&self, vip: IpAddr) -> impl Iterator<Item = &NodePlan> {
        self.nodes
            .iter()
            .filter(move |node| node.holds.contains(&vip))
    }
}
