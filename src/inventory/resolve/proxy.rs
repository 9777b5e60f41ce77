//! Settings that a site and its locations share: timeouts of upstream servers, and headers.

use std::time::Duration;

use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{Line, Pairs, SiteKeys, Spanned};
use crate::model::{Header, HeaderName};

/// The site's timeouts for upstream servers, which are the defaults of its locations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) send: Duration,
    pub(super) read: Duration,
}

pub(super) fn timeouts(site: &SiteKeys) -> Option<Timeouts> {
    Some(Timeouts {
        connect: site.connect_timeout.as_ref()?.0,
        send: site.send_timeout.as_ref()?.0,
        read: site.read_timeout.as_ref()?.0,
    })
}

/// Rejects Content-Type among the headers of responses that nginx does not generate: they would have it twice.
pub(super) fn check_headers(pairs: &Pairs<HeaderName, Line>, faults: &mut Diagnostics) {
    let is_type = |name: &HeaderName| name.as_str().eq_ignore_ascii_case("Content-Type");
    for (name, _) in pairs.pairs.iter().filter(|(name, _)| is_type(name)) {
        let message = format!("{}: nginx would send a second Content-Type", name.path);
        faults.add(Diagnostic::at(&name.span, message).help(
            "remove it, and set it on the server, or in a location with `return`, which has no other",
        ));
    }
}

pub(super) fn headers(pairs: &Pairs<HeaderName, Line>) -> Vec<Header> {
    let header = |(name, value): &(Spanned<HeaderName>, Spanned<Line>)| Header {
        name: name.value.clone(),
        value: value.0.clone(),
    };
    pairs.pairs.iter().map(header).collect()
}
