//! What nginx needs to know: upstreams, sites and their locations, streams and global settings.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::names::{HeaderName, HostPath, InvalidValue, ServerName, UpstreamName};
use super::secret::SecretRef;

/// A server behind the proxy: an address or a host name, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerAddress {
    host: String,
    port: u16,
}

impl ServerAddress {
    /// Validates `text`, such as `192.168.1.10:8080`, `[2001:db8::1]:80` or `app.example.org:80`.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let rule = || {
            InvalidValue::new(
                "server address",
                "ADDRESS:PORT, such as '192.168.1.10:8080', '[2001:db8::1]:8080' or 'app.example.org:8080'",
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(rule)?;
        if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(rule());
        }
        let port: u16 = port.parse().map_err(|_| rule())?;
        let is_ipv6 = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
        let is_name = ServerName::new(host).is_ok() && !host.contains('*') && host != "_";
        // `999.1.1.1` has the letters of a name, but nobody means a name by it.
        let looks_like_ipv4 = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        let is_ipv4 = host.parse::<std::net::Ipv4Addr>().is_ok();
        if port == 0 || !(is_ipv6 || is_ipv4 || is_name && !looks_like_ipv4) {
            return Err(rule());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// The host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host, if it is a name, which nginx resolves when it starts or reloads.
    pub fn name(&self) -> Option<&str> {
        let is_address =
            self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok();
        (!is_address).then_some(self.host.as_str())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl serde::Serialize for ServerAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How an upstream chooses a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// nginx's default.
    RoundRobin,
    /// `least_conn`.
    LeastConn,
    /// `ip_hash`.
    IpHash,
    /// `random two least_conn`.
    Random,
}

/// One `server` of an upstream (`ngx_http_upstream_module`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UpstreamServer {
    /// Where it listens.
    pub address: ServerAddress,
    /// Its share, 1 by default.
    pub weight: u32,
    /// Failures within `fail_timeout` that mark it down; 0 turns that off.
    pub max_fails: u32,
    /// The window for `max_fails`, and how long it then stays down.
    pub fail_timeout: Duration,
    /// Connections at most at a time, 0 for no limit.
    pub max_conns: u32,
    /// Used only when the others are down.
    pub backup: bool,
    /// Taken out of service.
    pub down: bool,
}

/// A named group of servers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Upstream {
    /// Its name.
    pub name: UpstreamName,
    /// How a server is chosen.
    pub balance: Balance,
    /// Idle connections that each worker keeps open; 0 for none.
    pub keepalive: u32,
    /// The servers, at least one.
    pub servers: Vec<UpstreamServer>,
}

/// A socket that a site listens on. Without an address: every address, IPv4 and IPv6.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listen {
    /// One address, or all.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// TLS on this socket.
    pub tls: bool,
    /// The site that answers requests for unknown names.
    pub default_server: bool,
}

/// A header and its value; the value is literal text, but for nginx's `$variables` in it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Header {
    /// Its name.
    pub name: HeaderName,
    /// Its value: printable characters; the template quotes it.
    pub value: String,
}

/// Where a redirect leads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Redirect {
    /// 301, 302, 307 or 308.
    pub code: u16,
    /// The target, with nginx's variables, such as `https://$host$request_uri`.
    pub target: String,
}

/// What a location does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LocationAction {
    /// Hands requests to an upstream.
    Proxy {
        /// The upstream's name.
        upstream: UpstreamName,
    },
    /// Answers with a redirect.
    Redirect(Redirect),
    /// Answers with fixed text.
    Return {
        /// The status.
        code: u16,
        /// The text.
        body: String,
    },
    /// Serves files of a folder on the host.
    Files {
        /// The folder.
        root: HostPath,
    },
}

