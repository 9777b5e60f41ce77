//! What keeps a cluster from being whole, each with its cause.

use std::net::IpAddr;

use super::owners::{VipOwners, owners};
use crate::agent::{InstanceState, Observation, Viewpoint};
use crate::model::NodeName;

/// A daemon that every node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Daemon {
    /// The proxy.
    Nginx,
    /// VRRP.
    Keepalived,
}

impl Daemon {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Nginx, Self::Keepalived];

    /// Its program's name, and its unit's without `.service`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Keepalived => "keepalived",
        }
    }
}

/// Something that keeps a node from serving or taking over, or a VIP from having one owner.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// A VIP without an owner.
    #[error("no node owns {vip}")]
    NoOwner {
        /// The VIP.
        vip: IpAddr,
    },
    /// A VIP with several owners.
    #[error("{} own {vip} at the same time", names(owners))]
    SeveralOwners {
        /// The VIP.
        vip: IpAddr,
        /// Its owners.
        owners: Vec<NodeName>,
    },
    /// A daemon that does not run.
    #[error("{node}: {} is not running", daemon.name())]
    DaemonDown {
        /// The node.
        node: NodeName,
        /// The daemon.
        daemon: Daemon,
    },
    /// A virtual router that takes no part in the election.
    #[error("{node}: {instance} is in {state}")]
    NotElectable {
        /// The node.
        node: NodeName,
        /// The VRRP instance.
        instance: String,
        /// Its state.
        state: InstanceState,
    },
    /// A machine that sends what is for a VIP to somebody else than its owner, as others may do.
    #[error("{from}: sends to {vip} at {learned}{}, and {owner} owns it", whose(learned_is.as_ref()))]
    WrongHardware {
        /// Who looked.
        from: Viewpoint,
        /// The VIP.
        vip: IpAddr,
        /// The hardware address that it takes for the owner's.
        learned: String,
        /// The node that has that hardware address, if one has.
        learned_is: Option<NodeName>,
        /// The owner.
        owner: NodeName,
    },
    /// A port of a VIP that its owner serves and that does not answer a node through the network.
    #[error("{from}: gets no answer from {vip} port {port}, which {owner} serves")]
    NotReached {
        /// Who looked.
        from: Viewpoint,
        /// The VIP.
        vip: IpAddr,
        /// The TCP port.
        port: u16,
        /// The owner.
        owner: NodeName,
    },
    /// An HTTP port of a VIP that answers a node with another configuration than the owner's.
    #[error("{from}: {vip} port {port} does not serve what {owner} serves")]
    OtherGeneration {
        /// Who looked.
        from: Viewpoint,
        /// The VIP.
        vip: IpAddr,
        /// The TCP port.
        port: u16,
        /// The owner.
        owner: NodeName,
    },
    /// A port of a VIP that takes no connection on its owner.
    #[error("{node}: owns {vip} and does not answer on port {port}")]
    NotServed {
        /// The owner.
        node: NodeName,
        /// The VIP.
        vip: IpAddr,
        /// The TCP port.
        port: u16,
    },
}

impl Problem {
    /// The node that it is about; `None` where it is about a VIP, or what this machine finds.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::NoOwner { .. } | Self::SeveralOwners { .. } => None,
            Self::DaemonDown { node, .. }
            | Self::NotElectable { node, .. }
            | Self::NotServed { node, .. } => Some(node),
            Self::WrongHardware { from, .. }
            | Self::NotReached { from, .. }
            | Self::OtherGeneration { from, .. } => from.node(),
        }
    }
}

impl Problem {
    /// The VIP that it is about, if it is about one.
    pub fn vip(&self) -> Option<IpAddr> {
        match self {
            Self::NoOwner { vip }
            | Self::SeveralOwners { vip, .. }
            | Self::WrongHardware { vip, .. }
            | Self::NotReached { vip, .. }
            | Self::OtherGeneration { vip, .. }
            | Self::NotServed { vip, .. } => Some(*vip),
            Self::DaemonDown { .. } | Self::NotElectable { .. } => None,
        }
    }
}

fn whose(node: Option<&NodeName>) -> String {
    node.map_or_else(
        || ", which is no node's".to_owned(),
        |node| format!(", which is {node}'s"),
    )
}

fn names(nodes: &[NodeName]) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    names.join(" and ")
}

/// What keeps the nodes of `seen` from being a whole cluster that serves `vips`: the VIPs first, then the
/// nodes in their order.
pub fn problems(seen: &[Observation], vips: &[IpAddr]) -> Vec<Problem> {
    let of_vips = ownership(&owners(seen, vips));
    of_vips
        .into_iter()
        .chain(seen.iter().flat_map(of_node))
        .collect()
}

/// The VIPs that have no owner, or several.
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

/// Beside others, an instance is hactl's where its last generation has it.
fn is_own(seen: &Observation, instance: &str) -> bool {
    let recorded = seen.recorded.as_ref();
    let names = recorded.and_then(|recorded| recorded.get("instances"));
    names.is_none_or(|names| names.split(' ').any(|name| name == instance))
}

fn of_node(seen: &Observation) -> Vec<Problem> {
    let node = &seen.node;
    let down = Daemon::ALL
        .into_iter()
        .filter(|daemon| !seen.service(daemon.name()).is_active())
        .map(|daemon| Problem::DaemonDown {
            node: node.clone(),
            daemon,
        });
    let out = seen
        .vrrp
        .iter()
        .filter(|vrrp| !vrrp.state.is_electable() && is_own(seen, &vrrp.instance))
        .map(|vrrp| Problem::NotElectable {
            node: node.clone(),
            instance: vrrp.instance.clone(),
            state: vrrp.state.clone(),
        });
    down.chain(out).collect()
}
