//! Why a host is not fit for the cluster, and what to do about it.

use std::net::IpAddr;

use super::member::Member;
use crate::check::Finding;
use crate::model::{InterfaceName, NodeName, UnitId};

/// Why a host is not fit for the cluster, whatever is applied to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// It lacks an interface.
    #[error("{node}: the host has no interface {interface}; it has {}", has.join(", "))]
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
        unit: UnitId,
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
    /// A plan would break a rule there.
    #[error("{} ({})", finding.message, finding.rule.id)]
    Planned {
        /// The node.
        node: NodeName,
        /// The rule, and how.
        finding: Box<Finding>,
    },
    /// A VIP that no node of the cluster holds is answered for.
    #[error("{} ({})", finding.message, finding.rule.id)]
    VipTaken {
        /// The node that asked.
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
    /// Whose host it is.
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

    /// True where another machine has a VIP.
    pub(super) fn is_a_strangers(&self) -> bool {
        matches!(self, Self::VipTaken { .. })
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
            Self::Planned { finding, .. } | Self::VipTaken { finding, .. } => &finding.fix,
            Self::NoInterface { .. } => "correct `interface` of that node in the inventory",
            Self::SameMachine { .. } => {
                "correct `address` or `host` of one of them, or what ssh's own configuration makes of it"
            }
            Self::Masked { node, unit } => {
                return format!(
                    "find out who masked it and why; then `systemctl unmask {unit}` on {node}, or leave the node out with --limit"
                );
            }
        };
        hint.to_owned()
    }
}
