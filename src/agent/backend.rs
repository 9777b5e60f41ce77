//! Upstream servers, as seen from a node.

use std::fmt;

/// An upstream server, as seen from one node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct BackendState {
    /// The server's host, an address or a name.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// A TCP connection to it succeeded within a second.
    pub up: bool,
    /// Why the connection failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<NoConnection>,
}

/// Why a connection failed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NoConnection {
    /// Nothing listens on the port, or a firewall rejects the connection.
    Refused,
    /// No answer arrived.
    Timeout,
    /// The node has no route there, or no host has the address.
    NoRoute,
    /// The node cannot resolve the name.
    NoName,
    /// Any other error.
    Other,
}

impl NoConnection {
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "refused" => Self::Refused,
            "timeout" => Self::Timeout,
            "no_route" => Self::NoRoute,
            "no_name" => Self::NoName,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Timeout => "no answer within a second",
            Self::NoRoute => "no route to it",
            Self::NoName => "its name does not resolve",
            Self::Other => "no connection",
        })
    }
}
