use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP, and QUIC over it.
    Udp,
}

/// An address, port and protocol. A family's unspecified address stands for all of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, schemars::JsonSchema)]
#[schemars(from = "String", into = "String")]
pub struct Socket {
    pub address: IpAddr,
    pub port: u16,
    pub transport: Transport,
}

impl Socket {
    /// The IPv4 wildcard.
    pub const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    /// The IPv6 wildcard.
    pub const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

    /// Parses a local address in ss(8)'s notation: `0.0.0.0:80`, `[::]:80`, `10.0.0.1%eth0:80`, or
    /// `*:80`, which is one dual-stack socket.
    pub fn local(netid: &str, text: &str) -> Option<Vec<Self>> {
        let transport = match netid {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        let (address, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let address = address.trim_matches(['[', ']']);
        let address = address
            .split_once('%')
            .map_or(address, |(address, _)| address);
        let addresses = match address {
            "*" => vec![Self::ANY_V4, Self::ANY_V6],
            address => vec![address.parse().ok()?],
        };
        let socket = |address| Self {
            address,
            port,
            transport,
        };
        Some(addresses.into_iter().map(socket).collect())
    }

    pub fn is_wildcard(&self) -> bool {
        self.address.is_unspecified()
    }

    /// Whether every connection to `other` could also reach this socket.
    pub fn covers(&self, other: &Self) -> bool {
        let is_any = self.is_wildcard() && self.address.is_ipv4() == other.address.is_ipv4();
        (is_any || self.address == other.address)
            && self.port == other.port
            && self.transport == other.transport
    }
}

/// `:80`, `10.0.0.100:80`, `[::]:80`, `:443/udp`.
impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            address if address == Self::ANY_V4 => {}
            IpAddr::V4(address) => write!(f, "{address}")?,
            IpAddr::V6(address) => write!(f, "[{address}]")?,
        }
        write!(f, ":{}", self.port)?;
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Udp => write!(f, "/udp"),
        }
    }
}

impl serde::Serialize for Socket {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
