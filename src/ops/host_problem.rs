//! Why a host is unfit for the cluster, and what to do about it.

use std::net::IpAddr;

use super::member::Member;
use crate::check::Finding;
use crate::model::{InterfaceName, NodeName, UnitId};

/// Why a host is unfit for the cluster, whatever is applied to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// The host lacks an interface.
    #[error("{node}: the host has no interface {interface}; it has {}", has.join(", "))]
    NoInterface {
        node: NodeName,
        interface: InterfaceName,
        /// The interfaces that it has.
        has: Vec<String>,
    },
    /// Two nodes of the inventory are one machine.
    #[error("{node} and {other} are the same machine, {hostname}")]
    SameMachine {
        node: NodeName,
        other: NodeName,
        /// The machine's own hostname.
        hostname: String,
    },
    /// A node that was removed from the inventory still holds a VIP.
    #[error("{node}: {member} has {vip}, and the inventory no longer has that node")]
    VipOfRemoved {
        /// The node that probed.
        node: NodeName,
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
        unit: UnitId,
    },
    /// The host lacks its VRRP source address. keepalived stays in FAULT until it appears.
    #[error(
        "{node}: the host does not have its address {address}; it has {}",
        list(has)
    )]
    NoAddress {
        node: NodeName,
        address: IpAddr,
        /// The addresses that it has.
        has: Vec<IpAddr>,
    },
    /// The plan would violate a rule on the node.
    #[error("{} ({})", finding.message, finding.rule.id)]
    Planned {
        node: NodeName,
        /// The rule, and how the plan violates it.
        finding: Box<Finding>,
    },
    /// Another host answers for a VIP that no node of the cluster holds.
    #[error("{} ({})", finding.message, finding.rule.id)]
    VipTaken {
        /// The node that probed.
        node: NodeName,
        /// The rule, and who answers.
        finding: Box<Finding>,
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
    pub fn node(&self) -> &NodeName {
        match self {
            Self::NoInterface { node, .. }
            | Self::SameMachine { node, .. }
            | Self::VipOfRemoved { node, .. }
            | Self::Masked { node, .. }
            | Self::NoAddress { node, .. }
            | Self::Planned { node, .. }
            | Self::VipTaken { node, .. } => node,
        }
    }

    /// True if a machine outside the cluster holds a VIP.
    pub(super) fn is_a_strangers(&self) -> bool {
        matches!(self, Self::VipTaken { .. })
    }

    /// The finding of a rule that it is, if there is one.
    pub(super) fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Planned { finding, .. } | Self::VipTaken { finding, .. } => Some(finding),
            _ => None,
        }
    }

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
            Self::Planned { finding, .. } | Self::VipTaken { finding, .. } => &finding.fix,
            Self::NoInterface { .. } => "correct `interface` of that node in the inventory",
            Self::SameMachine { .. } => {
                "correct `address` or `host` of one of them, or its entry in your ssh configuration"
            }
            Self::Masked { node, unit } => {
                return format!(
                    "find out who masked it and why, then run `systemctl unmask {unit}` on {node}, or exclude the node with --limit"
                );
            }
        };
        hint.to_owned()
    }
}
