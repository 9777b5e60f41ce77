//! Proof across the cluster: every VIP has exactly one owner.

use std::net::IpAddr;
use std::time::Duration;

use super::fleet::{Fleet, each};
use crate::agent::{Observation, Question};
use crate::health::{self, Problem};
use crate::model::NodeName;

/// The VIPs, each with its one owner; or what is wrong.
pub(super) async fn one_owner_each(
    fleet: &Fleet,
    vips: &[IpAddr],
    patience: Duration,
) -> Result<Vec<(IpAddr, NodeName)>, Vec<Problem>> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let question = Question::default();
        let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
        let seen: Vec<Observation> = seen.into_iter().flatten().collect();
        let owners: Option<Vec<_>> = health::owners(&seen, vips)
            .into_iter()
            .map(|vip| Some((vip.address, vip.sole()?.clone())))
            .collect();
        if let Some(owners) = owners {
            return Ok(owners);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(health::problems(&seen, vips));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// True when each of these nodes is seen to wait for its confirmation of the change `tx`.
pub(super) async fn all_wait(fleet: &Fleet, nodes: &[&NodeName], tx: &str) -> bool {
    let question = Question::default();
    let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
    let seen: Vec<Observation> = seen.into_iter().flatten().collect();
    nodes.iter().all(|node| {
        let own = seen.iter().find(|seen| seen.node == **node);
        let journal = own.and_then(|seen| seen.journal.as_ref());
        journal.is_some_and(|journal| journal.tx == tx && journal.phase == "activated")
    })
}
