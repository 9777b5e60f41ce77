//! `listen` directives. nginx accepts the options of a socket only once, even if several servers share it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Listen, ServerName, Site, Version};

/// First version with the `http2` directive. Before, it is a parameter of `listen`.
const HTTP2_DIRECTIVE_FIRST: Version = Version::new(1, 25, 1);
/// First version with `ssl_reject_handshake`.
const REJECT_FIRST: Version = Version::new(1, 19, 4);

/// Address and port. The unspecified address stands for all of its family.
type Socket = (IpAddr, u16);

/// What all servers on a socket have in common.
#[derive(Debug, Default)]
struct Shared {
    tls: bool,
    http2: bool,
    has_default: bool,
}

/// Writes `listen` parameters, and remembers the sockets whose options were written.
#[derive(Debug)]
pub(super) struct Listens {
    shared: BTreeMap<Socket, Shared>,
    configured: BTreeSet<Socket>,
    /// `None` if others may use the same sockets.
    backlog: Option<u32>,
    http2_on_listen: bool,
    reject: bool,
}

impl Listens {
    /// Collects the sockets of all `sites`.
    pub(super) fn of(sites: &[Site], backlog: Option<u32>, nginx: Version) -> Self {
        let mut shared: BTreeMap<Socket, Shared> = BTreeMap::new();
        for site in sites {
            let any_name = site.names.iter().any(|name| name.as_str() == "_");
            for listen in &site.listen {
                for socket in sockets(listen) {
                    let entry = shared.entry(socket).or_default();
                    entry.tls |= listen.tls;
                    entry.http2 |= listen.tls && site.http2;
                    entry.has_default |= listen.default_server || any_name;
                }
            }
        }
        Self {
            shared,
            configured: BTreeSet::new(),
            backlog,
            http2_on_listen: nginx < HTTP2_DIRECTIVE_FIRST,
            reject: nginx >= REJECT_FIRST,
        }
    }

    /// For a server that refuses TLS handshakes for unknown names: one line per TLS socket without a default site.
    pub(super) fn reject(&mut self) -> Vec<String> {
        if !self.reject {
            return Vec::new();
        }
        let open: Vec<Socket> = self
            .shared
            .iter()
            .filter(|(_, shared)| shared.tls && !shared.has_default)
            .map(|(socket, _)| *socket)
            .collect();
        open.into_iter()
            .map(|socket| self.line(socket, true, true))
            .collect()
    }

    pub(super) fn site(&mut self, site: &Site) -> Vec<String> {
        let mut lines = Vec::new();
        for listen in &site.listen {
            for socket in sockets(listen) {
                lines.push(self.line(socket, listen.tls, listen.default_server));
            }
        }
        lines
    }

    /// True when `site` needs the directive `http2 on`.
    pub(super) fn http2_directive(&self, site: &Site) -> bool {
        !self.http2_on_listen && site.http2 && site.listen.iter().any(|listen| listen.tls)
    }

    /// One line, with the options of the socket when it first appears.
    fn line(&mut self, socket: Socket, tls: bool, default_server: bool) -> String {
        let mut words = vec![address(socket)];
        if default_server {
            words.push("default_server".to_owned());
        }
        if tls {
            words.push("ssl".to_owned());
            if self.http2_on_listen && self.shared.get(&socket).is_some_and(|shared| shared.http2) {
                words.push("http2".to_owned());
            }
        }
        if self.configured.insert(socket)
            && self.binds(socket)
            && let Some(backlog) = self.backlog
        {
            words.push(format!("backlog={backlog}"));
        }
        words.join(" ")
    }

    /// True when nginx binds `socket` itself. An address next to a wildcard on the same port is served by the
    /// wildcard's socket. With an option, nginx would bind both, which fails.
    fn binds(&self, (address, port): Socket) -> bool {
        address.is_unspecified() || !self.shared.contains_key(&(unspecified(address), port))
    }
}

fn sockets(listen: &Listen) -> Vec<Socket> {
    match listen.address {
        Some(address) => vec![(address, listen.port)],
        None => vec![
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), listen.port),
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), listen.port),
        ],
    }
}

/// The wildcard of the address's family.
fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn address((address, port): Socket) -> String {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => port.to_string(),
        IpAddr::V4(v4) => format!("{v4}:{port}"),
        IpAddr::V6(v6) => format!("[{v6}]:{port}"),
    }
}

/// The names of a site. Their type allows only characters that need no quotes.
pub(super) fn names(names: &[ServerName]) -> String {
    if names.is_empty() {
        return "_".to_owned();
    }
    let names: Vec<&str> = names.iter().map(ServerName::as_str).collect();
    names.join(" ")
}
