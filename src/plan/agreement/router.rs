//! A virtual router as its peers see it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::agent::Wire;

/// How adverts reach the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peering {
    /// To a group. `None` is the default one.
    Multicast { group: Option<IpAddr> },
    /// To each peer.
    Unicast { peers: BTreeSet<IpAddr> },
}

/// How adverts are authenticated. Only a fingerprint of the secret is kept, for comparison.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Auth {
    /// Not at all.
    None,
    /// The fingerprint of type and secret.
    Some(String),
    /// Unknown, because it is in an included file, or the file was edited after keepalived loaded it.
    Unknown,
}

impl Auth {
    pub(super) fn fingerprint(hash: &str) -> Self {
        Self::Some(hash.to_owned())
    }

    /// True only if both are known and the same.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        *self != Self::Unknown && self == other
    }
}

/// When a router takes over from an owner with a lower priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preemption {
    AtOnce,
    Later,
    Never,
}

/// Interface, whether it is IPv6, and virtual router ID. Only routers with the same key hear each other.
pub(super) type Key = (String, bool, u8);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Router {
    /// The instance name, which peers do not know.
    pub(super) name: String,
    pub(super) interface: String,
    pub(super) is_v6: bool,
    pub(super) id: u8,
    pub(super) preemption: Preemption,
    pub(super) version: u8,
    pub(super) advert: Duration,
    /// Missed adverts before it takes over: `down_timer_adverts`.
    pub(super) missing: u32,
    pub(super) priority: u8,
    pub(super) strict: bool,
    pub(super) auth: Auth,
    pub(super) source: Option<IpAddr>,
    pub(super) peering: Peering,
    /// The VIPs in its adverts: `virtual_ipaddress`.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// Further VIPs: `virtual_ipaddress_excluded`.
    pub(super) excluded: BTreeSet<IpAddr>,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            name: String::new(),
            interface: String::new(),
            is_v6: false,
            id: 0,
            preemption: Preemption::AtOnce,
            version: 2,
            advert: Duration::from_secs(1),
            missing: 3,
            priority: 100,
            strict: false,
            auth: Auth::None,
            source: None,
            peering: Peering::Multicast { group: None },
            addresses: BTreeSet::new(),
            excluded: BTreeSet::new(),
        }
    }
}

impl Router {
    pub(super) fn key(&self) -> Key {
        (self.interface.clone(), self.is_v6, self.id)
    }

    /// `Skew_Time` of RFC 9568 and RFC 3768.
    pub(super) fn skew(&self) -> Duration {
        let unit = if self.version == 2 {
            Duration::from_secs(1)
        } else {
            self.advert
        };
        unit * (256 - u32::from(self.priority)) / 256
    }

    /// How long it waits without adverts before it takes over: `Active_Down_Interval` of RFC 9568.
    pub(super) fn down_time(&self) -> Duration {
        self.advert * self.missing + self.skew()
    }

    /// All VIPs, in adverts or not.
    pub(super) fn vips(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().chain(&self.excluded).copied()
    }

    /// Overrides what the file says with what the running keepalived reports.
    pub(super) fn with_wire(mut self, wire: &Wire) -> Self {
        let Wire {
            interface,
            router_id,
            version,
            advert_interval,
            source,
            peers,
            addresses,
            excluded,
        } = wire;
        if let Some(interface) = interface {
            self.interface.clone_from(interface);
        }
        self.id = router_id.unwrap_or(self.id);
        self.version = version.unwrap_or(self.version);
        self.advert = advert_interval.unwrap_or(self.advert);
        if !addresses.is_empty() {
            self.addresses.clone_from(addresses);
            self.excluded.clone_from(excluded);
            self.is_v6 = addresses.iter().next().is_some_and(IpAddr::is_ipv6);
        }
        match (&self.peering, peers.is_empty()) {
            (_, false) => {
                self.peering = Peering::Unicast {
                    peers: peers.clone(),
                };
                self.source = source.or(self.source);
            }
            (Peering::Unicast { .. }, true) => self.peering = Peering::Multicast { group: None },
            // Peers do not compare the source of multicast adverts unless it is set.
            (Peering::Multicast { .. }, true) => {}
        }
        self
    }
}