/// A `location` of a site.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// The prefix, `/` for the whole site; an exact match when `exact`.
    pub path: String,
    /// `location = path`.
    pub exact: bool,
    /// What it does.
    pub action: LocationAction,
    /// Headers set on the request to the upstream, beside the usual ones.
    pub request_headers: Vec<Header>,
    /// Headers added to the answer.
    pub response_headers: Vec<Header>,
    /// `proxy_connect_timeout`.
    pub connect_timeout: Duration,
    /// `proxy_send_timeout`.
    pub send_timeout: Duration,
    /// `proxy_read_timeout`.
    pub read_timeout: Duration,
    /// `Upgrade` and `Connection` are passed on.
    pub websocket: bool,
    /// Requests a second from one client address at most, and the burst beyond it.
    pub rate_limit: Option<(u32, u32)>,
    /// Its requests are logged; `access_log off` otherwise.
    pub access_log: bool,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Tls {
    /// Files that are on the hosts already.
    OnHost {
        /// The chain.
        certificate: HostPath,
        /// Its key.
        key: HostPath,
    },
    /// Pushed with the configuration.
    Pushed {
        /// The chain.
        certificate: SecretRef,
        /// Its key.
        key: SecretRef,
    },
}

/// A virtual server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Site {
    /// `server_name`s; `_` alone for any.
    pub names: Vec<ServerName>,
    /// The sockets, at least one.
    pub listen: Vec<Listen>,
    /// Certificate and key, present when a socket has `tls`.
    pub tls: Option<Tls>,
    /// HTTP/2 on the TLS sockets.
    pub http2: bool,
    /// What it does, `/` among them.
    pub locations: Vec<Location>,
    /// `client_max_body_size` in bytes, where it isn't the global one; 0 for no limit.
    pub client_max_body_size: Option<u64>,
    /// Headers added to every answer.
    pub response_headers: Vec<Header>,
    /// Lines for the `server` block, verbatim. An escape hatch: nobody checks it but `nginx -t`.
    pub raw: Option<String>,
}

/// A TCP or UDP proxy (`ngx_stream_proxy_module`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stream {
    /// The port.
    pub port: u16,
    /// UDP.
    pub udp: bool,
    /// The upstream's name.
    pub upstream: UpstreamName,
    /// `proxy_connect_timeout`.
    pub connect_timeout: Duration,
    /// `proxy_timeout`.
    pub idle_timeout: Duration,
}

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// A file on the host.
    File {
        /// Its path.
        path: HostPath,
    },
    /// A syslog server, `address:port`.
    Syslog {
        /// The server.
        server: ServerAddress,
    },
}

/// How often nginx is asked, and how often it must fail or pass before it counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// Time between two checks (`vrrp_script` `interval`, whole seconds before keepalived 2.3.2).
    pub interval: Duration,
    /// A check that takes longer has failed.
    pub timeout: Duration,
    /// Failures in a row before it counts.
    pub fall: u32,
    /// Passes in a row before it counts.
    pub rise: u32,
}

/// Global settings of nginx.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NginxSettings {
    /// `worker_processes`; `None` for `auto`.
    pub worker_processes: Option<u32>,
    /// `worker_connections`.
    pub worker_connections: u32,
    /// `keepalive_timeout`.
    pub keepalive_timeout: Duration,
    /// `client_max_body_size` in bytes; 0 for no limit.
    pub client_max_body_size: u64,
    /// `worker_shutdown_timeout`: how long old workers may drain after a reload.
    pub shutdown_timeout: Duration,
    /// The access log's target.
    pub access_log: LogTarget,
    /// The access log's format, nginx's variables included; the template quotes it.
    pub log_format: String,
    /// The error log's target.
    pub error_log: LogTarget,
    /// The port on loopback with `/nginx_status`, `/health` and the generation that is served.
    pub status_port: u16,
    /// `listen … backlog=` of the sites' sockets.
    pub backlog: u32,
    /// Lines for the `http` block, verbatim. An escape hatch: nobody checks it but `nginx -t`.
    pub raw_http: Option<String>,
}

/// Where a plain HTTP site tells that nginx serves the configuration `id`, to who knows that id already.
pub fn generation_path(id: &str) -> String {
    format!("/.well-known/hactl/{id}")
}
