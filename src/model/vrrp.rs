//! What keepalived needs to know: VRRP instances, timers, peers and what a dead nginx means.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::names::{InstanceName, InterfaceName, InvalidValue, NodeName};
use super::secret::SecretRef;

/// A VRRP priority, 1 to 254. 0 means "I resign" and 255 the address's owner (RFC 9568, 5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    /// Validates `value`.
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match u8::try_from(value) {
            Ok(value @ 1..=254) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "priority",
                "a whole number from 1 to 254",
            )),
        }
    }

    /// The number on the wire.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A virtual router id, 1 to 255 (RFC 9568, 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct VirtualRouterId(u8);

impl VirtualRouterId {
    /// Validates `value`.
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match u8::try_from(value) {
            Ok(value @ 1..) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "virtual_router_id",
                "a whole number from 1 to 255",
            )),
        }
    }

    /// The number on the wire.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for VirtualRouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The weight of a tracked script or file, -253 to 253 (keepalived.conf(5)); 0 would mean FAULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Weight(i16);

impl Weight {
    /// Validates `value`.
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match i16::try_from(value) {
            Ok(value @ (-253..=-1 | 1..=253)) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "weight",
                "a whole number from -253 to 253, not 0",
            )),
        }
    }

    /// The number as keepalived takes it.
    pub fn get(self) -> i16 {
        self.0
    }
}

/// The time between two adverts, in whole hundredths of a second: 10 ms to 40.95 s, which is what
/// VRRPv3's 12-bit field holds (RFC 9568, 5.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AdvertInterval {
    centiseconds: u16,
}

impl AdvertInterval {
    /// Validates `value`.
    pub fn new(value: Duration) -> Result<Self, InvalidValue> {
        let rule = || InvalidValue::new("advert interval", "10ms to 40.95s, in steps of 10ms");
        let millis = value.as_millis();
        if !millis.is_multiple_of(10) || !value.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(rule());
        }
        match u16::try_from(millis / 10) {
            Ok(centiseconds @ 1..=4095) => Ok(Self { centiseconds }),
            _ => Err(rule()),
        }
    }

    /// The interval as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.centiseconds) * 10)
    }

    /// True when it is a whole number of seconds, which is all that VRRPv2 can say.
    pub fn is_whole_seconds(self) -> bool {
        self.centiseconds.is_multiple_of(100)
    }

    /// keepalived's spelling, in seconds: `1`, `0.05`.
    pub fn keepalived(self) -> String {
        let (seconds, rest) = (self.centiseconds / 100, self.centiseconds % 100);
        if rest == 0 {
            seconds.to_string()
        } else {
            format!("{seconds}.{rest:02}")
        }
    }
}

/// How many adverts must be missing before a backup takes over (keepalived's `down_timer_adverts`, 1 to
/// 100); RFC 9568, 6.1 says three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct DownTimerAdverts(u8);

impl DownTimerAdverts {
    /// What the RFC says, and keepalived does where it is told nothing.
    pub const RFC: Self = Self(3);

    /// Validates `value`.
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match u8::try_from(value) {
            Ok(value @ 1..=100) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "down_timer_adverts",
                "a whole number from 1 to 100",
            )),
        }
    }

    /// The number as keepalived takes it.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// The version of the VRRP protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VrrpVersion {
    /// RFC 3768: whole seconds, IPv4 only, plaintext authentication.
    V2,
    /// RFC 9568: hundredths of a second, IPv4 and IPv6, no authentication.
    V3,
}

impl VrrpVersion {
    /// The number that keepalived takes.
    pub fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// A named choice of advert interval, of how many may be missing, and of priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Failover {
    /// VRRPv3, adverts every 20 ms, eight of which must be missing: for a LAN.
    Fast,
    /// Adverts every second.
    Standard,
    /// Adverts every 3 s: for links that lose or delay packets.
    Wan,
}

impl Failover {
    /// Its name in an inventory and in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Wan => "wan",
        }
    }
}

