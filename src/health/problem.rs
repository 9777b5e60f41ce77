//! Problems of a cluster, each with its cause.

use std::net::IpAddr;

use super::fault::FaultCause;
use crate::agent::{InstanceState, PeerAnswer, Viewpoint};
use crate::model::{NodeName, UnitId};

/// Something that keeps a node from serving or taking over, or a VIP from having one owner.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema, thiserror::Error)]
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
    /// A VIP on a node whose nginx is down, while another node could serve it.
    #[error("{owner}: owns {vip} without a running nginx, while {peer} could serve")]
    OwnerCannotServe {
        /// The VIP.
        vip: IpAddr,
        /// Its owner.
        owner: NodeName,
        /// A node that could serve.
        peer: NodeName,
    },
    /// A VIP on a node without a running keepalived that could remove it.
    #[error("{node}: has {vip} without a running keepalived")]
    Orphaned {
        /// The node.
        node: NodeName,
        /// The VIP.
        vip: IpAddr,
    },
    /// A daemon is not running.
    #[error("{node}: {} is not running", daemon.name())]
    DaemonDown {
        /// The node.
        node: NodeName,
        /// The daemon.
        daemon: UnitId,
    },
    /// A VRRP instance takes no part in the election.
    #[error("{node}: {instance} is in {state}{}{}", since_words(*seconds), cause_words(causes))]
    NotElectable {
        /// The node.
        node: NodeName,
        /// The VRRP instance.
        instance: String,
        /// Its state.
        state: InstanceState,
        /// For how many seconds, if keepalived reports that.
        seconds: Option<u64>,
        /// The causes, as far as they can be seen.
        causes: Vec<FaultCause>,
    },
    /// An instance's VRRP source address is missing on its host.
    #[error("{node}: {instance} sends its adverts from {address}, which is on no interface there")]
    SourceMissing {
        /// The node.
        node: NodeName,
        /// The VRRP instance.
        instance: String,
        /// The address.
        address: IpAddr,
    },
    /// A port that no peer could connect to.
    #[error("{node}: no peer can connect to {address} port {port}: {}", answer_words(*answer))]
    Unreachable {
        /// The node.
        node: NodeName,
        /// Its own address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The result of the connections.
        answer: PeerAnswer,
    },
    /// A node silently drops connections to a VIP's port on its own address, where other nodes refuse them.
    #[error(
        "{node}: {address} port {port} does not answer peers, although other nodes refuse the connection: a firewall may drop traffic to that port, also for the VIP"
    )]
    Dropped {
        /// The node.
        node: NodeName,
        /// Its own address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// keepalived cannot run one of its scripts.
    #[error("{node}: keepalived cannot run {path}: {}", hook_words(script))]
    ScriptUnusable {
        /// The node.
        node: NodeName,
        /// Where the script should be.
        path: String,
        /// What is wrong with it.
        #[serde(flatten)]
        script: UnusableScript,
    },
    /// A machine sends traffic for a VIP to a host other than its owner, and other machines may do so, too.
    #[error("{from}: sends traffic for {vip} to {learned}{}, but {owner} owns it", whose(learned_is.as_ref()))]
    WrongHardware {
        /// The machine that observed it.
        from: Viewpoint,
        /// The VIP.
        vip: IpAddr,
        /// The MAC address that it has learned for the VIP.
        learned: String,
        /// The node with that MAC address, if any.
        learned_is: Option<NodeName>,
        /// The owner.
        owner: NodeName,
    },
    /// A port of a VIP that its owner serves does not answer a machine through the network.
    #[error("{from}: gets no answer from {vip} port {port}, which {owner} serves")]
    NotReached {
        /// The machine that observed it.
        from: Viewpoint,
        /// The VIP.
        vip: IpAddr,
        /// The TCP port.
        port: u16,
        /// The owner.
        owner: NodeName,
    },
    /// An HTTP port of a VIP answers a machine with a configuration other than the owner's.
    #[error("{from}: {vip} port {port} does not serve what {owner} serves")]
    OtherGeneration {
        /// The machine that observed it.
        from: Viewpoint,
        /// The VIP.
        vip: IpAddr,
        /// The TCP port.
        port: u16,
        /// The owner.
        owner: NodeName,
    },
    /// A port of a VIP accepts no connection on its owner.
    #[error("{node}: owns {vip} but does not answer on port {port}{}", shut_words(*listens))]
    NotServed {
        /// The owner.
        node: NodeName,
        /// The VIP.
        vip: IpAddr,
        /// The TCP port.
        port: u16,
        /// Whether something listens there.
        listens: bool,
    },
    /// A node's keepalived runs with a setting that differs from the first node's.
    #[error("{node}: {instance} runs with {setting} {value}, {peer} with {expected}")]
    Mismatch {
        /// The node.
        node: NodeName,
        /// The VRRP instance.
        instance: String,
        /// The setting.
        setting: &'static str,
        /// The value on the node.
        value: String,
        /// A node with a different value.
        peer: NodeName,
        /// The value on that node.
        expected: String,
    },
}

