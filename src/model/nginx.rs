//! nginx's settings: upstreams, sites and their locations, streams and globals.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::names::{HeaderName, HostPath, InvalidValue, ServerName, UpstreamName};
use super::secret::SecretRef;

/// An upstream server's address: an IP address or a host name, and a port.
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
        // `999.1.1.1` consists of characters that a host name may have, but can only be a mistyped
        // address.
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

    /// The host, with an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host, if it is a name. nginx resolves names when it starts or reloads.
    pub fn name(&self) -> Option<&str> {
        let is_address =
            self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok();
        (!is_address).then_some(self.host.as_str())
    }

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

/// An upstream's load-balancing method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// The default of nginx.
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
    pub address: ServerAddress,
    /// `weight`, 1 by default.
    pub weight: u32,
    /// Failures within `fail_timeout` after which it is considered down. 0 disables this.
    pub max_fails: u32,
    /// The window for `max_fails`, and how long the server then stays down.
    pub fail_timeout: Duration,
    /// Limit on simultaneous connections, 0 for none.
    pub max_conns: u32,
    /// Used only while all other servers are down.
    pub backup: bool,
    /// Marked permanently unavailable.
    pub down: bool,
}

/// A named group of servers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Upstream {
    pub name: UpstreamName,
    /// The load-balancing method.
    pub balance: Balance,
    /// Idle connections that each worker keeps open, 0 for none.
    pub keepalive: u32,
    /// At least one server.
    pub servers: Vec<UpstreamServer>,
}

/// A socket that a site listens on. Without an address: every address, IPv4 and IPv6.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listen {
    /// One address, or all of both families.
    pub address: Option<IpAddr>,
    pub port: u16,
    /// Whether this socket speaks TLS.
    pub tls: bool,
    /// Whether this is the socket's default server, which answers requests for unknown names.
    pub default_server: bool,
}

/// A header and its value. `$variables` in the value are expanded by nginx, and the rest is
/// literal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Header {
    pub name: HeaderName,
    /// Its value: printable characters, which the template quotes.
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Redirect {
    /// 301, 302, 307 or 308.
    pub code: u16,
    /// The target URL with nginx's variables, such as `https://$host$request_uri`.
    pub target: String,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LocationAction {
    /// Proxies requests to an upstream.
    Proxy {
        /// The upstream's name.
        upstream: UpstreamName,
    },
    /// Answers with a redirect.
    Redirect(Redirect),
    /// Answers with fixed text.
    Return {
        /// The HTTP status code.
        code: u16,
        body: String,
    },
    /// Serves files from a folder on the host.
    Files {
        /// The document root.
        root: HostPath,
    },
}

/// A `location` of a site.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// The prefix, `/` for the whole site, or the exact path if `exact`.
    pub path: String,
    /// `location = path`.
    pub exact: bool,
    pub action: LocationAction,
    /// Headers set on requests to the upstream, in addition to the standard ones.
    pub request_headers: Vec<Header>,
    /// Headers added to the response.
    pub response_headers: Vec<Header>,
    /// `proxy_connect_timeout`.
    pub connect_timeout: Duration,
    /// `proxy_send_timeout`.
    pub send_timeout: Duration,
    /// `proxy_read_timeout`.
    pub read_timeout: Duration,
    /// Whether `Upgrade` and `Connection` are passed on.
    pub websocket: bool,
    /// The maximum rate of requests per second from one client address, and the burst allowed
    /// beyond it.
    pub rate_limit: Option<(u32, u32)>,
    /// Whether requests are logged. If not, `access_log off`.
    pub access_log: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Tls {
    /// Files that already exist on the hosts.
    OnHost {
        /// The certificate chain.
        certificate: HostPath,
        /// The private key.
        key: HostPath,
    },
    /// Pushed with the configuration.
    Pushed {
        /// The certificate chain.
        certificate: SecretRef,
        /// The private key.
        key: SecretRef,
    },
}

/// A `server` block.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Site {
    /// `server_name`s, or `_` alone for a catch-all.
    pub names: Vec<ServerName>,
    /// At least one socket.
    pub listen: Vec<Listen>,
    /// Certificate and key, present if a socket has `tls`.
    pub tls: Option<Tls>,
    /// HTTP/2 on the TLS sockets.
    pub http2: bool,
    /// Its locations, `/` among them.
    pub locations: Vec<Location>,
    /// `client_max_body_size` in bytes, if it differs from the global one. 0 for no limit.
    pub client_max_body_size: Option<u64>,
    /// Headers added to every response.
    pub response_headers: Vec<Header>,
    /// Verbatim lines for the `server` block, an escape hatch: only `nginx -t` checks them.
    pub raw: Option<String>,
}

/// A TCP or UDP proxy (`ngx_stream_proxy_module`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stream {
    pub port: u16,
    /// Whether it proxies UDP rather than TCP.
    pub udp: bool,
    pub upstream: UpstreamName,
    /// `proxy_connect_timeout`.
    pub connect_timeout: Duration,
    /// `proxy_timeout`.
    pub idle_timeout: Duration,
}

/// The destination of a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum LogTarget {
    /// No logging.
    Off,
    /// A file on the host.
    File {
        /// An absolute path on the host.
        path: HostPath,
    },
    /// A syslog server, `address:port`.
    Syslog {
        /// The server's address and port.
        server: ServerAddress,
    },
}

/// How often nginx is checked, and how many results in a row change its state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// Time between two checks (`interval` of a `vrrp_script`, whole seconds before keepalived
    /// 2.3.2).
    pub interval: Duration,
    /// The time after which a check counts as failed.
    pub timeout: Duration,
    /// Consecutive failures until nginx counts as down.
    pub fall: u32,
    /// Consecutive successes until nginx counts as up.
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
    pub access_log: LogTarget,
    /// The access log's format, with nginx's variables. The template quotes it.
    pub log_format: String,
    pub error_log: LogTarget,
    /// The loopback port that serves `/nginx_status`, `/health` and the active generation.
    pub status_port: u16,
    /// `listen … backlog=` of the sites' sockets.
    pub backlog: u32,
    /// Verbatim lines for the `http` block, an escape hatch: only `nginx -t` checks them.
    pub raw_http: Option<String>,
}

/// The URL path by which a plain HTTP site confirms that nginx serves the configuration `id`. It
/// reveals nothing to a client that does not know the id.
pub fn generation_path(id: &str) -> String {
    format!("/.well-known/hactl/{id}")
}
