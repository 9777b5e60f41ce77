//! Servers behind the proxy, as a node sees them.

use std::fmt;

/// A server behind the proxy, seen from one node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct BackendState {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A TCP connection to it came about within a second.
    pub up: bool,
    /// Why none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<NoConnection>,
}

/// Why a connection failed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NoConnection {
    /// Nothing listens on the port, or a firewall says so.
    Refused,
    /// No answer came.
    Timeout,
    /// The node knows no way there, or nobody has the address.
    NoRoute,
    /// The node cannot resolve the name.
    NoName,
    /// Something else.
    Other,
}

impl NoConnection {
    /// From the host's word for it.
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
