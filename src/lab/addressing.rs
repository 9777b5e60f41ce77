//! The addresses a lab uses. Every lab uses the same ones: they exist only in the lab's own network
//! namespaces, so labs cannot conflict, and an inventory written for one works in every other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The VIP.
pub const VIP_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));
/// An IPv6 VIP on the same segment.
pub const VIP6_ADDRESS: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x100));
/// The controller's address on the nodes' segment.
pub const CONTROLLER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
pub const BACKEND_PORT: u16 = 8080;

/// The prefix length of both segments in IPv4.
pub(super) const PREFIX: u8 = 24;
/// The prefix length of both segments in IPv6.
pub(super) const PREFIX6: u8 = 64;

/// Writes the decimal digits as hexadecimal ones, so that `10.0.0.11` and `fd00:10::11` are
/// recognisably the same machine.
const fn as_read(host: u8) -> u16 {
    let host = host as u16;
    host / 100 * 0x100 + host / 10 % 10 * 0x10 + host % 10
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

impl Addresses {
    /// An address on the segment shared by nodes, controller and router.
    const fn front(host: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(10, 0, 0, host),
            v6: Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, as_read(host)),
        }
    }

    /// An address on the segment shared by backends and router.
    const fn back(host: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(192, 168, 1, host),
            v6: Ipv6Addr::new(0xfd00, 0x192, 0x168, 1, 0, 0, 0, as_read(host)),
        }
    }

    pub(super) fn cidr4(self) -> String {
        format!("{}/{PREFIX}", self.v4)
    }

    pub(super) fn cidr6(self) -> String {
        format!("{}/{PREFIX6}", self.v6)
    }

    /// A MAC address that survives reboots.
    pub(super) fn mac(self) -> String {
        let [a, b, c, d] = self.v4.octets();
        format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }
}

pub(super) const ROUTER_FRONT: Addresses = Addresses::front(254);
pub(super) const ROUTER_BACK: Addresses = Addresses::back(1);
pub(super) const CONTROLLER: Addresses = Addresses::front(1);

/// The `index`-th node, counted from 0.
pub(super) fn node(index: u8) -> Addresses {
    Addresses::front(11 + index)
}

/// The `index`-th backend, counted from 0.
pub(super) fn backend(index: u8) -> Addresses {
    Addresses::back(10 + index)
}

pub(super) fn backend_socket(index: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(backend(index).v4), BACKEND_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_of_a_machine_read_alike() {
        assert_eq!(node(0).cidr6(), "fd00:10::11/64");
        assert_eq!(ROUTER_FRONT.cidr6(), "fd00:10::254/64");
        assert_eq!(backend(2).cidr6(), "fd00:192:168:1::12/64");
        assert_eq!(VIP6_ADDRESS.to_string(), "fd00:10::100");
    }
}
