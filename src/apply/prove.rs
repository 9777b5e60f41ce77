//! Proof across the cluster: every VIP has exactly one owner.

use std::net::IpAddr;
use std::time::Duration;

use super::fleet::{Fleet, each};
use crate::agent::{Observation, Question};
use crate::model::NodeName;

/// The owners of every VIP, or what is wrong, as one sentence.
pub(super) async fn one_owner_each(
    fleet: &Fleet,
    vips: &[IpAddr],
    patience: Duration,
) -> Result<Vec<(IpAddr, NodeName)>, String> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let question = Question::default();
        let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
        let seen: Vec<Observation> = seen.into_iter().flatten().collect();
        let verdict = owners(&seen, vips);
        if verdict.is_ok() || tokio::time::Instant::now() >= deadline {
            return verdict;
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

fn owners(seen: &[Observation], vips: &[IpAddr]) -> Result<Vec<(IpAddr, NodeName)>, String> {
    vips.iter()
        .map(|vip| {
            let holders: Vec<_> = seen.iter().filter(|seen| seen.holds(*vip)).collect();
            match holders.as_slice() {
                [owner] => Ok((*vip, owner.node.clone())),
                [] => Err(format!("no node owns {vip}: {}", states(seen))),
                several => {
                    let names: Vec<_> = several.iter().map(|seen| seen.node.to_string()).collect();
                    Err(format!(
                        "{} own {vip} at the same time: {}",
                        names.join(" and "),
                        states(seen)
                    ))
                }
            }
        })
        .collect()
}

/// What each keepalived says of itself.
fn states(seen: &[Observation]) -> String {
    let state = |seen: &Observation| {
        let own: Vec<String> = seen
            .vrrp
            .iter()
            .map(|vrrp| {
                format!(
                    "{} {} ({})",
                    vrrp.instance, vrrp.state, vrrp.effective_priority
                )
            })
            .collect();
        let own = if own.is_empty() {
            "keepalived is down".to_owned()
        } else {
            own.join(", ")
        };
        format!("{}: {own}", seen.node)
    };
    seen.iter().map(state).collect::<Vec<_>>().join("; ")
}