/// Why keepalived cannot run a script.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(tag = "script", rename_all = "snake_case")]
pub enum UnusableScript {
    /// It does not exist.
    Missing,
    /// It is not an executable file.
    NotExecutable,
    /// Script security refuses it.
    Unsafe {
        /// The part of its path that users other than root can change.
        component: String,
    },
}

impl Problem {
    /// The affected node. `None` if the problem is about a VIP, or was observed by this machine.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::NoOwner { .. } | Self::SeveralOwners { .. } => None,
            Self::OwnerCannotServe { owner: node, .. }
            | Self::Orphaned { node, .. }
            | Self::DaemonDown { node, .. }
            | Self::NotElectable { node, .. }
            | Self::SourceMissing { node, .. }
            | Self::Unreachable { node, .. }
            | Self::Dropped { node, .. }
            | Self::ScriptUnusable { node, .. }
            | Self::Mismatch { node, .. }
            | Self::NotServed { node, .. } => Some(node),
            Self::WrongHardware { from, .. }
            | Self::NotReached { from, .. }
            | Self::OtherGeneration { from, .. } => from.node(),
        }
    }

    /// The affected VIP, if any.
    pub fn vip(&self) -> Option<IpAddr> {
        match self {
            Self::NoOwner { vip }
            | Self::SeveralOwners { vip, .. }
            | Self::OwnerCannotServe { vip, .. }
            | Self::Orphaned { vip, .. }
            | Self::WrongHardware { vip, .. }
            | Self::NotReached { vip, .. }
            | Self::OtherGeneration { vip, .. }
            | Self::NotServed { vip, .. } => Some(*vip),
            Self::DaemonDown { .. }
            | Self::NotElectable { .. }
            | Self::SourceMissing { .. }
            | Self::Unreachable { .. }
            | Self::Dropped { .. }
            | Self::ScriptUnusable { .. }
            | Self::Mismatch { .. } => None,
        }
    }
}

fn whose(node: Option<&NodeName>) -> String {
    node.map_or_else(
        || ", which belongs to no node".to_owned(),
        |node| format!(", which belongs to {node}"),
    )
}

fn names(nodes: &[NodeName]) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    names.join(" and ")
}

fn since_words(seconds: Option<u64>) -> String {
    match seconds {
        None => String::new(),
        Some(seconds @ 0..120) => format!(" for {seconds} s"),
        Some(seconds @ 120..7200) => format!(" for {} min", seconds / 60),
        Some(seconds) => format!(" for {} h", seconds / 3600),
    }
}

fn cause_words(causes: &[FaultCause]) -> String {
    let words: Vec<String> = causes.iter().map(FaultCause::to_string).collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(": {}", words.join(", "))
    }
}

fn answer_words(answer: PeerAnswer) -> &'static str {
    match answer {
        PeerAnswer::Open => "connected",
        PeerAnswer::Refused => "refused, so nothing listens there or a firewall rejects it",
        PeerAnswer::Silent => "no answer, as when a firewall drops it",
    }
}

fn shut_words(listens: bool) -> &'static str {
    if listens {
        ", although a process listens there: a firewall blocks it, or nginx accepts no more connections"
    } else {
        ""
    }
}

fn hook_words(script: &UnusableScript) -> String {
    match script {
        UnusableScript::Missing => "it does not exist".to_owned(),
        UnusableScript::NotExecutable => "it is not an executable file".to_owned(),
        UnusableScript::Unsafe { component } => {
            format!("users other than root can change {component}")
        }
    }
}
