//! Which addresses a lab uses. Every lab uses the same ones: they exist only inside its own network
//! namespaces, so labs never meet, and an inventory written for one fits every other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address through which the cluster serves.
pub const VIP_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));
/// A second address for the cluster to serve through, on the same segment in IPv6.
pub const VIP6_ADDRESS: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x100));
/// Where the controller is on the nodes' segment.
pub const CONTROLLER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// The port that backends serve on.
pub const BACKEND_PORT: u16 = 8080;

/// The prefix length of both segments in IPv4.
pub(super) const PREFIX: u8 = 24;
/// The prefix length of both segments in IPv6.
pub(super) const PREFIX6: u8 = 64;

/// The number whose hexadecimal digits are this one's decimal ones, so that `10.0.0.11` and
/// `fd00:10::11` are seen to be one machine.
const fn as_read(host: u8) -> u16 {
    let host = host as u16;
    host / 100 * 0x100 + host / 10 % 10 * 0x10 + host % 10
}

/// An interface's two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

impl Addresses {
    /// On the segment that nodes, controller and router share.
    const fn front(host: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(10, 0, 0, host),
            v6: Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, as_read(host)),
        }
    }

    /// On the segment that backends and router share.
    const fn back(host: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(192, 168, 1, host),
            v6: Ipv6Addr::new(0xfd00, 0x192, 0x168, 1, 0, 0, 0, as_read(host)),
        }
    }

    /// The IPv4 address with its prefix length.
    pub(super) fn cidr4(self) -> String {
        format!("{}/{PREFIX}", self.v4)
    }

    /// The IPv6 address with its prefix length.
    pub(super) fn cidr6(self) -> String {
        format!("{}/{PREFIX6}", self.v6)
    }

    /// A hardware address that stays the same across a machine's reboots.
    pub(super) fn mac(self) -> String {
        let [a, b, c, d] = self.v4.octets();
        format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }
}

/// The router, on the nodes' side.
pub(super) const ROUTER_FRONT: Addresses = Addresses::front(254);
/// The router, on the backends' side.
pub(super) const ROUTER_BACK: Addresses = Addresses::back(1);
/// The controller.
pub(super) const CONTROLLER: Addresses = Addresses::front(1);

/// The `index`-th node, counted from 0.
pub(super) fn node(index: u8) -> Addresses {
    Addresses::front(11 + index)
}

/// The `index`-th backend, counted from 0.
pub(super) fn backend(index: u8) -> Addresses {
    Addresses::back(10 + index)
}

/// Where the `index`-th backend serves.
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
