//! Hosts on which the cluster cannot work, whatever is applied to them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::context::Loaded;
use super::error::OpsError;
use super::membership::{self, Member, Missing};
use super::neighbours::strangers;
use super::survey::{Other, vips};
use crate::agent::Observation;
use crate::apply::Fleet;
use crate::check::registry::KA041;
use crate::health::Problem;
use crate::model::{InterfaceName, NodeName};

/// Why a host is not fit for the cluster, whatever is applied to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// It lacks an interface.
    #[error("{node}: there is no interface {interface}; it has {}", has.join(", "))]
    NoInterface {
        /// The node.
        node: NodeName,
        /// The interface.
        interface: InterfaceName,
        /// Those that it has.
        has: Vec<String>,
    },
    /// Two of the inventory's nodes lead to one machine.
    #[error("{node} and {other} are the same machine, {hostname}")]
    SameMachine {
        /// The node.
        node: NodeName,
        /// The other one.
        other: NodeName,
        /// The machine's own name.
        hostname: String,
    },
    /// A node that the inventory no longer has holds a VIP.
    #[error("{node}: {member} has {vip}, and the inventory no longer has that node")]
    VipOfRemoved {
        /// The node that asked.
        node: NodeName,
        /// The VIP.
        vip: IpAddr,
        /// Who holds it.
        member: Member,
    },
    /// A daemon's unit is masked: systemd neither starts nor reloads it.
    #[error("{node}: {unit}.service is masked, and can be neither started nor reloaded")]
    Masked {
        /// The node.
        node: NodeName,
        /// The unit.
        unit: &'static str,
    },
    /// It lacks the address that its adverts are to come from: keepalived waits for it, in FAULT.
    #[error(
        "{node}: the host does not have its address {address}; it has {}",
        list(has)
    )]
    NoAddress {
        /// The node.
        node: NodeName,
        /// The address.
        address: IpAddr,
        /// Those that it has.
        has: Vec<IpAddr>,
    },
    /// A script that the inventory names cannot be run there (rules KA040 and KA041).
    #[error("{problem}{}", problem.rule().map_or(String::new(), |rule| format!(" ({})", rule.id)))]
    Script {
        /// The node.
        node: NodeName,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A VIP that no node of the cluster holds is answered for (rule KA025).
    #[error("{node}: somebody else has {vip}: {hardware} answers for it")]
    VipTaken {
        /// The node that asked.
        node: NodeName,
        /// The VIP.
        vip: IpAddr,
        /// The hardware address that answered.
        hardware: String,
    },
}

fn list(addresses: &[IpAddr]) -> String {
    let words: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    if words.is_empty() {
        return "none".to_owned();
    }
    words.join(", ")
}

impl HostProblem {
    /// Whose host it is.
    pub fn node(&self) -> &NodeName {
        match self {
            Self::NoInterface { node, .. }
            | Self::SameMachine { node, .. }
            | Self::VipOfRemoved { node, .. }
            | Self::Masked { node, .. }
            | Self::NoAddress { node, .. }
            | Self::Script { node, .. }
            | Self::VipTaken { node, .. } => node,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::VipOfRemoved { member, .. } => {
                return format!(
                    "stop it by hand (`systemctl disable --now keepalived nginx` on {member}), then add `--forget {}`; nothing was changed",
                    member.called()
                );
            }
            Self::NoAddress { .. } => {
                "correct `address` of that node in the inventory (`host` is where ssh connects to), or give it to the host"
            }
            Self::Script { problem, .. } if problem.rule() == Some(&KA041) => KA041.fix,
            Self::Script { .. } => "install it on every node with mode 0755, or name another one",
            Self::NoInterface { .. } => "correct `interface` of that node in the inventory",
            Self::SameMachine { .. } => {
                "correct `address` or `host` of one of them, or what ssh's own configuration makes of it"
            }
            Self::Masked { node, unit } => {
                return format!(
                    "find out who masked it and why; then `systemctl unmask {unit}` on {node}, or leave the node out with --limit"
                );
            }
            Self::VipTaken { .. } => {
                "take another VIP, or find that host: `ip neigh` and the switch's table tell its port; nothing was changed"
            }
        };
        hint.to_owned()
    }
}

