//! The locations of a site.

use super::distinct;
use super::proxy::{Timeouts, check_headers, headers};
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{
    ClusterKeys, LocationKeys, RedirectKeys, ReturnKeys, SiteKeys, Spanned, Time, Typed,
};
use crate::model::{HostPath, Location, LocationAction, Redirect, UpstreamName};

/// A location has exactly one of these keys.
const ACTIONS: [&str; 4] = ["proxy", "redirect", "return", "files"];

/// The values of these keys in a site or a location.
struct Action<'k> {
    proxy: Option<&'k Spanned<UpstreamName>>,
    redirect: Option<&'k Spanned<RedirectKeys>>,
    fixed: Option<&'k Spanned<ReturnKeys>>,
    files: Option<&'k Spanned<HostPath>>,
}

impl Action<'_> {
    fn resolve(&self) -> Option<LocationAction> {
        let proxy = self.proxy.map(|upstream| {
            Some(LocationAction::Proxy {
                upstream: upstream.value.clone(),
            })
        });
        let redirect = self
            .redirect
            .map(|keys| redirect(keys).map(LocationAction::Redirect));
        let fixed = self.fixed.map(|keys| fixed(keys));
        let files = self.files.map(|root| {
            Some(LocationAction::Files {
                root: root.value.clone(),
            })
        });
        proxy.or(redirect).or(fixed).or(files)?
    }

    /// The places of the keys that are present.
    fn places(&self) -> Vec<&std::ops::Range<usize>> {
        let proxy = self.proxy.map(|key| &key.span);
        let redirect = self.redirect.map(|key| &key.span);
        let fixed = self.fixed.map(|key| &key.span);
        let files = self.files.map(|key| &key.span);
        [proxy, redirect, fixed, files]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn redirect(keys: &RedirectKeys) -> Option<Redirect> {
    let target = match keys.to.as_ref()?.0.as_str() {
        "https" => "https://$host$request_uri",
        target => target,
    };
    Some(Redirect {
        code: keys.code.as_ref()?.0,
        target: target.to_owned(),
    })
}

fn fixed(keys: &ReturnKeys) -> Option<LocationAction> {
    Some(LocationAction::Return {
        code: keys.code.as_ref()?.as_u16(),
        body: keys.body.as_ref()?.0.clone(),
    })
}

/// The locations of `site`. The one that its own keys are short for comes first.
pub(super) fn resolve(
    site: &Spanned<SiteKeys>,
    timeouts: Option<Timeouts>,
    cluster: &ClusterKeys,
    faults: &mut Diagnostics,
) -> Option<Vec<Location>> {
    let own = Action {
        proxy: site.proxy.as_ref(),
        redirect: site.redirect.as_ref(),
        fixed: site.r#return.as_ref(),
        files: site.files.as_ref(),
    };
    if let Some(upstream) = own.proxy {
        distinct::upstream_exists(upstream, cluster, faults);
    }
    let typed = ACTIONS.iter().filter(|action| site.has(action)).count();
    if typed > 1 {
        faults.add(too_many(&own, &site.path.to_string()));
    }
    let listed = site.locations.as_ref()?;
    check_paths(site, listed, typed > 0, faults);
    let listed: Vec<_> = listed
        .iter()
        .map(|location| resolve_one(location, timeouts, cluster, faults))
        .collect();
    let root = match typed {
        0 => None,
        _ => Some(root(own.resolve()?, timeouts?)),
    };
    root.map(Some).into_iter().chain(listed).collect()
}

/// The location that a site's own `proxy`, `redirect`, `return` or `files` is short for.
fn root(action: LocationAction, timeouts: Timeouts) -> Location {
    Location {
        path: "/".to_owned(),
        exact: false,
        action,
        request_headers: Vec::new(),
        response_headers: Vec::new(),
        connect_timeout: timeouts.connect,
        send_timeout: timeouts.send,
        read_timeout: timeouts.read,
        websocket: false,
        rate_limit: None,
        access_log: true,
    }
}

fn check_paths(
    site: &Spanned<SiteKeys>,
    listed: &[Spanned<LocationKeys>],
    has_own: bool,
    faults: &mut Diagnostics,
) {
    let is_exact =
        |location: &LocationKeys| location.exact.as_ref().is_some_and(|exact| exact.value);
    let paths: Vec<_> = listed
        .iter()
        .filter_map(|location| Some((location.value.path.as_ref()?, is_exact(location))))
        .collect();
    for (index, (path, exact)) in paths.iter().enumerate() {
        let same = |(other, other_exact): &&(&Spanned<_>, bool)| {
            other.value == path.value && other_exact == exact
        };
        if let Some((first, _)) = paths[..index].iter().find(same) {
            let message = format!("{}: the location {} is given twice", path.path, path.0);
            let fault = Diagnostic::at(&path.span, message)
                .label("again here")
                .also(&first.span, "first here");
            faults.add(fault.help("keep one of them, or make one `exact: true`"));
        }
    }
    let root = paths.iter().find(|(path, exact)| path.0 == "/" && !exact);
    let is_complete = paths.len() == listed.len();
    match root {
        Some((path, _)) if has_own => {
            let message = format!(
                "{}: the site itself already defines what `/` does",
                path.path
            );
            let fault = Diagnostic::at(&path.span, message).help(
                "remove this location, or the site's `proxy`, `redirect`, `return` or `files`",
            );
            faults.add(fault);
        }
        None if !has_own && is_complete => {
            let message = format!("{}: the site has nothing to serve", site.path);
            let fault = Diagnostic::at(&site.span, message).help(
                "add `proxy: UPSTREAM`, `redirect: URL`, `return: CODE` or `files: FOLDER`, or a location with `path: /`",
            );
            faults.add(fault);
        }
        _ => {}
    }
}

fn resolve_one(
    keys: &Spanned<LocationKeys>,
    timeouts: Option<Timeouts>,
    cluster: &ClusterKeys,
    faults: &mut Diagnostics,
) -> Option<Location> {
    let action = Action {
        proxy: keys.proxy.as_ref(),
        redirect: keys.redirect.as_ref(),
        fixed: keys.r#return.as_ref(),
        files: keys.files.as_ref(),
    };
    if let Some(upstream) = action.proxy {
        distinct::upstream_exists(upstream, cluster, faults);
    }
    match ACTIONS.iter().filter(|key| keys.has(key)).count() {
        0 => {
            let message = format!("{}: the location has nothing to serve", keys.path);
            let help = "add `proxy: UPSTREAM`, `redirect: URL`, `return: CODE` or `files: FOLDER`";
            faults.add(Diagnostic::at(&keys.span, message).help(help));
        }
        1 => {}
        _ => faults.add(too_many(&action, &keys.path.to_string())),
    }
    if let (Some(headers), None) = (&keys.response_headers, &keys.r#return) {
        check_headers(headers, faults);
    }
    let timeouts = timeouts?;
    let or = |own: &Option<Spanned<Time<1>>>, site| own.as_ref().map_or(site, |own| own.0);
    let rate_limit = match &keys.rate_limit {
        Some(limit) => {
            let (rate, burst) = (limit.per_second.as_ref()?, limit.burst.as_ref()?);
            Some((rate.as_u32(), burst.as_u32()))
        }
        None => None,
    };
    Some(Location {
        path: keys.value.path.as_ref()?.0.clone(),
        exact: keys.exact.as_ref()?.value,
        action: action.resolve()?,
        request_headers: headers(keys.request_headers.as_ref()?),
        response_headers: headers(keys.response_headers.as_ref()?),
        connect_timeout: or(&keys.connect_timeout, timeouts.connect),
        send_timeout: or(&keys.send_timeout, timeouts.send),
        read_timeout: or(&keys.read_timeout, timeouts.read),
        websocket: keys.websocket.as_ref()?.value,
        rate_limit,
        access_log: keys.access_log.as_ref()?.value,
    })
}

fn too_many(action: &Action<'_>, path: &str) -> Diagnostic {
    let message = format!("{path}: more than one of `proxy`, `redirect`, `return` and `files`");
    let places = action.places();
    let first = places.first().map_or(0..0, |span| (*span).clone());
    let mut fault = Diagnostic::at(&first, message).help("keep one of them");
    for span in places.into_iter().skip(1) {
        fault = fault.also(span, "and this");
    }
    fault
}
