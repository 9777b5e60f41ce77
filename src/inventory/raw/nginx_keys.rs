//! The keys of an inventory for nginx.

use super::collections::{List, Pairs};
use super::forms::{Socket, StreamPort, TlsFile, Workers};
use super::scalars::{Int, Size, Time};
use super::shape::shape;
use super::words::{Block, Body, Line, Target, UrlPath};
use crate::model::{
    Balance, HeaderName, HostPath, LogTarget, ServerAddress, ServerName, UpstreamName,
};

/// An HTTP status code.
type Status = Int<200, 599>;
/// Headers by name.
type Headers = Pairs<HeaderName, Line>;

shape! {
    /// A group of servers behind the proxy.
    UpstreamKeys as "upstream" {
        /// The servers.
        servers: List<ServerKeys> = Required, "[192.168.1.10:8080, 192.168.1.11:8080]";
        /// The load-balancing method.
        balance: Balance = Default("round_robin"), "least_conn";
        /// Idle connections that each worker keeps open; 0 for none.
        keepalive: Int<0, 65535> = Default("32"), "64";
    }
}

shape! {
    /// A server behind the proxy.
    ServerKeys as "server" short address {
        /// Its address or name, and its port.
        address: ServerAddress = Required, "192.168.1.10:8080";
        /// Its share of the requests.
        weight: Int<1, 65535> = Default("1"), "2";
        /// Failures within `fail_timeout` after which it counts as down; 0 for never.
        max_fails: Int<0, 65535> = Default("3"), "3";
        /// The period in which these failures are counted, and for which the server then counts as down.
        fail_timeout: Time<1000> = Default("10s"), "30s";
        /// Maximum number of connections at a time; 0 for no limit.
        max_conns: Int<0, 10_000_000> = Default("0"), "500";
        /// Used only when all others are down.
        backup: bool = Default("false"), "true";
        /// Taken out of service.
        down: bool = Default("false"), "true";
    }
}

shape! {
    /// An HTTP or HTTPS site. `proxy`, `redirect`, `return` and `files` here are short for a location `/` that does so.
    SiteKeys as "site" {
        /// Its host names; `_` for any.
        names: List<ServerName> = Default("[_]"), "[www.example.org, example.org]";
        /// The sockets that it listens on.
        listen: List<Socket> = Default("[80]"), "[80, 443 tls]";
        /// Its certificate, for the sockets with `tls`.
        tls: TlsKeys = Optional("none"), "{ certificate: /etc/ssl/web.crt, key: /etc/ssl/private/web.key }";
        /// HTTP/2 on the sockets with `tls`.
        http2: bool = Default("true"), "false";
        /// The upstream to proxy to.
        proxy: UpstreamName = Optional("one of `proxy`, `redirect`, `return`, `files`, or a location `/`"), "backend";
        /// Responds with a redirect.
        redirect: RedirectKeys = Optional("none"), "https";
        /// Responds with a fixed text.
        r#return: ReturnKeys = Optional("none"), "{ code: 404 }";
        /// Serves files from this directory on the hosts.
        files: HostPath = Optional("none"), "/var/www/html";
        /// Settings that differ below a path.
        locations: List<LocationKeys> = Default("[]"), "[{ path: /api/, proxy: api }]";
        /// Headers added to every response.
        response_headers: Headers = Default("{}"), "{ X-Frame-Options: DENY }";
        /// The largest request body; 0 for no limit.
        client_max_body_size: Size = Optional("nginx's"), "100m";
        /// How long connecting to a server may take.
        connect_timeout: Time<1> = Default("10s"), "10s";
        /// How long a server may accept no data.
        send_timeout: Time<1> = Default("30s"), "30s";
        /// How long a server may send no data.
        read_timeout: Time<1> = Default("30s"), "5m";
        /// Lines for the `server` block, verbatim. Only nginx itself checks them.
        raw: Block = Optional("nothing"), "'etag off;'";
    }
}

