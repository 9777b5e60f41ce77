//! The view from outside: the owners announce themselves, and every node probes each VIP.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::event::Event;
use super::fleet::{Fleet, each};
use super::session::Session;
use crate::agent::{Agent, Client, Observation, ObserveRequest, Reach, VipDoors};
use crate::health::{self, MustAnswer, Problem, Served, VipOwners};
use crate::model::Node;

/// Pause between two probes after a rollback.
const PAUSE: Duration = Duration::from_millis(200);

/// How each answering node and `client` reach the VIPs, while the owners announce themselves.
pub async fn announce_and_look(
    agents: &[&Agent],
    client: &dyn Client,
    vips: &[VipDoors],
    seen: &[Observation],
) -> Vec<Reach> {
    let addresses: Vec<IpAddr> = vips.iter().map(|doors| doors.vip).collect();
    let owners = agents.iter().filter(|agent| {
        let own = seen.iter().find(|seen| seen.node == *agent.node());
        own.is_some_and(|own| addresses.iter().any(|vip| own.holds(*vip)))
    });
    // What an announcement corrects may still look wrong this time, and is right the next.
    let (announced, looks) = tokio::join!(
        each(owners, usize::MAX, |agent| agent.announce(&addresses)),
        look(agents, client, vips, seen)
    );
    for error in announced.into_iter().filter_map(Result::err) {
        tracing::warn!(node = %error.node(), %error, "failed to announce the VIPs");
    }
    looks
}

/// How each answering node and `client` reach the VIPs, with their current neighbour caches.
pub async fn look(
    agents: &[&Agent],
    client: &dyn Client,
    vips: &[VipDoors],
    seen: &[Observation],
) -> Vec<Reach> {
    let question = health::reach_question(vips, seen);
    let (looks, here) = tokio::join!(
        each(agents, usize::MAX, |agent| agent.reach(&question)),
        client.reach(&question)
    );
    looks.into_iter().flatten().chain([here]).collect()
}

/// The cluster as seen from outside at one point in time.
#[derive(Debug, Default)]
pub(super) struct Outside {
    problems: Vec<Problem>,
    /// What the client was served.
    pub(super) served: Served,
}

impl Outside {
    /// The current state, without announcements.
    pub(super) async fn now(fleet: &Fleet, client: &dyn Client, vips: &[VipDoors]) -> Self {
        let agents: Vec<&Agent> = fleet.agents().collect();
        let seen = each(agents.iter().copied(), usize::MAX, Agent::glance_at_serving).await;
        let seen: Vec<Observation> = seen.into_iter().flatten().collect();
        let looks = look(&agents, client, vips, &seen).await;
        let problems = all_problems(&looks, &sole_owners(vips, &seen));
        Self {
            served: Served::of(&looks, &problems),
            problems,
        }
    }
}

fn all_problems(looks: &[Reach], owners: &[VipOwners]) -> Vec<Problem> {
    let mut problems = health::disagreements(looks, MustAnswer::WhatTheOwnerServes);
    problems.extend(health::ownership(owners));
    problems
}

async fn observe(agents: &[&Agent]) -> Vec<Observation> {
    let question = ObserveRequest::default();
    let seen = each(agents, usize::MAX, |agent| agent.observe(&question)).await;
    seen.into_iter().flatten().collect()
}

fn sole_owners(vips: &[VipDoors], seen: &[Observation]) -> Vec<VipOwners> {
    let addresses: Vec<IpAddr> = vips.iter().map(|doors| doors.vip).collect();
    health::owners(seen, &addresses)
}

/// Problems after a rollback that did not exist `before`, although the owners announce themselves. It probes over fresh
/// connections, since a node may have lost the old ones, and until the election is over. If nothing is known about the
/// state before, a VIP may have had no owner.
pub(super) async fn is_reached_again(
    session: &Session<'_>,
    before: Option<&Outside>,
) -> Vec<Problem> {
    let is_member = |node: &&Node| session.fleet.get(&node.name).is_some();
    let members: Vec<&Node> = session.nodes.iter().filter(is_member).collect();
    Fleet::with(session.connector, &members, usize::MAX, async |fleet, _| {
        let agents: Vec<&Agent> = fleet.agents().collect();
        until_reached(session, &agents, before).await
    })
    .await
}

async fn until_reached(
    session: &Session<'_>,
    agents: &[&Agent],
    before: Option<&Outside>,
) -> Vec<Problem> {
    let vips = &session.vips;
    let deadline = Instant::now() + session.owner_patience;
    let served = before
        .map(|before| before.served.clone())
        .unwrap_or_default();
    loop {
        let seen = observe(agents).await;
        let owners = sole_owners(vips, &seen);
        let looks = announce_and_look(agents, session.client, vips, &seen).await;
        let mut problems = all_problems(&looks, &owners);
        served.judge(&mut problems);
        let all_reach = problems.is_empty();
        problems.retain(|problem| match before {
            Some(before) => !before.problems.contains(problem),
            None => !matches!(problem, Problem::NoOwner { .. }),
        });
        if problems.is_empty() {
            let owned = owners
                .iter()
                .filter_map(|vip| Some((vip.address, vip.sole()?.clone())));
            let owners: Vec<_> = owned.collect();
            if all_reach && !owners.is_empty() {
                session.emit(Event::ReachedAgain { owners });
            }
            return problems;
        }
        if Instant::now() >= deadline {
            return problems;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
