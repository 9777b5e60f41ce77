//! Who owns a VIP, according to the nodes' kernels.

use std::net::IpAddr;

use crate::agent::Observation;
use crate::model::NodeName;

/// A VIP and the nodes that have it on an interface.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct VipOwners {
    /// The address.
    pub address: IpAddr,
    /// In the order in which the nodes were given. Exactly one if all is well.
    pub owners: Vec<NodeName>,
}

impl VipOwners {
    /// The nodes of `seen` that have `address`.
    pub fn of<'a>(address: IpAddr, seen: impl IntoIterator<Item = &'a Observation>) -> Self {
        let holders = seen.into_iter().filter(|seen| seen.holds(address));
        Self {
            address,
            owners: holders.map(|seen| seen.node.clone()).collect(),
        }
    }

    /// The owner. `None` if there is no owner, or several.
    pub fn sole(&self) -> Option<&NodeName> {
        match self.owners.as_slice() {
            [owner] => Some(owner),
            _ => None,
        }
    }
}

/// The owners of each of `vips`, in that order.
pub fn owners(seen: &[Observation], vips: &[IpAddr]) -> Vec<VipOwners> {
    vips.iter().map(|vip| VipOwners::of(*vip, seen)).collect()
}
