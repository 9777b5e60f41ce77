//! Sites, their locations, and streams.

use super::proxy::{check_headers, headers, timeouts};
use super::{distinct, listeners, locations};
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, SiteKeys, Spanned, StreamKeys, TlsFile, TlsKeys, Typed};
use crate::model::{Site, Stream, Tls};

pub(super) fn resolve(keys: &ClusterKeys, faults: &mut Diagnostics) -> Option<Vec<Site>> {
    let sites = keys.sites.as_ref()?;
    let resolved: Vec<_> = sites
        .iter()
        .map(|site| resolve_one(site, keys, faults))
        .collect();
    let mut sites: Vec<_> = resolved.into_iter().collect::<Option<_>>()?;
    listeners::choose_defaults(&mut sites);
    Some(sites)
}

fn resolve_one(
    site: &Spanned<SiteKeys>,
    cluster: &ClusterKeys,
    faults: &mut Diagnostics,
) -> Option<Site> {
    check(site, faults);
    if let Some(headers) = &site.response_headers {
        check_headers(headers, faults);
    }
    let tls = site.tls.as_ref().map(|keys| tls(keys, faults));
    let locations = locations::resolve(site, timeouts(site), cluster, faults);
    Some(Site {
        names: site
            .names
            .as_ref()?
            .iter()
            .map(|name| name.value.clone())
            .collect(),
        listen: site
            .listen
            .as_ref()?
            .iter()
            .map(|socket| socket.value.into())
            .collect(),
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
        http2: site.http2.as_ref()?.value,
        locations: locations?,
        client_max_body_size: site.client_max_body_size.as_ref().map(|size| size.0),
        response_headers: headers(site.response_headers.as_ref()?),
        raw: site.raw.as_ref().map(|raw| raw.0.clone()),
    })
}

fn check(site: &Spanned<SiteKeys>, faults: &mut Diagnostics) {
    if let Some(names) = &site.names {
        if names.typed_len() == 0 {
            let fault = Diagnostic::at(&names.span, format!("{}: must not be empty", names.path));
            faults.add(fault.help("write `[_]` for any name, or remove the key"));
        }
        distinct::check(names.iter(), "the name", "remove one of them", faults);
    }
    let Some(sockets) = &site.listen else { return };
    if sockets.typed_len() == 0 {
        let fault = Diagnostic::at(
            &sockets.span,
            format!("{}: must not be empty", sockets.path),
        );
        faults.add(fault.help("write `[80]`, or remove the key"));
    }
    let with_tls = sockets.iter().find(|socket| socket.tls);
    match (with_tls, &site.tls) {
        (Some(socket), None) if !site.has("tls") => {
            let message = format!("{}: TLS without a certificate", socket.path);
            let help = "add `tls: { certificate: /etc/ssl/web.crt, key: /etc/ssl/private/web.key }` to the site";
            faults.add(Diagnostic::at(&socket.span, message).help(help));
        }
        (None, Some(tls)) if sockets.typed_len() == sockets.len() => {
            let message = format!("{}: no socket uses the certificate", tls.path);
            let fault =
                Diagnostic::at(&tls.span, message).also(&sockets.span, "none of these has `tls`");
            faults.add(fault.help("listen on `443 tls`, or remove the certificate"));
        }
        _ => {}
    }
}

fn tls(keys: &Spanned<TlsKeys>, faults: &mut Diagnostics) -> Option<Tls> {
    let (certificate, key) = (keys.certificate.as_ref()?, keys.key.as_ref()?);
    match (&certificate.value, &key.value) {
        (TlsFile::OnHost(certificate), TlsFile::OnHost(key)) => Some(Tls::OnHost {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        (TlsFile::Pushed(certificate), TlsFile::Pushed(key)) => Some(Tls::Pushed {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        _ => {
            let message = format!(
                "{}: the certificate and its key must both be on the hosts, or both pushed",
                keys.path
            );
            let fault =
                Diagnostic::at(&key.span, message).also(&certificate.span, "the certificate");
            faults.add(
                fault.help("write a path on the hosts for both, or `{ file: PATH }` for both"),
            );
            None
        }
    }
}

pub(super) fn streams(keys: &ClusterKeys, faults: &mut Diagnostics) -> Option<Vec<Stream>> {
    let streams = keys.streams.as_ref()?;
    for upstream in streams.iter().filter_map(|stream| stream.proxy.as_ref()) {
        distinct::upstream_exists(upstream, keys, faults);
    }
    streams
        .iter()
        .map(|stream| resolve_stream(stream))
        .collect()
}

fn resolve_stream(keys: &StreamKeys) -> Option<Stream> {
    let listen = keys.listen.as_ref()?;
    Some(Stream {
        port: listen.port,
        udp: listen.udp,
        upstream: keys.proxy.as_ref()?.value.clone(),
        connect_timeout: keys.connect_timeout.as_ref()?.0,
        idle_timeout: keys.idle_timeout.as_ref()?.0,
    })
}
