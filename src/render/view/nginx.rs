//! The view for nginx.conf.

use serde::Serialize;

use crate::model::{Cluster, LogTarget, NodeFacts, Site, Stream, Version};
use crate::model::{UnitId, nginx_variables};
use crate::render::error::RenderError;

use super::common::{file_limit, nginx_size, nginx_time, snippet};
use super::listen::{Listens, names};
use super::location::{self, HeaderView, LocationView, response_headers};
use super::tls::TlsFiles;
use super::upstream::{self, Part, UpstreamView};

/// First version with `worker_shutdown_timeout`.
const SHUTDOWN_TIMEOUT_FIRST: Version = Version::new(1, 11, 11);
/// First version in which `stub_status` takes no parameter.
const STUB_STATUS_BARE_FIRST: Version = Version::new(1, 7, 5);
/// First version that knows TLS 1.3.
const TLS13_FIRST: Version = Version::new(1, 13, 0);

/// Variables of the template for nginx.conf.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one directive of nginx.conf, present or not"
)]
#[derive(Debug, Serialize)]
pub(in crate::render) struct NginxView {
    header: String,
    config_id: String,
    generation_path: String,
    /// An nginx.conf that is not hactl's includes this file in its `http` block.
    shared: bool,
    user: String,
    worker_processes: String,
    rlimit_nofile: u64,
    shutdown_timeout: Option<String>,
    pid: String,
    error_log: String,
    modules: Option<&'static str>,
    worker_connections: u32,
    keepalive_timeout: String,
    client_max_body_size: String,
    names_hash_bucket: usize,
    names_hash_max: usize,
    headers_hash_bucket: Option<usize>,
    log_format: String,
    access_log: String,
    dollar: bool,
    websocket: bool,
    limits: Vec<LimitView>,
    tls: bool,
    tls_protocols: &'static str,
    upstreams: Vec<UpstreamView>,
    status_port: u16,
    stub_status_on: bool,
    reject: Vec<String>,
    sites: Vec<SiteView>,
    raw_http: Option<String>,
    stream_upstreams: Vec<UpstreamView>,
    streams: Vec<StreamView>,
}

/// One `limit_req_zone`.
#[derive(Debug, Serialize)]
struct LimitView {
    zone: String,
    rate: u32,
}

/// The `server` block of a site.
#[derive(Debug, Serialize)]
struct SiteView {
    listen: Vec<String>,
    names: String,
    http2: bool,
    tls: Option<CertificateView>,
    client_max_body_size: Option<String>,
    headers: Vec<HeaderView>,
    plain_http: bool,
    health: bool,
    locations: Vec<LocationView>,
    raw: Option<String>,
}

/// The paths of a site's certificate and key.
#[derive(Debug, Serialize)]
struct CertificateView {
    certificate: String,
    key: String,
}

/// The `server` block of a stream.
#[derive(Debug, Serialize)]
struct StreamView {
    listen: Vec<String>,
    upstream: String,
    connect_timeout: String,
    idle_timeout: String,
}

pub(in crate::render) fn view(
    cluster: &Cluster,
    facts: &NodeFacts,
    tls: &TlsFiles,
    header: String,
    id: &str,
) -> Result<NginxView, RenderError> {
    let settings = &cluster.nginx;
    if cluster.hosts.shares(UnitId::NGINX) && !cluster.streams.is_empty() {
        return Err(RenderError::unsupported(
            "streams",
            "a shared nginx.conf has no place for them",
            "remove them, or let hactl own nginx.conf",
        ));
    }
    // nginx accepts the options of a socket once. In a shared configuration, they are up to others.
    let backlog = (!cluster.hosts.shares(UnitId::NGINX)).then_some(settings.backlog);
    let mut listens = Listens::of(&cluster.sites, backlog, facts.nginx);
    let reject = listens.reject();
    let mut limits = Vec::new();
    let mut sites = Vec::new();
    for (index, site) in cluster.sites.iter().enumerate() {
        sites.push(site_view(site, index + 1, tls, &mut listens, &mut limits)?);
    }
    let (http, stream) = upstreams(cluster, facts.nginx)?;
    let locations = || cluster.sites.iter().flat_map(|site| &site.locations);
    let mut view = NginxView {
        header,
        config_id: id.to_owned(),
        generation_path: crate::model::generation_path(id),
        shared: cluster.hosts.shares(UnitId::NGINX),
        user: facts.nginx_user.to_string(),
        worker_processes: settings
            .worker_processes
            .map_or_else(|| "auto".to_owned(), |n| n.to_string()),
        rlimit_nofile: file_limit(cluster),
        shutdown_timeout: (facts.nginx >= SHUTDOWN_TIMEOUT_FIRST)
            .then(|| nginx_time(settings.shutdown_timeout)),
        pid: facts.nginx_pid_file.to_string(),
        error_log: error_log(&settings.error_log),
        // Distributions load dynamic modules from here, including the stream module.
        modules: Some(facts.family.distribution().nginx_modules),
        worker_connections: settings.worker_connections,
        keepalive_timeout: nginx_time(settings.keepalive_timeout),
        client_max_body_size: nginx_size(settings.client_max_body_size),
        names_hash_bucket: names_hash_bucket(cluster),
        names_hash_max: names_hash_max(cluster),
        headers_hash_bucket: headers_hash_bucket(cluster),
        log_format: nginx_variables(&settings.log_format)
            .map_err(RenderError::at("nginx log format"))?,
        access_log: access_log(&settings.access_log),
        dollar: false,
        websocket: locations().any(|location| location.websocket),
        limits,
        tls: sites.iter().any(|site| site.tls.is_some()),
        tls_protocols: if facts.nginx >= TLS13_FIRST {
            "TLSv1.2 TLSv1.3"
        } else {
            "TLSv1.2"
        },
        upstreams: http,
        status_port: settings.status_port,
        stub_status_on: facts.nginx < STUB_STATUS_BARE_FIRST,
        reject,
        sites,
        raw_http: snippet(settings.raw_http.as_ref()),
        stream_upstreams: stream,
        streams: cluster.streams.iter().map(stream_view).collect(),
    };
    view.dollar = view.needs_dollar();
    Ok(view)
}

