//! The sockets of a `listen` directive.

use std::net::IpAddr;

use crate::model::{Socket, Transport};

/// Empty for a Unix socket or a host name.
pub(super) fn listen(at: &str, options: &[String]) -> Vec<Socket> {
    let has = |option: &str| options.iter().any(|own| own == option);
    let transport = if has("udp") || has("quic") {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    if at.starts_with("unix:") {
        return Vec::new();
    }
    let is_ports = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-');
    let (host, ports) = match at.rsplit_once(':') {
        _ if is_ports(at) => ("*", at),
        Some((host, ports)) if is_ports(ports) && !ports.is_empty() => (host, ports),
        _ => (at, "80"),
    };
    let mut addresses = match host.trim_matches(['[', ']']) {
        "*" => vec![Socket::ANY_V4],
        "localhost" => vec![IpAddr::from([127, 0, 0, 1])],
        host => host.parse().into_iter().collect(),
    };
    if addresses == [Socket::ANY_V6] && has("ipv6only=off") {
        addresses.push(Socket::ANY_V4);
    }
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else {
        return Vec::new();
    };
    let socket = |port| {
        addresses.iter().map(move |address| Socket {
            address: *address,
            port,
            transport,
        })
    };
    (from..=to).flat_map(socket).collect()
}
