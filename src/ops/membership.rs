//! Cluster membership as the hosts record it, and members that the inventory no longer lists.
//!
//! A node that is merely removed from the inventory keeps the VIP in its configuration, and the other nodes stop
//! sending it advertisements. It hears no master and becomes a second owner.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::error::OpsError;
use super::member::{Member, Missing};
use super::neighbours::strangers;
use super::selection::Loaded;
use crate::agent::{Agent, Fact, LiveFile, Observation};
use crate::conf::keepalived::Conf;
use crate::model::{Cluster, HostPath, Peering};

/// The members as of the newest generation on any host.
fn members(seen: &[&Observation]) -> BTreeSet<Member> {
    // Generation 0 is a host as it was before hactl, which belongs to no cluster.
    let last = seen.iter().filter_map(|seen| seen.generation()).max();
    let last = last.filter(|last| *last > 0);
    let of_last = seen
        .iter()
        .filter(|seen| last.is_some() && seen.generation() == last);
    of_last.flat_map(|seen| recorded(seen)).collect()
}

fn recorded(seen: &Observation) -> Vec<Member> {
    let Some(manifest) = &seen.recorded else {
        return Vec::new();
    };
    if let Some(members) = manifest.get(Fact::Members) {
        let member = |word: &str| {
            let (name, address) = word.split_once('=')?;
            Some(Member {
                name: Some(name.to_owned()),
                address: address.parse().ok()?,
            })
        };
        return members.split(' ').filter_map(member).collect();
    }
    // Written by a version that did not record members: fall back to the host's peers.
    let asked = manifest.get(Fact::Peers).unwrap_or_default();
    let asked = asked.split(' ').filter_map(|word| word.parse().ok());
    let (_, heard) = ends(seen);
    let addresses: BTreeSet<IpAddr> = asked.chain(heard).collect();
    addresses
        .into_iter()
        .map(|address| Member {
            name: None,
            address,
        })
        .collect()
}

/// Unicast sources and peers in the live keepalived.conf.
fn ends(seen: &Observation) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
    let path = HostPath::new("/etc/keepalived/keepalived.conf").ok();
    let content = path
        .and_then(|path| seen.files.get(&path))
        .and_then(LiveFile::content);
    content.map_or_else(Default::default, |content| {
        let text = String::from_utf8_lossy(content);
        Conf::of_text(&text, Some(&seen.hostname)).unicast_ends()
    })
}

/// Members that the inventory does not list. A member is identified by its address, by an address that its host has or
/// had, or by its name if that host was set up before: a new host under an old name is a different member.
pub(super) fn missing(cluster: &Cluster, seen: &[&Observation]) -> Vec<Member> {
    let is_own = |address: IpAddr| {
        cluster.nodes.iter().any(|node| node.address == address)
            || seen.iter().any(|seen| {
                seen.addresses.iter().any(|(_, own)| own.addr() == address)
                    || ends(seen).0.contains(&address)
            })
    };
    let is_same_host = |name: &str| {
        let is_there = cluster.nodes.iter().any(|node| node.name.as_str() == name);
        let host = seen.iter().find(|seen| seen.node.as_str() == name);
        is_there && host.is_none_or(|host| host.generation().is_some())
    };
    members(seen)
        .into_iter()
        .filter(|member| !is_own(member.address))
        .filter(|member| !member.name.as_deref().is_some_and(is_same_host))
        .collect()
}

/// True if removed nodes still hear the nodes of `cluster`: peering is multicast in the inventory and on every host.
pub(super) fn is_heard_by_all(cluster: &Cluster, seen: &[&Observation]) -> bool {
    let is_multicast = |seen: &&Observation| ends(seen).1.is_empty();
    cluster.vrrp.peering == Peering::Multicast && seen.iter().all(is_multicast)
}

/// Probes for missing members from one node: which of them answer, and which VIPs that no node of the inventory has
/// they hold.
pub(super) async fn look_for(
    missing: Vec<Member>,
    free: &[IpAddr],
    agent: Option<&Agent>,
    nodes: &[&Observation],
    hears: bool,
) -> Vec<Missing> {
    let neighbours = match agent {
        Some(agent) if !missing.is_empty() => {
            let own = missing.iter().map(|member| member.address);
            let addresses = own.chain(free.iter().copied()).collect();
            strangers(agent, addresses, nodes).await.unwrap_or_default()
        }
        _ => BTreeMap::new(),
    };
    let look = |member: Member| {
        let hardware = neighbours.get(&member.address);
        let is_its = |vip: &&IpAddr| hardware.is_some() && neighbours.get(*vip) == hardware;
        Missing {
            answers: hardware.is_some(),
            hears,
            holds: free.iter().filter(is_its).copied().collect(),
            member,
        }
    };
    missing.into_iter().map(look).collect()
}

/// Refuses to go on while a missing member is not named in `forget`, or if `forget` names something else.
pub(super) fn refuse_missing(
    loaded: &Loaded,
    missing: &[Missing],
    forget: &[String],
) -> Result<(), OpsError> {
    let unknown = forget
        .iter()
        .find(|name| !missing.iter().any(|one| one.member.is_called(name)));
    if let Some(name) = unknown {
        let in_inventory = loaded
            .cluster
            .nodes
            .iter()
            .any(|node| node.name.as_str() == name);
        return Err(OpsError::NotAMember {
            name: name.clone(),
            in_inventory,
            missing: missing.iter().map(|one| one.member.called()).collect(),
        });
    }
    let left: Vec<Missing> = missing
        .iter()
        .filter(|one| !forget.iter().any(|name| one.member.is_called(name)))
        .cloned()
        .collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(OpsError::MembersMissing { missing: left })
    }
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
