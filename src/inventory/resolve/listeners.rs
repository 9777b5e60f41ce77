//! Sockets of sites and streams: conflicts that `nginx -t` would not report, and defaults.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, NginxKeys, SiteKeys, Socket, Spanned};
use crate::model::{Listen, Site, Stream};

/// The default status port. Many backends use 8080.
const STATUS_PORT: u16 = 8081;

impl From<Socket> for Listen {
    fn from(socket: Socket) -> Self {
        Self {
            address: socket.address,
            port: socket.port,
            tls: socket.tls,
            default_server: socket.default,
        }
    }
}

/// Makes the first site on each socket its default server unless another one is configured. nginx would choose the
/// same one silently.
pub(super) fn choose_defaults(sites: &mut [Site]) {
    let mut taken: BTreeSet<(Option<IpAddr>, u16)> = BTreeSet::new();
    for listen in sites.iter().flat_map(|site| &site.listen) {
        if listen.default_server {
            taken.insert((listen.address, listen.port));
        }
    }
    for listen in sites.iter_mut().flat_map(|site| &mut site.listen) {
        if taken.insert((listen.address, listen.port)) {
            listen.default_server = true;
        }
    }
}

/// The port for nginx's status: as typed, or the first one that nothing else here listens on.
pub(super) fn status_port(nginx: &NginxKeys, sites: &[Site], streams: &[Stream]) -> u16 {
    if let Some(port) = &nginx.status_port {
        return port.as_u16();
    }
    let of_sites = sites
        .iter()
        .flat_map(|site| &site.listen)
        .map(|listen| listen.port);
    let of_streams = streams
        .iter()
        .filter(|stream| !stream.udp)
        .map(|stream| stream.port);
    let taken: BTreeSet<_> = of_sites.chain(of_streams).collect();
    let mut free = (STATUS_PORT..=u16::MAX).filter(|port| !taken.contains(port));
    free.next().unwrap_or(STATUS_PORT)
}

/// A site's socket as it was typed.
#[derive(Clone, Copy)]
struct Listener<'k> {
    site: &'k Spanned<SiteKeys>,
    socket: &'k Spanned<Socket>,
}

/// Adds an error for each socket that conflicts with another.
pub(super) fn check(keys: &ClusterKeys, faults: &mut Diagnostics) {
    let mut by_port: BTreeMap<u16, Vec<Listener<'_>>> = BTreeMap::new();
    for site in keys.sites.iter().flat_map(|sites| sites.iter()) {
        for socket in site.listen.iter().flat_map(|sockets| sockets.iter()) {
            by_port
                .entry(socket.port)
                .or_default()
                .push(Listener { site, socket });
        }
    }
    for listeners in by_port.values() {
        check_port(listeners, faults);
    }
    check_streams(keys, &by_port, faults);
    let Some(nginx) = &keys.nginx else { return };
    let Some(port) = &nginx.status_port else {
        return;
    };
    if let Some(first) = by_port
        .get(&port.as_u16())
        .and_then(|listeners| listeners.first())
    {
        let message = format!("{}: a site already listens on {}", port.path, port.as_u16());
        let fault =
            Diagnostic::at(&port.span, message).also(&first.socket.span, "the site's socket");
        faults.add(fault.help("choose another port, or remove the key and let hactl choose one"));
    }
}

fn check_port(listeners: &[Listener<'_>], faults: &mut Diagnostics) {
    for (index, listener) in listeners.iter().enumerate() {
        // One conflict per socket is enough, and there may be many sites.
        let conflict = listeners[..index]
            .iter()
            .find_map(|first| conflict(*first, *listener));
        if let Some(fault) = conflict {
            faults.add(fault);
        }
    }
}

fn conflict(first: Listener<'_>, later: Listener<'_>) -> Option<Diagnostic> {
    let (one, two) = (first.socket, later.socket);
    let fault = |message: &str, help: &str| {
        let fault = Diagnostic::at(&two.span, format!("{}: {message}", two.path));
        Some(fault.also(&one.span, "the other").help(help))
    };
    let same_site = first.site.path == later.site.path;
    if one.address != two.address {
        let is_overlap = one.address.is_none() || two.address.is_none();
        return is_overlap.then(|| {
            fault(
                &format!("port {} on one address and on every address", two.port),
                "listen on every address only: write the port alone in both places",
            )
        })?;
    }
    if same_site {
        return fault("the same socket twice", "keep one of them");
    }
    if one.tls != two.tls {
        return fault(
            &format!("port {} with TLS here and without it there", two.port),
            "a socket speaks TLS for all its sites or for none: add `tls`, or take another port",
        );
    }
    if one.default && two.default {
        return fault(
            &format!("port {} has two default sites", two.port),
            "keep `default` on one of them",
        );
    }
    let name = shared_name(first.site, later.site)?;
    fault(
        &format!("two sites on port {} answer to `{name}`", two.port),
        "give the sites different `names`, or other ports; nginx would ignore the second",
    )
}

fn shared_name<'k>(one: &SiteKeys, two: &'k SiteKeys) -> Option<&'k str> {
    let (one, two) = (one.names.as_ref()?, two.names.as_ref()?);
    let shared = two
        .iter()
        .find(|name| one.iter().any(|other| other.value == name.value));
    shared.map(|name| name.as_str())
}

fn check_streams(
    keys: &ClusterKeys,
    by_port: &BTreeMap<u16, Vec<Listener<'_>>>,
    faults: &mut Diagnostics,
) {
    let mut seen = HashMap::new();
    let streams = keys.streams.iter().flat_map(|streams| streams.iter());
    let status = keys
        .nginx
        .as_ref()
        .and_then(|nginx| nginx.status_port.as_ref());
    for listen in streams.filter_map(|stream| stream.listen.as_ref()) {
        let of_site = by_port.get(&listen.port).and_then(|found| found.first());
        let of_site = of_site.map(|found| &found.socket.span);
        let of_status = status
            .filter(|port| port.as_u16() == listen.port)
            .map(|port| &port.span);
        let tcp = of_site.or(of_status).filter(|_| !listen.udp);
        let of_stream = seen.insert((listen.port, listen.udp), &listen.span);
        if let Some(other) = of_stream.or(tcp) {
            let message = format!("{}: port {} is taken", listen.path, listen.port);
            let fault = Diagnostic::at(&listen.span, message).also(other, "by this");
            faults.add(fault.help("choose another port for one of them"));
        }
    }
}
