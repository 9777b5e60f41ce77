//! The view from outside: whether every node reaches each VIP at its owner, through the network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::owners::VipOwners;
use super::problem::Problem;
use crate::agent::{
    Answered, Door, Observation, Reach, ReachQuestion, ReachedVip, Viewpoint, VipDoors,
};
use crate::model::{Cluster, NodeName, UnitId};

/// Which of the probed TCP ports must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustAnswer {
    /// All of them: the configuration that opens them was just proven to be live.
    All,
    /// Those that the owner listens on, since its configuration may differ from the inventory.
    WhatTheOwnerServes,
}

/// The TCP ports of each VIP that users may reach.
pub fn doors(cluster: &Cluster) -> Vec<VipDoors> {
    let addresses = cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses)
        .map(ipnet::IpNet::addr);
    let of_vip = |vip: IpAddr| {
        let listens = cluster.sites.iter().flat_map(|site| &site.listen);
        let is_any =
            |address: IpAddr| address.is_unspecified() && address.is_ipv4() == vip.is_ipv4();
        let here = listens.filter(|listen| {
            listen
                .address
                .is_none_or(|address| address == vip || is_any(address))
        });
        let mut doors: BTreeMap<u16, bool> = BTreeMap::new();
        for listen in here {
            let is_http = doors.entry(listen.port).or_insert(true);
            *is_http &= !listen.tls;
        }
        for stream in cluster.streams.iter().filter(|stream| !stream.udp) {
            doors.insert(stream.port, false);
        }
        let doors = doors.into_iter();
        VipDoors {
            vip,
            doors: doors
                .map(|(port, is_http)| Door { port, is_http })
                .collect(),
        }
    };
    addresses.map(of_vip).collect()
}

/// What to ask of every node, given the owners that are known.
pub fn reach_question(vips: &[VipDoors], seen: &[Observation]) -> ReachQuestion {
    let served = |doors: &VipDoors| {
        let owners = VipOwners::of(doors.vip, seen);
        let owner = seen.iter().find(|seen| Some(&seen.node) == owners.sole())?;
        Some((doors.vip, owner.loaded(UnitId::NGINX)?.to_owned()))
    };
    ReachQuestion {
        vips: vips.to_vec(),
        serves: vips.iter().filter_map(served).collect(),
    }
}

/// Disagreements between `looks` and the owner of a VIP. A VIP with no owner, or several, is not judged here.
pub fn disagreements(looks: &[Reach], must: MustAnswer) -> Vec<Problem> {
    let vips: BTreeSet<IpAddr> = looks
        .iter()
        .flat_map(|look| look.vips.keys())
        .copied()
        .collect();
    vips.into_iter()
        .flat_map(|vip| of_vip(vip, looks, must))
        .collect()
}

fn of_vip(vip: IpAddr, looks: &[Reach], must: MustAnswer) -> Vec<Problem> {
    let owners: Vec<(&Reach, &ReachedVip)> = looks
        .iter()
        .filter_map(|look| Some((look, look.vips.get(&vip)?)))
        .filter(|(_, seen)| seen.is_owned())
        .collect();
    let [(owner, served)] = owners.as_slice() else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if let Some(node) = owner.from.node() {
        let of_port = |(port, answered): (&u16, &Answered)| {
            let listens = *answered == Answered::Shut;
            let must_answer = must == MustAnswer::All && *answered == Answered::Closed;
            (listens || must_answer).then(|| Problem::NotServed {
                node: node.clone(),
                vip,
                port: *port,
                listens,
            })
        };
        problems.extend(served.answers.iter().filter_map(of_port));
    }
    for look in looks.iter().filter(|look| look.from != owner.from) {
        // A node that still has the VIP on its loopback interface reaches only itself.
        let Some(seen) = look.vips.get(&vip).filter(|seen| !seen.is_local()) else {
            continue;
        };
        let Some(owner_node) = owner.from.node() else {
            continue;
        };
        let different = different_answers(vip, look, seen, owner_node, served);
        let wrong = wrong_hardware(seen, &owner.hardware, looks).filter(|(_, of)| {
            // A device between a client and the network may answer ARP on behalf of the owner.
            look.from != Viewpoint::Client || of.is_some() || !different.is_empty()
        });
        match wrong {
            Some((learned, learned_is)) => problems.push(Problem::WrongHardware {
                from: look.from.clone(),
                vip,
                learned,
                learned_is,
                owner: owner_node.clone(),
            }),
            None => problems.extend(different),
        }
    }
    problems
}

/// The learned MAC address if it is not the owner's, and the node that it belongs to.
fn wrong_hardware(
    seen: &ReachedVip,
    right: &[String],
    looks: &[Reach],
) -> Option<(String, Option<NodeName>)> {
    let learned = seen.learned.as_ref()?;
    (!right.contains(learned)).then(|| (learned.clone(), node_of(learned, looks)))
}

fn node_of(hardware: &str, looks: &[Reach]) -> Option<NodeName> {
    let own = looks
        .iter()
        .find(|look| look.hardware.iter().any(|own| own == hardware))?;
    own.from.node().cloned()
}

/// Ports on which the owner answers itself but not the observer.
fn different_answers(
    vip: IpAddr,
    look: &Reach,
    seen: &ReachedVip,
    owner: &NodeName,
    served: &ReachedVip,
) -> Vec<Problem> {
    let of_port = |(port, own): (&u16, &Answered)| {
        let heard = seen.answers.get(port)?;
        let no_answer = Problem::NotReached {
            from: look.from.clone(),
            vip,
            port: *port,
            owner: owner.clone(),
        };
        match (own, heard) {
            (Answered::Closed | Answered::Shut, _) => None,
            (_, Answered::Closed | Answered::Shut)
            | (
                Answered::Http {
                    is_asked_for: true, ..
                },
                Answered::Open,
            ) => Some(no_answer),
            (
                Answered::Http {
                    is_asked_for: true, ..
                },
                Answered::Http {
                    is_asked_for: false,
                    ..
                },
            ) => Some(Problem::OtherGeneration {
                from: look.from.clone(),
                vip,
                port: *port,
                owner: owner.clone(),
            }),
            _ => None,
        }
    };
    served.answers.iter().filter_map(of_port).collect()
}
