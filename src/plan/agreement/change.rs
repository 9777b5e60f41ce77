//! Changes that peers would notice, and the text for them.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};
use std::net::IpAddr;
use std::time::Duration;

use super::router::{Key, Peering, Router};
use super::strictness::Strictness;
use crate::model::NodeName;

/// A changed setting by which peers accept or discard adverts, so that old and new nodes would disagree.
/// `Display` writes a clause without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Change {
    Moved {
        vip: IpAddr,
        from: String,
        to: String,
    },
    Added {
        router: String,
        vips: Vec<IpAddr>,
    },
    Gone {
        router: String,
        vips: Vec<IpAddr>,
    },
    Version {
        router: String,
        from: u8,
        to: u8,
    },
    ToMulticast {
        router: String,
    },
    ToUnicast {
        router: String,
    },
    Group {
        router: String,
    },
    Peers {
        router: String,
        joins: Vec<IpAddr>,
        leaves: Vec<IpAddr>,
    },
    Source {
        router: String,
        from: Option<IpAddr>,
        to: Option<IpAddr>,
    },
    Auth {
        router: String,
    },
    Strict {
        router: String,
        on: bool,
    },
    Advert {
        router: String,
        from: Duration,
        to: Duration,
    },
    Addresses {
        router: String,
        joins: Vec<IpAddr>,
        leaves: Vec<IpAddr>,
    },
    Unreadable {
        node: NodeName,
    },
}

fn place((interface, is_v6, id): &Key) -> String {
    let family = if *is_v6 { " (IPv6)" } else { "" };
    format!("virtual router {id} on {interface}{family}")
}

impl Change {
    pub(super) fn moved(vip: IpAddr, from: &Key, to: &Key) -> Self {
        Self::Moved {
            vip,
            from: place(from),
            to: place(to),
        }
    }

    pub(super) fn added(new: &Router) -> Self {
        Self::Added {
            router: place(&new.key()),
            vips: new.vips().collect(),
        }
    }

    pub(super) fn gone(old: &Router) -> Self {
        Self::Gone {
            router: place(&old.key()),
            vips: old.vips().collect(),
        }
    }
}

/// The first setting that differs between two virtual routers with the same key.
pub(super) fn between(old: &Router, new: &Router, strictness: Strictness) -> Option<Change> {
    let router = || new.name.clone();
    let minus = |a: &BTreeSet<IpAddr>, b: &BTreeSet<IpAddr>| a.difference(b).copied().collect();
    let change = if old.version != new.version {
        Change::Version {
            router: router(),
            from: old.version,
            to: new.version,
        }
    } else if let Some(change) = peering(old, new) {
        change
    } else if old.source != new.source {
        Change::Source {
            router: router(),
            from: old.source,
            to: new.source,
        }
    } else if !old.auth.agrees(&new.auth) {
        Change::Auth { router: router() }
    } else if old.strict != new.strict {
        Change::Strict {
            router: router(),
            on: new.strict,
        }
    } else if old.advert != new.advert {
        Change::Advert {
            router: router(),
            from: old.advert,
            to: new.advert,
        }
    } else if strictness.compares_addresses && old.addresses != new.addresses {
        Change::Addresses {
            router: router(),
            joins: minus(&new.addresses, &old.addresses),
            leaves: minus(&old.addresses, &new.addresses),
        }
    } else {
        return None;
    };
    Some(change)
}

fn peering(old: &Router, new: &Router) -> Option<Change> {
    let router = || new.name.clone();
    match (&old.peering, &new.peering) {
        (Peering::Unicast { .. }, Peering::Multicast { .. }) => {
            Some(Change::ToMulticast { router: router() })
        }
        (Peering::Multicast { .. }, Peering::Unicast { .. }) => {
            Some(Change::ToUnicast { router: router() })
        }
        (Peering::Multicast { group: old }, Peering::Multicast { group: new }) => {
            (old != new).then(|| Change::Group { router: router() })
        }
        (Peering::Unicast { peers: old }, Peering::Unicast { peers: new }) => {
            (old != new).then(|| Change::Peers {
                router: router(),
                joins: new.difference(old).copied().collect(),
                leaves: old.difference(new).copied().collect(),
            })
        }
    }
}

fn list(addresses: &[IpAddr]) -> String {
    let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// `10.0.0.14 joins`, `10.0.0.12 leaves and 10.0.0.22 joins`
fn comings(joins: &[IpAddr], leaves: &[IpAddr]) -> String {
    let verb = |all: &[IpAddr], one: &str, many: &str| {
        let verb = if all.len() == 1 { one } else { many };
        format!("{} {verb}", list(all))
    };
    match (joins, leaves) {
        (joins, []) => verb(joins, "joins", "join"),
        ([], leaves) => verb(leaves, "leaves", "leave"),
        (joins, leaves) => format!(
            "{} and {}",
            verb(leaves, "leaves", "leave"),
            verb(joins, "joins", "join")
        ),
    }
}

fn address(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "the interface's own".to_owned(), |own| own.to_string())
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Moved { vip, from, to } => write!(f, "{vip} moves from {from} to {to}"),
            Self::Added { router, vips } => write!(f, "{router} is new, with {}", list(vips)),
            Self::Gone { router, vips } => write!(f, "{router} is removed, with {}", list(vips)),
            Self::Version { router, from, to } => {
                write!(f, "{router} changes from VRRPv{from} to VRRPv{to}")
            }
            Self::ToMulticast { router } => {
                write!(f, "{router} changes from unicast to multicast")
            }
            Self::ToUnicast { router } => write!(f, "{router} changes from multicast to unicast"),
            Self::Group { router } => write!(f, "{router} changes its multicast group"),
            Self::Peers {
                router,
                joins,
                leaves,
            } => write!(
                f,
                "the unicast peers of {router} change: {}",
                comings(joins, leaves)
            ),
            Self::Source { router, from, to } => write!(
                f,
                "{router} changes the source of its adverts from {} to {}",
                address(*from),
                address(*to)
            ),
            Self::Auth { router } => write!(f, "{router} changes its authentication"),
            Self::Strict { router, on } => {
                let to = if *on { "on" } else { "off" };
                write!(f, "{router} turns vrrp_strict {to}")
            }
            Self::Advert { router, from, to } => write!(
                f,
                "{router} changes its advert interval from {from:?} to {to:?}"
            ),
            Self::Addresses {
                router,
                joins,
                leaves,
            } => write!(f, "the VIPs of {router} change: {}", comings(joins, leaves)),
            Self::Unreadable { node } => write!(
                f,
                "what keepalived runs on {node} cannot be read, since its file includes others"
            ),
        }
    }
}