/// How adverts reach the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peering {
    /// To each peer's address.
    Unicast,
    /// To 224.0.0.18 or `ff02::12`.
    Multicast,
}

/// Whether a returning node of higher priority takes the VIP back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Preemption {
    /// It does, after `delay` (keepalived's `preempt_delay`, 0 for at once).
    Preempt {
        /// The time it waits first.
        delay: Duration,
    },
    /// It does not (`nopreempt`).
    Keep,
}

/// What a node does to its own candidacy while its nginx is dead or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum OnNginxFailure {
    /// FAULT: it resigns with a priority-0 advert and stands no longer.
    Fault,
    /// Its priority changes by `weight`, and it stays a candidate.
    Weight {
        /// Negative: added while failed. Positive: added while healthy.
        weight: Weight,
    },
}

/// VRRPv2's plaintext password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// Where the password comes from. Only its first 8 characters count.
    pub password: SecretRef,
}

/// A route that moves with the VIP (`virtual_routes`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VirtualRoute {
    /// Where it leads.
    pub destination: IpNet,
    /// The gateway.
    pub via: IpAddr,
    /// The interface, where one is named.
    pub interface: Option<InterfaceName>,
}

/// Settings that all instances share.
#[derive(Debug, Clone)]
pub struct VrrpSettings {
    /// The named profile that set the defaults.
    pub failover: Failover,
    /// Protocol version.
    pub version: VrrpVersion,
    /// Time between adverts.
    pub advert_interval: AdvertInterval,
    /// How many of them must be missing before a backup takes over.
    pub down_timer_adverts: DownTimerAdverts,
    /// Unicast or multicast.
    pub peering: Peering,
    /// What happens when a better node returns.
    pub preemption: Preemption,
    /// What a dead nginx means.
    pub on_nginx_failure: OnNginxFailure,
    /// VRRPv2's password.
    pub authentication: Option<Authentication>,
    /// `vrrp_garp_master_refresh`: how often the owner repeats its gratuitous ARP; `None` for never.
    pub garp_refresh: Option<Duration>,
    /// `vrrp_strict`: strict RFC behaviour, which drops traffic to the VIP (keepalived.conf(5)).
    pub strict: bool,
    /// `vrrp_iptables`: the chain used where `strict` asks for one.
    pub iptables_chain: Option<InstanceName>,
}

impl VrrpSettings {
    /// The time without an advert after which a backup takes over, but for its skew: what RFC 9568, 6.1
    /// calls `Active_Down_Interval`, less `Skew_Time`.
    pub fn silence(&self) -> Duration {
        self.advert_interval.duration() * u32::from(self.down_timer_adverts.get())
    }
}

/// One virtual router: its addresses and who should own them.
#[derive(Debug, Clone)]
pub struct VrrpInstance {
    /// keepalived's name for it, `VI_1` by default.
    pub name: InstanceName,
    /// The same number on all nodes, and no other router's on this wire.
    pub virtual_router_id: VirtualRouterId,
    /// The virtual IPs, each with its prefix length; at least one.
    pub addresses: Vec<IpNet>,
    /// Node names with their priorities, best first; every node of the cluster once.
    pub ladder: Vec<(NodeName, Priority)>,
    /// The interface that carries the VIPs where it isn't the node's own.
    pub interface: Option<InterfaceName>,
    /// Routes that move with it.
    pub routes: Vec<VirtualRoute>,
    /// `state MASTER` was asked for on this node; hactl renders BACKUP and check says why (KA014).
    pub state_master_on: Option<NodeName>,
}

impl VrrpInstance {
    /// The priority of `node` in this instance.
    pub fn priority_of(&self, node: &NodeName) -> Option<Priority> {
        self.ladder
            .iter()
            .find(|(name, _)| name == node)
            .map(|(_, priority)| *priority)
    }

    /// The node that should own it when all are healthy.
    pub fn preferred(&self) -> Option<&NodeName> {
        self.ladder
            .iter()
            .max_by_key(|(_, priority)| *priority)
            .map(|(name, _)| name)
    }
}
