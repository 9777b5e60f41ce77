//! What a host sees of others: neighbours, and the peers' listeners.

use std::net::IpAddr;

/// Who has an address, as a host's kernel has learned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its hardware address.
    pub hardware: String,
    /// The kernel knew it from before, and has not asked it since: it may be gone.
    pub is_remembered: bool,
}

/// What became of a connection to a peer's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerAnswer {
    /// It was accepted.
    Open,
    /// It was refused: nothing listens there, or a firewall rejects it.
    Refused,
    /// Nothing came back: a firewall drops it, or the host is gone.
    Silent,
}

/// A port to ask a peer for at its own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerDoor {
    /// The peer's own address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Where nginx listens on it.
    pub listens: ListensAt,
}

/// Where nginx listens on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListensAt {
    /// At all addresses, the node's own with them.
    All,
    /// At VIPs alone: at its own address the kernel of a node refuses a connection.
    Vips,
}

/// A port of a peer, asked from one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPort {
    /// What was asked for.
    pub door: PeerDoor,
    /// What became of the connection.
    pub answer: PeerAnswer,
}
