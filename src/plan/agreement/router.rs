//! A virtual router as its peers meet it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::agent::Wire;

/// How adverts reach the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peering {
    /// To a group: the default one, or its own.
    Multicast { group: Option<IpAddr> },
    /// To each of these.
    Unicast { peers: BTreeSet<IpAddr> },
}

/// How adverts are signed. What it is made of is a secret, so only whether two are the same can be told.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Auth {
    /// They are not.
    None,
    /// By something with this fingerprint.
    Some(String),
    /// In a way that cannot be read: in a file that is included, or that was edited since it was loaded.
    Unknown,
}

impl Auth {
    pub(super) fn fingerprint(hash: &str) -> Self {
        Self::Some(hash.to_owned())
    }

    /// False unless both are known to be the same.
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

/// Where adverts meet: routers with the same key hear each other, others do not.
pub(super) type Key = (String, bool, u8);

/// A virtual router.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Router {
    /// Its name, which peers do not know.
    pub(super) name: String,
    pub(super) interface: String,
    pub(super) is_v6: bool,
    pub(super) id: u8,
    pub(super) preemption: Preemption,
    pub(super) version: u8,
    pub(super) advert: Duration,
    /// How many adverts must be missing before it takes over: `down_timer_adverts`.
    pub(super) missing: u32,
    pub(super) priority: u8,
    pub(super) strict: bool,
    pub(super) auth: Auth,
    pub(super) source: Option<IpAddr>,
    pub(super) peering: Peering,
    /// Those that its adverts carry.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// Those that it brings besides.
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

    /// RFC 9568's `Skew_Time`, and RFC 3768's.
    pub(super) fn skew(&self) -> Duration {
        let unit = if self.version == 2 {
            Duration::from_secs(1)
        } else {
            self.advert
        };
        unit * (256 - u32::from(self.priority)) / 256
    }

    /// How long it waits for adverts of others before it becomes the owner.
    pub(super) fn down_time(&self) -> Duration {
        self.advert * self.missing + self.skew()
    }

    /// Every VIP that it brings.
    pub(super) fn vips(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().chain(&self.excluded).copied()
    }

    /// The router that runs: what keepalived says of itself counts more than what its file says.
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
