//! Other machines as a host sees them: neighbours, and the peers' listeners.

use std::net::IpAddr;

/// The owner of an address, from a host's neighbour table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its MAC address.
    pub hardware: String,
    /// Whether the entry is old and unconfirmed, so that the neighbour may be gone.
    pub is_remembered: bool,
}

/// The result of connecting to a peer's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerAnswer {
    /// The connection was accepted.
    Open,
    /// The connection was refused: nothing listens, or a firewall rejects it.
    Refused,
    /// No answer arrived: a firewall drops the packets, or the host is down.
    Silent,
}

/// A port of a peer, at the peer's own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerDoor {
    pub address: IpAddr,
    pub port: u16,
    /// Where the peer's nginx listens on it.
    pub listens: ListensAt,
}

/// Where nginx listens on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListensAt {
    /// On all addresses, including the node's own.
    All,
    /// On VIPs only, so that the kernel refuses connections to the node's own address.
    Vips,
}

/// The state of a peer's port, seen from one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPort {
    pub door: PeerDoor,
    /// The result of the connection.
    pub answer: PeerAnswer,
}
