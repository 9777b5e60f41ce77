//! Who belongs to the cluster by the records of its hosts, and who the inventory no longer names.
//!
//! A node that is only taken out of the inventory goes on with the VIP in its files, and the others no longer
//! talk to it: it hears nobody, and becomes a second owner.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::error::OpsError;
use super::member::{Member, Missing};
use super::neighbours::strangers;
use super::selection::Loaded;
use crate::agent::{Agent, Fact, LiveFile, Observation};
use crate::conf::keepalived::Conf;
use crate::model::{Cluster, HostPath, Peering};

/// The members by the last generation that any host has.
fn members(seen: &[&Observation]) -> BTreeSet<Member> {
    // In generation 0 hosts are as they were before hactl, and nobody's.
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
    // Set up by a version that did not record them: those that it talks to.
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

/// The unicast sources and peers of the file that lies there.
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

/// The members that the inventory does not name. One is named by its address, by an address that its host
/// has or had, or by its name where that host was set up before: a new host with an old name is not it.
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

/// True where nodes that nobody names hear those of `cluster`: all send to a group, now and then.
pub(super) fn is_heard_by_all(cluster: &Cluster, seen: &[&Observation]) -> bool {
    let is_multicast = |seen: &&Observation| ends(seen).1.is_empty();
    cluster.vrrp.peering == Peering::Multicast && seen.iter().all(is_multicast)
}

/// Asks the wire about them, from one node: which of them answers, and for which of the VIPs that no node
/// of the inventory has.
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

/// Refuses to go on without a member that nobody has spoken of, and to forget one that is not a member.
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
