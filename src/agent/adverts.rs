//! Test packets of VRRP's protocol between the hosts: the call `adverts`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::reply::Record;
use crate::model::{InterfaceName, Peering, clipped};

/// The most peers and routers read.
const MAX_ITEMS: usize = 1000;
/// VRRP's groups (RFC 9568, 5.1.1.2 and 5.1.2.2).
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
/// The most characters of an error.
const MAX_TEXT: usize = 200;
/// What a host is to send and to listen for.
#[derive(Debug, Clone)]
pub struct AdvertTestRequest {
    /// Its own address.
    pub address: IpAddr,
    /// Its interface for VRRP.
    pub interface: InterfaceName,
    /// A virtual router id that no router has.
    pub virtual_router_id: u8,
    /// The time from one packet to the next.
    pub interval: Duration,
    /// How long it sends.
    pub duration: Duration,
    /// How long it listens before that, and again afterwards: its peers start a little earlier or later.
    pub margin: Duration,
    /// Tells this test's packets from those of any other: eight letters or digits.
    pub token: String,
    /// The other hosts' addresses.
    pub peers: Vec<IpAddr>,
}

impl AdvertTestRequest {
    pub(super) fn arguments(&self) -> Vec<String> {
        let family = if self.address.is_ipv4() { "4" } else { "6" };
        let mut words = vec![
            family.to_owned(),
            self.address.to_string(),
            self.interface.to_string(),
            self.virtual_router_id.to_string(),
            self.interval.as_micros().to_string(),
            self.duration.as_millis().to_string(),
            self.margin.as_millis().to_string(),
            self.token.clone(),
        ];
        let peers = self.peers.iter();
        let peers = peers.filter(|peer| peer.is_ipv4() == self.address.is_ipv4());
        words.extend(peers.map(IpAddr::to_string));
        words
    }
}

/// What a host has sent and heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdvertTest {
    /// Packets that it sent to each destination.
    pub sent: u64,
    /// The most that it was late in sending one: the host's own scheduling delay.
    pub lateness: Duration,
    /// Destinations that it could not send to, with the error.
    pub unsent: BTreeMap<IpAddr, String>,
    /// What it heard of each peer.
    pub heard: Vec<Heard>,
    /// The virtual routers that it heard meanwhile.
    pub routers: Vec<HeardRouter>,
    /// Why it could not send or listen, if so. Empty if it has neither perl nor Python.
    pub failure: Option<String>,
    /// The time from one packet to the next.
    pub interval: Duration,
}

/// A peer's packets, as they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Their source.
    pub from: IpAddr,
    /// How they were sent.
    pub by: Peering,
    pub received: u64,
    /// How many the peer sent, which only the peer knows: until it is asked, as many as arrived.
    pub of: u64,
    /// The longest time between two.
    pub silence: Duration,
}

/// Adverts of a virtual router, as they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardRouter {
    /// Their source.
    pub from: IpAddr,
    pub virtual_router_id: u8,
    /// VRRP's version.
    pub version: u8,
    pub priority: u8,
}

impl AdvertTest {
    /// What it heard of the peer at `from`.
    pub fn heard_from(&self, from: IpAddr, by: Peering) -> Option<&Heard> {
        let mut heard = self.heard.iter();
        heard.find(|one| one.from == from && one.by == by)
    }

    /// Why it could not send to the peer at `to`, if so.
    pub fn unsent_to(&self, to: IpAddr, by: Peering) -> Option<&String> {
        let destination = match (by, to) {
            (Peering::Unicast, address) => address,
            (Peering::Multicast, IpAddr::V4(_)) => GROUP_V4,
            (Peering::Multicast, IpAddr::V6(_)) => GROUP_V6,
        };
        self.unsent.get(&destination)
    }