shape! {
    /// How requests below a path are handled: exactly one of `proxy`, `redirect`, `return` and `files`.
    LocationKeys as "location" {
        /// The prefix of the URL's path.
        path: UrlPath = Required, "/api/";
        /// Matches only this exact path.
        exact: bool = Default("false"), "true";
        /// The upstream to proxy to.
        proxy: UpstreamName = Optional("one of the four"), "backend";
        /// Responds with a redirect.
        redirect: RedirectKeys = Optional("one of the four"), "/new/";
        /// Responds with a fixed text.
        r#return: ReturnKeys = Optional("one of the four"), "{ code: 200, body: ok }";
        /// Serves files from this directory on the hosts.
        files: HostPath = Optional("one of the four"), "/var/www/html";
        /// Headers set on the request to the server, in addition to the usual ones.
        request_headers: Headers = Default("{}"), "{ X-Tenant: blue }";
        /// Headers added to the response.
        response_headers: Headers = Default("{}"), "{ Cache-Control: no-store }";
        /// How long connecting to a server may take.
        connect_timeout: Time<1> = Optional("the site's"), "10s";
        /// How long a server may accept no data.
        send_timeout: Time<1> = Optional("the site's"), "30s";
        /// How long a server may send no data.
        read_timeout: Time<1> = Optional("the site's"), "5m";
        /// WebSocket connections are proxied.
        websocket: bool = Default("false"), "true";
        /// How many requests one client address may make.
        rate_limit: RateLimitKeys = Optional("no limit"), "{ per_second: 10, burst: 20 }";
        /// Requests are logged.
        access_log: bool = Default("true"), "false";
    }
}

shape! {
    /// A redirect.
    RedirectKeys as "redirect" short to {
        /// The target, which may contain nginx's variables. `https` is short for `https://$host$request_uri`.
        to: Target = Required, "https://www.example.org$request_uri";
        /// Its status: 301 and 308 are permanent, 307 and 308 keep the method.
        code: RedirectCode = Default("301"), "308";
    }
}

/// The status of a redirect.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) struct RedirectCode(pub(in crate::inventory) u16);

super::words::choice!(
    RedirectCode, "redirect's status",
    "301" => Self(301), "302" => Self(302), "307" => Self(307), "308" => Self(308),
);

shape! {
    /// A fixed response.
    ReturnKeys as "return" short code {
        /// The status.
        code: Status = Required, "200";
        /// The text.
        body: Body = Default("''"), "ok";
    }
}

shape! {
    /// How many requests one client address may make.
    RateLimitKeys as "rate_limit" short per_second {
        /// Requests a second.
        per_second: Int<1, 1_000_000> = Required, "10";
        /// How many requests beyond that rate may arrive at once.
        burst: Int<0, 1_000_000> = Default("0"), "20";
    }
}

shape! {
    /// A certificate and its key: both files that are on the hosts, or both pushed as secrets.
    TlsKeys as "tls" {
        /// The certificate, with its chain.
        certificate: TlsFile = Required, "/etc/ssl/web.crt";
        /// Its private key.
        key: TlsFile = Required, "{ file: secrets/web.key }";
    }
}

shape! {
    /// A TCP or UDP proxy.
    StreamKeys as "stream" {
        /// The port, followed by `udp` for UDP.
        listen: StreamPort = Required, "53 udp";
        /// The upstream.
        proxy: UpstreamName = Required, "database";
        /// How long connecting to a server may take.
        connect_timeout: Time<1> = Default("10s"), "3s";
        /// How long a connection may be idle.
        idle_timeout: Time<1> = Default("10m"), "1h";
    }
}

shape! {
    /// nginx's global settings.
    NginxKeys as "nginx" {
        /// Number of worker processes; `auto` for one per core.
        worker_processes: Workers = Default("auto"), "4";
        /// Maximum connections of each worker. A proxied request uses two; hactl sets the limits on open files to match.
        worker_connections: Int<16, 1_000_000> = Default("10000"), "20000";
        /// How long an idle client connection stays open.
        keepalive_timeout: Time<0> = Default("65s"), "65s";
        /// The largest request body; 0 for no limit.
        client_max_body_size: Size = Default("1m"), "100m";
        /// How long old workers may finish their requests after a reload.
        shutdown_timeout: Time<1000> = Default("60s"), "5m";
        /// Where requests are logged.
        access_log: LogTarget = Default("/var/log/nginx/access.log"), "syslog:10.0.0.5:514";
        /// The format of the access log, with nginx's variables.
        log_format: Line = Default(LOG_FORMAT), "'$remote_addr $status $request_time'";
        /// Where errors are logged.
        error_log: LogTarget = Default("/var/log/nginx/error.log"), "/var/log/nginx/error.log";
        /// A loopback port for nginx's own status, a health page and the id of the configuration that it serves.
        status_port: Int<1, 65535> = Optional("8081, or the next port that nothing here listens on"), "8081";
        /// How many connections may wait to be accepted on each socket.
        backlog: Int<1, 65535> = Default("65535"), "4096";
        /// Lines for the `http` block, verbatim. Only nginx itself checks them.
        raw_http: Block = Optional("nothing"), "'map_hash_bucket_size 128;'";
    }
}

/// Enough to follow a request to its server and see where the time went.
const LOG_FORMAT: &str = concat!(
    r#"'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
    r#""$http_referer" "$http_user_agent" "$http_x_forwarded_for" rt=$request_time "#,
    r#"uct=$upstream_connect_time uht=$upstream_header_time urt=$upstream_response_time'"#
);
