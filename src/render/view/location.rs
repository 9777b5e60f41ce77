//! Locations: their responses and headers.

use serde::Serialize;

use crate::model::{
    Header, HostPath, Location, LocationAction, Site, decoded_url_path, nginx_quoted, nginx_text,
    nginx_variables,
};
use crate::render::error::RenderError;

use super::common::nginx_time;

/// A header's name and its quoted value.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HeaderView {
    pub(super) name: String,
    value: String,
}

/// One `location`.
#[derive(Debug, Serialize)]
pub(super) struct LocationView {
    #[serde(rename = "match")]
    matches: String,
    access_log_off: bool,
    limit: Option<String>,
    headers: Vec<HeaderView>,
    default_type: Option<String>,
    returns: Option<String>,
    root: Option<String>,
    alias: Option<String>,
    proxy: Option<ProxyView>,
}

/// The directives of a location that proxies.
#[derive(Debug, Serialize)]
struct ProxyView {
    upstream: String,
    headers: Vec<HeaderView>,
    connect_timeout: String,
    send_timeout: String,
    read_timeout: String,
}

/// Headers of every proxied request, unless the inventory overrides them.
const PROXY_HEADERS: [(&str, &str); 6] = [
    ("Host", "$host"),
    ("X-Real-IP", "$remote_addr"),
    ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
    ("X-Forwarded-Host", "$host"),
    ("X-Forwarded-Port", "$server_port"),
    ("X-Forwarded-Proto", "$scheme"),
];

/// `place` is the site's place for error messages. `zone` is the name of the rate-limit zone.
pub(super) fn view(
    site: &Site,
    location: &Location,
    place: &str,
    zone: &str,
) -> Result<LocationView, RenderError> {
    let place = format!("{place}, location {}", location.path.escape_debug());
    let path = decoded(&location.path, &place)?;
    let mut view = LocationView {
        matches: matches(&path, location.exact, &place)?,
        access_log_off: !location.access_log,
        limit: location.rate_limit.map(|(_, burst)| match burst {
            0 => format!("zone={zone}"),
            burst => format!("zone={zone} burst={burst} nodelay"),
        }),
        headers: Vec::new(),
        default_type: None,
        returns: None,
        root: None,
        alias: None,
        proxy: None,
    };
    let mut headers: Vec<&Header> = location.response_headers.iter().collect();
    match &location.action {
        LocationAction::Proxy { upstream } => {
            view.proxy = Some(ProxyView {
                upstream: upstream.to_string(),
                headers: request_headers(location, &place)?,
                connect_timeout: nginx_time(location.connect_timeout),
                send_timeout: nginx_time(location.send_timeout),
                read_timeout: nginx_time(location.read_timeout),
            });
        }
        LocationAction::Redirect(redirect) => {
            let target = nginx_variables(&redirect.target)
                .map_err(RenderError::at(format!("{place}, redirect target")))?;
            view.returns = Some(format!("{} {target}", redirect.code));
        }
        LocationAction::Return { code, body } => {
            let text = nginx_text(body).map_err(RenderError::at(format!("{place}, body")))?;
            view.returns = Some(format!("{code} {text}"));
            // For `return`, nginx takes the type from `default_type`. As a header, it would be sent twice.
            let position = headers.iter().position(|header| is_content_type(header));
            let kind = position.map(|at| headers.remove(at).value.as_str());
            view.default_type = Some(
                nginx_quoted(kind.unwrap_or("text/plain"))
                    .map_err(RenderError::at(format!("{place}, Content-Type")))?,
            );
        }
        LocationAction::Files { root } if path == "/" && !location.exact => {
            view.root = Some(root.to_string());
        }
        LocationAction::Files { root } => {
            let alias = alias(root, &path, location.exact);
            view.alias = Some(nginx_text(&alias).map_err(RenderError::at(&*place))?);
        }
    }
    // nginx inherits `add_header` only into locations without any, so the site's headers are repeated.
    if !headers.is_empty() {
        view.headers = response_headers(
            site.response_headers
                .iter()
                .filter(|outer| !headers.iter().any(|inner| same_name(inner, outer)))
                .chain(headers.iter().copied()),
            &place,
        )?;
    }
    Ok(view)
}

/// `path` as nginx compares it. Without a leading '/', nginx would take it for a modifier.
fn decoded(path: &str, place: &str) -> Result<String, RenderError> {
    if !path.starts_with('/') {
        return Err(RenderError::unsupported(
            place,
            "a location is a path, and this one doesn't start with '/'",
            "write it as a path, with special characters as %XX",
        ));
    }
    decoded_url_path(path).map_err(RenderError::at(place))
}

/// `/path` or `= /path`, quoted only if necessary.
fn matches(path: &str, exact: bool, place: &str) -> Result<String, RenderError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let path = if path.chars().all(plain) {
        path.to_owned()
    } else {
        nginx_quoted(path).map_err(RenderError::at(place))?
    };
    Ok(if exact { format!("= {path}") } else { path })
}

/// The `alias` for `path`: the files of the directory appear directly below the path. Both end with a slash or neither
/// does, since otherwise `/static../` would lead out of the directory.
fn alias(root: &HostPath, path: &str, exact: bool) -> String {
    match (path.rsplit_once('/'), exact) {
        (Some((_, file)), true) => format!("{root}/{file}"),
        (Some((_, "")), false) => format!("{root}/"),
        _ => root.to_string(),
    }
}

/// `add_header` values. nginx sets Content-Type itself, and would send it twice.
pub(super) fn response_headers<'a>(
    headers: impl Iterator<Item = &'a Header>,
    place: &str,
) -> Result<Vec<HeaderView>, RenderError> {
    headers
        .map(|header| {
            if is_content_type(header) {
                return Err(RenderError::unsupported(
                    place,
                    "nginx would send a second Content-Type beside its own",
                    "set it on the backend, or on a location with a fixed answer",
                ));
            }
            header_view(header, place)
        })
        .collect()
}

/// Request headers for the upstream: the defaults, unless the location overrides them, and the location's own.
fn request_headers(location: &Location, place: &str) -> Result<Vec<HeaderView>, RenderError> {
    // An empty `Connection` keeps connections to the upstream alive.
    let connection: &[(&str, &str)] = if location.websocket {
        &[
            ("Upgrade", "$http_upgrade"),
            ("Connection", "$hactl_connection"),
        ]
    } else {
        &[("Connection", "\"\"")]
    };
    let mut views: Vec<HeaderView> = PROXY_HEADERS
        .iter()
        .chain(connection)
        .filter(|(name, _)| {
            !location
                .request_headers
                .iter()
                .any(|own| own.name.as_str().eq_ignore_ascii_case(name))
        })
        .map(|(name, value)| HeaderView {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    for header in &location.request_headers {
        views.push(header_view(header, place)?);
    }
    Ok(views)
}

fn header_view(header: &Header, place: &str) -> Result<HeaderView, RenderError> {
    Ok(HeaderView {
        name: header.name.to_string(),
        value: nginx_variables(&header.value)
            .map_err(RenderError::at(format!("{place}, header {}", header.name)))?,
    })
}

fn is_content_type(header: &Header) -> bool {
    header.name.as_str().eq_ignore_ascii_case("Content-Type")
}

fn same_name(a: &Header, b: &Header) -> bool {
    a.name.as_str().eq_ignore_ascii_case(b.name.as_str())
}