/// Refuses hosts on which the cluster cannot work: an interface that is not there, a VIP that somebody else
/// on the wire has (rule KA025). What is left are the members that the inventory no longer has.
pub(super) async fn require_fit(
    loaded: &Loaded,
    fleet: &Fleet,
    seen: &[Observation],
    others: &[Other],
) -> Result<Vec<Missing>, OpsError> {
    let mut problems: Vec<HostProblem> = seen
        .iter()
        .flat_map(|seen| missing_interfaces(loaded, seen))
        .collect();
    problems.extend(same_machines(seen));
    let all: Vec<&Observation> = seen
        .iter()
        .chain(others.iter().filter_map(Other::seen))
        .collect();
    let owned = |vip: &IpAddr| all.iter().any(|seen| seen.holds(*vip));
    let free: Vec<IpAddr> = vips(&loaded.cluster)
        .into_iter()
        // A node that cannot be seen may hold it, and rightly so.
        .filter(|vip| !owned(vip) && all.len() == loaded.cluster.nodes.len())
        .collect();
    let agent = seen.first().and_then(|seen| fleet.get(&seen.node));
    let missing = membership::missing(&loaded.cluster, &all);
    let hears = membership::is_heard_by_all(&loaded.cluster, &all);
    let missing = membership::look_for(missing, &free, agent, &all, hears).await;
    if let (false, Some(agent)) = (free.is_empty(), agent) {
        let taken = strangers(agent, free, &all).await;
        let taken = taken.map_err(|error| OpsError::Hosts {
            errors: vec![error],
        })?;
        problems.extend(taken.into_iter().map(|(vip, hardware)| {
            let node = agent.node().clone();
            match missing.iter().find(|one| one.holds.contains(&vip)) {
                Some(one) => HostProblem::VipOfRemoved {
                    node,
                    vip,
                    member: one.member.clone(),
                },
                None => HostProblem::VipTaken {
                    node,
                    vip,
                    hardware,
                },
            }
        }));
    }
    if problems.is_empty() {
        Ok(missing)
    } else {
        Err(OpsError::Unfit { problems })
    }
}

fn missing_interfaces(loaded: &Loaded, seen: &Observation) -> Vec<HostProblem> {
    let Some(node) = loaded.cluster.node(&seen.node) else {
        return Vec::new();
    };
    let own = loaded
        .cluster
        .instances
        .iter()
        .filter_map(|instance| instance.interface.as_ref());
    let needed: BTreeSet<&InterfaceName> = own.chain([&node.interface]).collect();
    let has = || {
        let names = seen.interfaces.keys().filter(|name| *name != "lo");
        names.cloned().collect()
    };
    needed
        .into_iter()
        .filter(|interface| !seen.interfaces.contains_key(interface.as_str()))
        .map(|interface| HostProblem::NoInterface {
            node: node.name.clone(),
            interface: interface.clone(),
            has: has(),
        })
        .collect()
}

/// Refuses to change hosts whose daemons systemd can neither start nor reload: it would fail halfway, and so
/// would its undo. To look at them is no fault.
pub(super) fn refuse_masked(seen: &[Observation]) -> Result<(), OpsError> {
    let problems: Vec<HostProblem> = seen.iter().flat_map(masked).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Unfit { problems })
    }
}

fn masked(seen: &Observation) -> impl Iterator<Item = HostProblem> {
    let is_masked = |unit: &&str| seen.service(unit).is_masked();
    ["nginx", "keepalived"]
        .into_iter()
        .filter(is_masked)
        .map(|unit| HostProblem::Masked {
            node: seen.node.clone(),
            unit,
        })
}

/// Nodes that lead to a machine which an earlier node leads to as well: changed twice, it would have
/// the files of one node only, and the other node's machine none.
fn same_machines(seen: &[Observation]) -> Vec<HostProblem> {
    let of_earlier = |(index, own): (usize, &Observation)| {
        let is_same =
            |other: &&Observation| own.boot_id == other.boot_id && own.hostname == other.hostname;
        let earlier = seen.get(..index)?.iter().find(is_same)?;
        Some(HostProblem::SameMachine {
            node: earlier.node.clone(),
            other: own.node.clone(),
            hostname: own.hostname.clone(),
        })
    };
    seen.iter().enumerate().filter_map(of_earlier).collect()
}
