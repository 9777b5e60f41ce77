//! The VRRP parameters in effect, from the running keepalived's dump: its file may have been edited
//! since it was loaded, or include others.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::clipped;

/// The most addresses and peers read of one instance.
const MAX_ADDRESSES: usize = 1000;
/// More than the longest interface name (15 bytes).
const MAX_NAME: usize = 32;

/// The parameters of one VRRP instance that its peers depend on. `None` if the dump lacks a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wire {
    /// The interface for adverts.
    pub interface: Option<String>,
    /// The VRID.
    pub router_id: Option<u8>,
    /// VRRP version, 2 or 3.
    pub version: Option<u8>,
    pub advert_interval: Option<Duration>,
    /// The source address of its adverts.
    pub source: Option<IpAddr>,
    /// Unicast peers, empty with multicast.
    pub peers: BTreeSet<IpAddr>,
    /// The VIPs in its adverts.
    pub addresses: BTreeSet<IpAddr>,
    /// The VIPs that are not in its adverts (`virtual_ipaddress_excluded`).
    pub excluded: BTreeSet<IpAddr>,
}

/// The address list that the following lines belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Addresses,
    Excluded,
    Peers,
    Other,
}

/// The parameters of each instance in `dump`, in order.
pub(super) fn wires(dump: &str) -> Vec<Wire> {
    let mut wires: Vec<Wire> = Vec::new();
    let mut list = List::Other;
    // The same limit as for the instances' states.
    for line in dump.lines().take(100_000) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim(), value.trim());
        if key == "VRRP Instance" {
            wires.push(Wire::default());
            list = List::Other;
            continue;
        }
        let Some(wire) = wires.last_mut() else {
            continue;
        };
        // `10.0.0.100/24 dev eth0 …` and `10.0.0.12 min_ttl 0 …` are the items of a list.
        if let Some(address) = key.split([' ', '/']).next().and_then(|a| a.parse().ok()) {
            let into = match list {
                List::Addresses => &mut wire.addresses,
                List::Excluded => &mut wire.excluded,
                List::Peers => &mut wire.peers,
                List::Other => continue,
            };
            if into.len() < MAX_ADDRESSES {
                into.insert(address);
            }
            continue;
        }
        list = match key.trim_end_matches(|c: char| !c.is_alphabetic()) {
            "Virtual IP" => List::Addresses,
            "Virtual IP Excluded" => List::Excluded,
            "Unicast Peer" => List::Peers,
            _ => List::Other,
        };
        let first = value.split(' ').next().unwrap_or_default();
        match key {
            "VRRP Version" => wire.version = first.parse().ok(),
            // `vrrp.51, vmac on eth0, xmit base i/f`
            "Interface" => {
                let name = value.split_once("vmac on ").map_or(value, |(_, base)| base);
                let name = name.split([' ', ',']).next().unwrap_or_default();
                wire.interface = Some(clipped(name, MAX_NAME));
            }
            "Virtual Router ID" => wire.router_id = first.parse().ok(),
            "Using src_ip" => wire.source = first.parse().ok(),
            "Advert interval" => wire.advert_interval = interval(value),
            _ => {}
        }
    }
    wires
}

/// Parses `1 sec` or `20 milli-sec`.
fn interval(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "sec" | "secs" => number,
        "milli-sec" | "milli-secs" => number / 1000.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As printed by keepalived 2.2.7.
    const DUMP: &str = "------< VRRP Topology >------\n VRRP Instance = VI_1\n   VRRP Version = 3\n   State = MASTER\n   \
        Flags:\n     Using unicast\n   Interface = eth0\n   Using src_ip = 10.0.0.11 (from configuration)\n   \
        Virtual Router ID = 51\n   Advert interval = 20 milli-sec\n   Virtual IP (2):\n     \
        10.0.0.100/24 dev eth0 scope global set\n     10.0.0.101/32 dev eth0 scope global set\n   \
        Virtual IP Excluded (1):\n     fd00::100/64 dev eth0 scope global set\n   Unicast TTL = 255\n   \
        Unicast Peer :\n     10.0.0.12 min_ttl 0 max_ttl 255\n     10.0.0.13 min_ttl 0 max_ttl 255\n   \
        Tracked scripts :\n     check weight 0\n VRRP Instance = two\n   VRRP Version = 2\n   Advert interval = 1 sec\n   \
        Virtual IP = 1\n     10.0.0.102/24 dev eth0 scope global\n";

    #[test]
    fn what_peers_meet_is_read_from_the_dump() {
        let wires = wires(DUMP);
        assert_eq!(wires.len(), 2);
        let set = |all: &[&str]| all.iter().map(|a| a.parse().unwrap()).collect();
        let first = Wire {
            interface: Some("eth0".to_owned()),
            router_id: Some(51),
            version: Some(3),
            advert_interval: Some(Duration::from_millis(20)),
            source: Some("10.0.0.11".parse().unwrap()),
            peers: set(&["10.0.0.12", "10.0.0.13"]),
            addresses: set(&["10.0.0.100", "10.0.0.101"]),
            excluded: set(&["fd00::100"]),
        };
        assert_eq!(wires[0], first);
        assert_eq!(wires[1].advert_interval, Some(Duration::from_secs(1)));
        assert_eq!(wires[1].addresses, set(&["10.0.0.102"]));
        assert_eq!(wires[1].peers, set(&[]));
    }
}