    /// Adds what a later test of the same length, or a further part of the same test, has shown.
    pub fn add(&mut self, more: Self) {
        self.sent += more.sent;
        self.lateness = self.lateness.max(more.lateness);
        self.unsent.extend(more.unsent);
        for one in more.heard {
            let mut known = self.heard.iter_mut();
            match known.find(|own| own.from == one.from && own.by == one.by) {
                Some(own) => {
                    own.received += one.received;
                    own.of += one.of;
                    own.silence = own.silence.max(one.silence);
                }
                None => self.heard.push(one),
            }
        }
        let known = std::mem::take(&mut self.routers);
        let is_new = |router: &HeardRouter| !known.contains(router);
        let new: Vec<HeardRouter> = more.routers.into_iter().filter(is_new).collect();
        self.routers = [known, new].concat();
        self.failure = self.failure.take().or(more.failure);
    }

    pub(super) fn take(&mut self, record: &Record) {
        let micros = |index| Duration::from_micros(record.field(index).parse().unwrap_or_default());
        let address = || record.field(0).parse::<IpAddr>().ok();
        match record.tag.as_str() {
            "sent" => {
                self.sent = record.field(0).parse::<u32>().unwrap_or_default().into();
                self.lateness = micros(1);
            }
            "unsent" if self.unsent.len() < MAX_ITEMS => {
                let error = clipped(record.field(1), MAX_TEXT);
                self.unsent.extend(address().map(|to| (to, error)));
            }
            "heard" if self.heard.len() < MAX_ITEMS => self.heard.extend(heard(record)),
            "router" if self.routers.len() < MAX_ITEMS => self.routers.extend(router(record)),
            "unmeasured" => self.failure = Some(clipped(record.field(0), MAX_TEXT)),
            _ => {}
        }
    }
}

fn heard(record: &Record) -> Option<Heard> {
    let number = |index| record.field(index).parse::<u32>().ok().map(u64::from);
    let by = match record.field(1) {
        "u" => Peering::Unicast,
        "m" => Peering::Multicast,
        _ => return None,
    };
    let received = number(2)?;
    Some(Heard {
        from: record.field(0).parse().ok()?,
        by,
        received,
        of: received,
        silence: Duration::from_micros(number(5)?),
    })
}

fn router(record: &Record) -> Option<HeardRouter> {
    let number = |index| record.field(index).parse::<u8>().ok();
    Some(HeardRouter {
        from: record.field(0).parse().ok()?,
        virtual_router_id: number(1)?,
        version: number(2)?,
        priority: number(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> AdvertTest {
        let mut test = AdvertTest::default();
        for line in lines {
            let mut fields = line.split('\t').map(str::to_owned);
            test.take(&Record {
                tag: fields.next().unwrap_or_default(),
                fields: fields.collect(),
                body: None,
            });
        }
        test
    }

    #[test]
    fn a_test_as_the_program_reports_it() {
        let test = read(&[
            "sent\t100\t1769",
            "unsent\t10.0.0.13\tOperation not permitted",
            "heard\t10.0.0.12\tm\t97\t1\t99\t61016",
            "heard\t10.0.0.12\tu\t100\t0\t99\t21017",
            "router\t10.0.0.9\t61\t2\t100\t3",
        ]);
        assert_eq!((test.sent, test.lateness.as_micros()), (100, 1769));
        let peer = "10.0.0.12".parse().unwrap();
        let multicast = test.heard_from(peer, Peering::Multicast).unwrap();
        assert_eq!(multicast.received, 97);
        let unicast = test.heard_from(peer, Peering::Unicast).unwrap();
        assert_eq!(unicast.silence, Duration::from_micros(21017));
        assert_eq!(test.routers[0].virtual_router_id, 61);
        assert_eq!(test.unsent.len(), 1);
        assert_eq!(test.failure, None);
    }

    #[test]
    fn nonsense_is_left_out() {
        let test = read(&[
            "heard\t10.0.0.12\tm\tmany\t99\t1\t61016",
            "heard\tnobody\tm\t1\t1\t1\t1",
            "heard\t10.0.0.12\tx\t1\t1\t1\t1",
            "router\t10.0.0.9\t256\t2\t100\t3",
            "unmeasured\t-",
        ]);
        assert!(test.heard.is_empty() && test.routers.is_empty());
        assert_eq!(test.failure.as_deref(), Some(""));
    }
}
