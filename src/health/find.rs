//! Finds problems of a cluster in observations of its nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::fault::fault_causes;
use super::owners::{VipOwners, owners};
use super::problem::{Problem, UnusableScript};
use crate::agent::{
    Fact, Hook, HookState, InstanceState, ListensAt, Observation, PeerAnswer, PeerDoor, VrrpState,
    Wire,
};
use crate::model::{NodeName, Socket, Transport, UnitId};
use crate::units;

/// Everything that keeps the nodes of `seen` from being a healthy cluster that serves `vips`: problems of VIPs first,
/// then of nodes in their order, then mismatches between nodes.
pub fn problems(seen: &[Observation], vips: &[IpAddr]) -> Vec<Problem> {
    let owners = owners(seen, vips);
    let mut found = ownership(&owners);
    found.extend(owned_in_vain(seen, &owners));
    for node in seen {
        found.extend(of_node(node));
        found.extend(unreachable(node, seen));
        found.extend(dropped(node, seen));
    }
    found.extend(mismatches(seen));
    found
}

/// VIPs with no owner or several.
pub fn ownership(vips: &[VipOwners]) -> Vec<Problem> {
    let of_vip = |vip: &VipOwners| match vip.owners.as_slice() {
        [_] => None,
        [] => Some(Problem::NoOwner { vip: vip.address }),
        _ => Some(Problem::SeveralOwners {
            vip: vip.address,
            owners: vip.owners.clone(),
        }),
    };
    vips.iter().filter_map(of_vip).collect()
}

/// VIPs on nodes that do not serve them, or could not release them.
fn owned_in_vain(seen: &[Observation], vips: &[VipOwners]) -> Vec<Problem> {
    let mut found = Vec::new();
    for VipOwners { address, owners } in vips {
        let vip = *address;
        for holder in seen.iter().filter(|seen| owners.contains(&seen.node)) {
            let node = holder.node.clone();
            if !runs(holder, UnitId::KEEPALIVED) {
                found.push(Problem::Orphaned { node, vip });
            } else if !runs(holder, UnitId::NGINX)
                && let Some(peer) = seen.iter().find(|peer| could_serve(peer))
            {
                found.push(Problem::OwnerCannotServe {
                    vip,
                    owner: node,
                    peer: peer.node.clone(),
                });
            }
        }
    }
    found
}

fn runs(seen: &Observation, daemon: UnitId) -> bool {
    seen.service(daemon).is_active()
}

fn could_serve(seen: &Observation) -> bool {
    units::ids().all(|daemon| runs(seen, daemon))
        && own_instances(seen).all(|vrrp| vrrp.state.is_electable())
}

/// hactl's own instances. On a host shared with others, these are the ones in its newest generation.
fn own_instances(seen: &Observation) -> impl Iterator<Item = &VrrpState> {
    let recorded = seen.recorded.as_ref();
    let names = recorded.and_then(|recorded| recorded.get(Fact::Instances));
    seen.vrrp.iter().filter(move |vrrp| {
        names.is_none_or(|names| names.split(' ').any(|name| name == vrrp.instance))
    })
}

/// Nodes that are MASTER of an instance together with another node.
pub fn masters_together(seen: &[Observation]) -> Vec<NodeName> {
    let masters = |node: &Observation| -> Vec<String> {
        let own = own_instances(node).filter(|vrrp| vrrp.state == InstanceState::Master);
        own.map(|vrrp| vrrp.instance.clone()).collect()
    };
    let shares = |node: &&Observation| {
        let own = masters(node);
        let mut others = seen.iter().filter(|other| other.node != node.node);
        others.any(|other| masters(other).iter().any(|instance| own.contains(instance)))
    };
    seen.iter()
        .filter(shares)
        .map(|node| node.node.clone())
        .collect()
}

fn of_node(seen: &Observation) -> Vec<Problem> {
    let node = &seen.node;
    let down = units::ids()
        .filter(|daemon| !runs(seen, *daemon))
        .map(|daemon| Problem::DaemonDown {
            node: node.clone(),
            daemon,
        });
    let mut found: Vec<Problem> = down.collect();
    for vrrp in own_instances(seen) {
        let instance = vrrp.instance.clone();
        if !vrrp.state.is_electable() {
            found.push(Problem::NotElectable {
                node: node.clone(),
                instance,
                state: vrrp.state.clone(),
                seconds: vrrp.since.map(|since| seen.seconds_since(since)),
                causes: fault_causes(seen, vrrp),
            });
        } else if let Some(address) = vrrp.source.filter(|source| !seen.holds(*source)) {
            found.push(Problem::SourceMissing {
                node: node.clone(),
                instance,
                address,
            });
        }
    }
    found.extend(unusable(node, &seen.hooks));
    found
}

