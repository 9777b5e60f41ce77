//! What keeps a cluster from being whole, each with its cause.

use std::net::IpAddr;

use super::owners::owners;
use crate::agent::{InstanceState, Observation};
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
}

impl Problem {
    /// The node that it is about; `None` where it is about a VIP.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::NoOwner { .. } | Self::SeveralOwners { .. } => None,
            Self::DaemonDown { node, .. } | Self::NotElectable { node, .. } => Some(node),
        }
    }
}

fn names(nodes: &[NodeName]) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    names.join(" and ")
}

/// What keeps the nodes of `seen` from being a whole cluster that serves `vips`: the VIPs first, then the
/// nodes in their order.
pub fn problems(seen: &[Observation], vips: &[IpAddr]) -> Vec<Problem> {
    let of_vips = owners(seen, vips)
        .into_iter()
        .filter_map(|vip| match vip.owners.as_slice() {
            [_] => None,
            [] => Some(Problem::NoOwner { vip: vip.address }),
            _ => Some(Problem::SeveralOwners {
                vip: vip.address,
                owners: vip.owners,
            }),
        });
    of_vips.chain(seen.iter().flat_map(of_node)).collect()
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
        .filter(|vrrp| !vrrp.state.is_electable())
        .map(|vrrp| Problem::NotElectable {
            node: node.clone(),
            instance: vrrp.instance.clone(),
            state: vrrp.state.clone(),
        });
    down.chain(out).collect()
}
