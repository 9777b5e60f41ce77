//! VRRP's settings: instances, timers, peers, and the reaction to a failed nginx.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::names::{InstanceName, InterfaceName, InvalidValue, NodeName};
use super::secret::SecretRef;

/// A VRRP priority, 1 to 254. On the wire, 0 is a resignation and 255 the address owner (RFC 9568,
/// 5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match u8::try_from(value) {
            Ok(value @ 1..=254) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "priority",
                "a whole number from 1 to 254",
            )),
        }
    }

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
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match u8::try_from(value) {
            Ok(value @ 1..) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "virtual_router_id",
                "a whole number from 1 to 255",
            )),
        }
    }

    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for VirtualRouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The weight of a tracked script or file, -253 to 253 (keepalived.conf(5)). 0 is excluded, since
/// it means FAULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Weight(i16);

impl Weight {
    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match i16::try_from(value) {
            Ok(value @ (-253..=-1 | 1..=253)) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "weight",
                "a whole number from -253 to 253, not 0",
            )),
        }
    }

    pub fn get(self) -> i16 {
        self.0
    }
}

/// The advertisement interval in centiseconds: 10 ms to 40.95 s, the range of VRRPv3's 12-bit field
/// (RFC 9568, 5.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AdvertInterval {
    centiseconds: u16,
}

impl AdvertInterval {
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

    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.centiseconds) * 10)
    }

    /// Whether it is a whole number of seconds. VRRPv2 can express nothing else.
    pub fn is_whole_seconds(self) -> bool {
        self.centiseconds.is_multiple_of(100)
    }

    /// keepalived's notation, in seconds: `1`, `0.05`.
    pub fn keepalived(self) -> String {
        let (seconds, rest) = (self.centiseconds / 100, self.centiseconds % 100);
        if rest == 0 {
            seconds.to_string()
        } else {
            format!("{seconds}.{rest:02}")
        }
    }
}

/// The number of missed adverts after which a backup takes over (keepalived's `down_timer_adverts`,
/// 1 to 100). RFC 9568, 6.1 fixes it at three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct DownTimerAdverts(u8);

impl DownTimerAdverts {
    /// The RFC's value, and keepalived's default.
    pub const RFC: Self = Self(3);

    pub fn new(value: i64) -> Result<Self, InvalidValue> {
        match u8::try_from(value) {
            Ok(value @ 1..=100) => Ok(Self(value)),
            _ => Err(InvalidValue::new(
                "down_timer_adverts",
                "a whole number from 1 to 100",
            )),
        }
    }

    pub fn get(self) -> u8 {
        self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VrrpVersion {
    /// RFC 3768: whole seconds, IPv4 only, plaintext authentication.
    V2,
    /// RFC 9568: hundredths of a second, IPv4 and IPv6, no authentication.
    V3,
}

impl VrrpVersion {
    /// The value of `vrrp_version`.
    pub fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// A named profile of advert interval, tolerated losses and priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Failover {
    /// VRRPv3 with an advert every 20 ms and failover after eight missed ones, for a LAN.
    Fast,
    /// Adverts every second.
    Standard,
    /// Adverts every 3 s, for links that lose or delay packets.
    Wan,
}

impl Failover {
    /// Its name in inventories and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Wan => "wan",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
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
        /// How long it waits first.
        delay: Duration,
    },
    /// It does not (`nopreempt`).
    Keep,
}

/// How a node reacts to its nginx being down or serving the wrong configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum OnNginxFailure {
    /// FAULT: it resigns with a priority-0 advert and takes no part in the election.
    Fault,
    /// Its priority changes by `weight`, and it stays in the election.
    Weight {
        /// If negative, added while nginx has failed. If positive, added while nginx is healthy.
        weight: Weight,
    },
}

/// VRRPv2's plaintext password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The source of the password. VRRPv2 uses only its first 8 characters.
    pub password: SecretRef,
}

/// A route that moves with the VIP (`virtual_routes`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VirtualRoute {
    pub destination: IpNet,
    pub via: IpAddr,
    /// The interface, if one is configured.
    pub interface: Option<InterfaceName>,
}

/// Settings that all instances share.
#[derive(Debug, Clone)]
pub struct VrrpSettings {
    /// The profile that provides the defaults.
    pub failover: Failover,
    pub version: VrrpVersion,
    pub advert_interval: AdvertInterval,
    /// Missed adverts after which a backup takes over.
    pub down_timer_adverts: DownTimerAdverts,
    pub peering: Peering,
    /// Whether a returning node of higher priority takes over.
    pub preemption: Preemption,
    /// How a node reacts to a failed nginx.
    pub on_nginx_failure: OnNginxFailure,
    pub authentication: Option<Authentication>,
    /// `vrrp_garp_master_refresh`: how often the master repeats its gratuitous ARP, or `None` for
    /// never.
    pub garp_refresh: Option<Duration>,
    /// `vrrp_strict`: strict RFC behaviour, which drops traffic to the VIP (keepalived.conf(5)).
    pub strict: bool,
    /// `vrrp_iptables`: the chain for the rules of `strict`.
    pub iptables_chain: Option<InstanceName>,
}

impl VrrpSettings {
    /// The time without adverts after which a backup takes over, before skew:
    /// `Active_Down_Interval` less `Skew_Time` in RFC 9568, 6.1.
    pub fn silence(&self) -> Duration {
        self.advert_interval.duration() * u32::from(self.down_timer_adverts.get())
    }
}

/// One VRRP instance: its addresses, and the nodes' priorities for it.
#[derive(Debug, Clone)]
pub struct VrrpInstance {
    /// keepalived's name for it, `VI_1` by default.
    pub name: InstanceName,
    /// The VRID: identical on all nodes, and unique on the segment.
    pub virtual_router_id: VirtualRouterId,
    /// The VIPs with their prefix lengths, at least one.
    pub addresses: Vec<IpNet>,
    /// Every node of the cluster exactly once with its priority, highest first.
    pub priority_order: Vec<(NodeName, Priority)>,
    /// The interface for the VIPs, if it differs from the node's.
    pub interface: Option<InterfaceName>,
    /// Routes that move with the VIPs.
    pub routes: Vec<VirtualRoute>,
    /// The node for which the inventory asks for `state MASTER`. hactl renders BACKUP, and check
    /// explains why (KA014).
    pub state_master_on: Option<NodeName>,
}

impl VrrpInstance {
    /// Whether its adverts are IPv4. `node` is whether the nodes' own addresses are: that family leads where the
    /// instance has addresses of both.
    pub fn advertises_ipv4(&self, node: bool) -> bool {
        let has_own = self
            .addresses
            .iter()
            .any(|net| net.addr().is_ipv4() == node);
        if has_own { node } else { !node }
    }

    pub fn priority_of(&self, node: &NodeName) -> Option<Priority> {
        self.priority_order
            .iter()
            .find(|(name, _)| name == node)
            .map(|(_, priority)| *priority)
    }

    /// The node that is master while all are healthy.
    pub fn preferred(&self) -> Option<&NodeName> {
        self.priority_order
            .iter()
            .max_by_key(|(_, priority)| *priority)
            .map(|(name, _)| name)
    }
}
