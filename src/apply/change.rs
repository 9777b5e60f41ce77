//! The change that this process makes: its plan, its options and its id.

use std::time::Duration;

use super::options::ApplyOptions;
use crate::agent::{LockRequest, PeerCredentials};
use crate::model::NodeName;
use crate::plan::{NodePlan, Plan};

#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) plan: &'a Plan,
    /// Its nodes that change, in the plan's order.
    pub(super) plans: &'a [&'a NodePlan],
    pub(super) options: &'a ApplyOptions,
    pub(super) tx: &'a str,
}

impl<'a> Change<'a> {
    /// The nodes that change, in the plan's order.
    pub(super) fn nodes(&self) -> Vec<&'a NodeName> {
        self.plans.iter().map(|plan| &plan.node).collect()
    }

    /// A lock for as long as the change may take.
    pub(super) fn lock_request(&self) -> LockRequest {
        LockRequest {
            tx: self.tx.to_owned(),
            holder: self.options.provenance.by.clone(),
            pid: Some(std::process::id()),
            origin: self.options.origin.clone(),
            duration: self.options.confirm_timeout + Duration::from_mins(2),
        }
    }

    /// The credentials with which `node` queries its peers and answers them.
    pub(super) fn peer_credentials(&self, node: &NodePlan) -> Option<PeerCredentials> {
        let place = node
            .place
            .as_ref()
            .filter(|place| !place.peers.is_empty())?;
        Some(PeerCredentials {
            key: self.options.peer_key.clone()?,
            address: place.address,
        })
    }
}