impl NginxView {
    /// True when any value contains an escaped dollar sign.
    fn needs_dollar(&self) -> bool {
        let text = serde_json::to_string(self).unwrap_or_default();
        text.contains("${hactl_dollar}")
    }
}

fn site_view(
    site: &Site,
    number: usize,
    tls: &TlsFiles,
    listens: &mut Listens,
    limits: &mut Vec<LimitView>,
) -> Result<SiteView, RenderError> {
    let place = format!("site {number} ({})", names(&site.names));
    let certificate = tls
        .paths(site)
        .map(|(certificate, key)| CertificateView { certificate, key });
    if certificate.is_none() && site.listen.iter().any(|listen| listen.tls) {
        return Err(RenderError::unsupported(
            place,
            "it listens with TLS and has no certificate",
            "give it `tls`",
        ));
    }
    let mut locations = Vec::new();
    for (index, location) in site.locations.iter().enumerate() {
        let zone = format!("hactl_s{number}_l{}", index + 1);
        locations.push(location::view(site, location, &place, &zone)?);
        if let Some((rate, _)) = location.rate_limit {
            if rate == 0 {
                return Err(RenderError::unsupported(
                    format!("{place}, location {}", location.path.escape_debug()),
                    "a rate limit of 0 requests a second lets nothing through",
                    "give it 1 or more",
                ));
            }
            limits.push(LimitView { zone, rate });
        }
    }
    Ok(SiteView {
        listen: listens.site(site),
        names: names(&site.names),
        http2: listens.http2_directive(site),
        tls: certificate,
        client_max_body_size: site.client_max_body_size.map(nginx_size),
        headers: response_headers(site.response_headers.iter(), &place)?,
        plain_http: site.listen.iter().any(|listen| !listen.tls),
        health: !site
            .locations
            .iter()
            .any(|l| l.exact && l.path == "/health"),
        locations,
        raw: snippet(site.raw.as_ref()),
    })
}

/// The upstreams of `http` and of `stream`. Unused ones go to `http`, so that nginx reports errors in them before they
/// are needed.
fn upstreams(
    cluster: &Cluster,
    nginx: Version,
) -> Result<(Vec<UpstreamView>, Vec<UpstreamView>), RenderError> {
    let (mut http, mut stream) = (Vec::new(), Vec::new());
    for upstream in &cluster.upstreams {
        let by_stream = cluster.streams.iter().any(|s| s.upstream == upstream.name);
        let by_http = cluster.sites.iter().flat_map(|s| &s.locations).any(|l| {
            matches!(&l.action, crate::model::LocationAction::Proxy { upstream: name }
                if *name == upstream.name)
        });
        if by_stream {
            stream.push(upstream::view(upstream, Part::Stream, nginx)?);
        }
        if by_http || !by_stream {
            http.push(upstream::view(upstream, Part::Http, nginx)?);
        }
    }
    Ok((http, stream))
}

fn stream_view(stream: &Stream) -> StreamView {
    // With one socket per worker, all datagrams of a client go to the same worker.
    let udp = if stream.udp { " udp reuseport" } else { "" };
    StreamView {
        listen: vec![
            format!("{}{udp}", stream.port),
            format!("[::]:{}{udp}", stream.port),
        ],
        upstream: stream.upstream.to_string(),
        connect_timeout: nginx_time(stream.connect_timeout),
        idle_timeout: nginx_time(stream.idle_timeout),
    }
}

/// Parameters of `access_log`.
fn access_log(target: &LogTarget) -> String {
    match target {
        LogTarget::Off => "off".to_owned(),
        LogTarget::File { path } => format!("{path} hactl"),
        LogTarget::Syslog { server } => format!("syslog:server={server},tag=nginx hactl"),
    }
}

/// Parameters of `error_log`, which nginx cannot turn off.
fn error_log(target: &LogTarget) -> String {
    match target {
        LogTarget::Off => "/dev/null crit".to_owned(),
        LogTarget::File { path } => format!("{path} warn"),
        LogTarget::Syslog { server } => format!("syslog:server={server},tag=nginx warn"),
    }
}

/// A bucket has to hold the longest server name plus nginx's own fields. nginx's default is 64.
fn names_hash_bucket(cluster: &Cluster) -> usize {
    let longest = cluster
        .sites
        .iter()
        .flat_map(|site| &site.names)
        .map(|name| name.as_str().len())
        .max()
        .unwrap_or(0);
    (longest + 32).next_power_of_two().max(64)
}

/// Room for all server names. nginx's default is 512.
fn names_hash_max(cluster: &Cluster) -> usize {
    let count: usize = cluster.sites.iter().map(|site| site.names.len()).sum();
    (count * 4).next_power_of_two().max(512)
}

/// The bucket size for the longest header name, if nginx's default of 64 is too small.
fn headers_hash_bucket(cluster: &Cluster) -> Option<usize> {
    let longest = cluster
        .sites
        .iter()
        .flat_map(|site| &site.locations)
        .flat_map(|location| &location.request_headers)
        .map(|header| header.name.as_str().len())
        .max()?;
    let bucket = (longest + 32).next_power_of_two();
    (bucket > 64).then_some(bucket)
}