/// Those of `scripts` that keepalived cannot run.
pub fn unusable<'a>(node: &'a NodeName, scripts: &'a [Hook]) -> impl Iterator<Item = Problem> + 'a {
    scripts.iter().filter_map(move |hook| {
        let script = match &hook.state {
            HookState::Ready => return None,
            HookState::Missing => UnusableScript::Missing,
            HookState::NotExecutable => UnusableScript::NotExecutable,
            HookState::Unsafe { component } => UnusableScript::Unsafe {
                component: component.clone(),
            },
        };
        Some(Problem::ScriptUnusable {
            node: node.clone(),
            path: hook.path.clone(),
            script,
        })
    })
}

/// False if nginx is seen not to listen on `port`. A change may be about to open it.
fn may_listen(node: &Observation, port: u16) -> bool {
    let sockets = node.serving.as_ref().map(|serving| &serving.sockets);
    sockets.is_none_or(|sockets| {
        let is_it = |socket: &Socket| socket.port == port && socket.transport == Transport::Tcp;
        sockets.iter().any(is_it)
    })
}

/// Listeners of `node` that no peer could reach. If one peer gets through, the listener is up, and blocking other peers
/// is intended.
fn unreachable(node: &Observation, seen: &[Observation]) -> Vec<Problem> {
    if !runs(node, UnitId::NGINX) {
        return Vec::new();
    }
    let closed = heard_of(node, seen, ListensAt::All).into_iter().filter_map(
        |(PeerDoor { address, port, .. }, answers)| {
            let is_open = answers.contains(&PeerAnswer::Open);
            let answer = *answers.first()?;
            (!is_open).then(|| Problem::Unreachable {
                node: node.node.clone(),
                address,
                port,
                answer,
            })
        },
    );
    closed.collect()
}

/// The answers that other nodes got on ports of `node`.
fn heard_of(
    node: &Observation,
    seen: &[Observation],
    at: ListensAt,
) -> BTreeMap<PeerDoor, Vec<PeerAnswer>> {
    let others = seen.iter().filter(|peer| peer.node != node.node);
    let mut answers: BTreeMap<PeerDoor, Vec<PeerAnswer>> = BTreeMap::new();
    for peer in others.flat_map(|peer| &peer.peers) {
        let door = peer.door;
        if door.listens == at && node.holds(door.address) && may_listen(node, door.port) {
            answers.entry(door).or_default().push(peer.answer);
        }
    }
    answers
}

/// Ports that `node` serves on VIPs only, and that it drops silently on its own address. If no other node refuses there
/// either, the firewalls drop every address but the VIPs.
fn dropped(node: &Observation, seen: &[Observation]) -> Vec<Problem> {
    if !runs(node, UnitId::NGINX) {
        return Vec::new();
    }
    let is_silent =
        |answers: &Vec<PeerAnswer>| answers.iter().all(|answer| *answer == PeerAnswer::Silent);
    let others_refuse = |at: u16| {
        let others = seen.iter().filter(|other| other.node != node.node);
        let mut heard = others.flat_map(|other| heard_of(other, seen, ListensAt::Vips));
        heard.any(|(door, answers)| door.port == at && !is_silent(&answers))
    };
    heard_of(node, seen, ListensAt::Vips)
        .into_iter()
        .filter(|(door, answers)| is_silent(answers) && others_refuse(door.port))
        .map(|(PeerDoor { address, port, .. }, _)| Problem::Dropped {
            node: node.node.clone(),
            address,
            port,
        })
        .collect()
}

/// Settings of each node's running keepalived that differ from the first node's.
fn mismatches(seen: &[Observation]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut first: BTreeMap<&str, (&NodeName, &Wire)> = BTreeMap::new();
    for node in seen {
        for vrrp in own_instances(node) {
            let own = (&node.node, &vrrp.wire);
            let (peer, expected) = *first.entry(&vrrp.instance).or_insert(own);
            let differing = settings(expected).into_iter().zip(settings(&vrrp.wire));
            for ((setting, expected), (_, value)) in differing {
                // A keepalived that does not report a setting is not a mismatch.
                let (Some(expected), Some(value)) = (expected, value) else {
                    continue;
                };
                if expected != value {
                    found.push(Problem::Mismatch {
                        node: node.node.clone(),
                        instance: vrrp.instance.clone(),
                        setting,
                        value,
                        peer: peer.clone(),
                        expected,
                    });
                }
            }
        }
    }
    found
}

/// Settings that the nodes of a virtual router must agree on.
fn settings(wire: &Wire) -> [(&'static str, Option<String>); 4] {
    let addresses: Vec<String> = wire.addresses.iter().map(IpAddr::to_string).collect();
    [
        ("virtual_router_id", wire.router_id.map(|id| id.to_string())),
        (
            "VRRP version",
            wire.version.map(|version| version.to_string()),
        ),
        (
            "an advert interval of",
            wire.advert_interval.map(|interval| format!("{interval:?}")),
        ),
        (
            "the addresses",
            Some(addresses.join(" ")).filter(|all| !all.is_empty()),
        ),
    ]
}
