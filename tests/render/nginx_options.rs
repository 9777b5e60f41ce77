//! The dimensions that affect nginx.conf.

use std::time::Duration;

use hactl::model::*;

use crate::cluster::{header, listen, location, proxy, server, site, upstream};
use crate::variants::{Dimension, HOSTILE, nothing, on_host, reference};

fn backend(cluster: &mut Cluster) -> &mut Upstream {
    &mut cluster.upstreams[0]
}

fn first(cluster: &mut Cluster) -> &mut Site {
    &mut cluster.sites[0]
}

fn specific(address: &str, port: u16, tls: bool) -> Listen {
    Listen {
        address: Some(address.parse().unwrap()),
        ..listen(port, tls)
    }
}

fn named(names: &[&str]) -> Vec<ServerName> {
    names
        .iter()
        .map(|name| ServerName::new(*name).unwrap())
        .collect()
}

fn pushed() -> Tls {
    Tls::Pushed {
        certificate: reference("CERT"),
        key: reference("KEY"),
    }
}

fn stream(port: u16, udp: bool, name: &str) -> Stream {
    Stream {
        port,
        udp,
        upstream: UpstreamName::new(name).unwrap(),
        connect_timeout: Duration::from_millis(1500),
        idle_timeout: Duration::from_mins(10),
    }
}

fn returns(code: u16, body: &str) -> LocationAction {
    LocationAction::Return {
        code,
        body: body.to_owned(),
    }
}

fn redirect(code: u16, target: &str) -> LocationAction {
    LocationAction::Redirect(Redirect {
        code,
        target: target.to_owned(),
    })
}

pub(crate) const NGINX: &[Dimension] = &[
    // First, because it replaces the sites and locations that later dimensions modify.
    Dimension {
        name: "sockets",
        values: &[
            ("all", nothing),
            ("one-v4", |c| {
                first(c).listen = vec![specific("10.0.0.11", 80, false)];
            }),
            ("one-v6", |c| {
                first(c).listen = vec![specific("fd00::11", 80, false)];
            }),
            ("wildcard-and-vip", |c| {
                first(c).listen = vec![listen(80, false), specific("10.0.0.100", 80, false)];
            }),
            ("unspecified-written-out", |c| {
                first(c).listen = vec![specific("0.0.0.0", 80, false), specific("::", 80, false)];
            }),
            ("two-ports", |c| first(c).listen.push(listen(8080, false))),
            ("shared-by-three-sites", |c| {
                for name in ["a.example.org", "b.example.org"] {
                    let mut more = site();
                    more.names = named(&[name]);
                    more.listen = vec![listen(80, false), specific("10.0.0.100", 80, false)];
                    c.sites.push(more);
                }
            }),
        ],
    },
    Dimension {
        name: "tls",
        values: &[
            ("none", nothing),
            ("on-host", |c| {
                first(c).listen.push(listen(443, true));
                first(c).tls = Some(on_host());
            }),
            ("pushed-and-named", |c| {
                first(c).listen = vec![listen(443, true)];
                first(c).names = named(&["www.example.org", "*.example.net", "example.*"]);
                first(c).tls = Some(pushed());
            }),
            ("two-sites-one-socket", |c| {
                for (name, http2, tls) in [
                    ("a.example.com", true, pushed()),
                    ("b.example.com", false, on_host()),
                ] {
                    let mut more = site();
                    more.names = named(&[name]);
                    more.listen = vec![listen(443, true), specific("10.0.0.100", 8443, true)];
                    more.http2 = http2;
                    more.tls = Some(tls);
                    c.sites.push(more);
                }
            }),
        ],
    },
    Dimension {
        name: "location",
        values: &[
            ("proxy", nothing),
            ("redirect", |c| {
                first(c).locations =
                    vec![location("/", redirect(301, "https://$host$request_uri"))];
            }),
            ("redirect-hostile", |c| {
                first(c).locations = vec![location("/", redirect(308, HOSTILE))];
            }),
            ("return", |c| {
                first(c)
                    .locations
                    .push(location("/down", returns(503, "back soon\n")));
            }),
            ("return-hostile", |c| {
                let mut fixed = location("/", returns(200, HOSTILE));
                fixed.response_headers = vec![header("content-type", "text/html; charset=utf-8")];
                first(c).locations = vec![fixed];
            }),
            ("files", |c| {
                let root = HostPath::new("/var/www/html").unwrap();
                first(c).locations = ["/static/", "/icons", "/"]
                    .map(|path| location(path, LocationAction::Files { root: root.clone() }))
                    .to_vec();
                let mut icon = location("/favicon.ico", LocationAction::Files { root });
                icon.exact = true;
                first(c).locations.push(icon);
            }),
            ("hostile-paths", |c| {
                for path in [
                    "/a b",
                    "/\"quoted\"",
                    "/{}",
                    "/$host;",
                    "/#",
                    "/\\n",
                    "/~x",
                    "/é",
                ] {
                    first(c).locations.push(proxy(path, "backend"));
                }
            }),
            ("own-health", |c| {
                let mut own = proxy("/health", "backend");
                own.exact = true;
                first(c).locations.insert(0, own);
            }),
        ],
    },
    Dimension {
        name: "websocket",
        values: &[
            ("no", nothing),
            ("yes", |c| first(c).locations[0].websocket = true),
        ],
    },
    Dimension {
        name: "rate-limit",
        values: &[
            ("none", nothing),
            ("10+20", |c| {
                first(c).locations[0].rate_limit = Some((10, 20));
            }),
            ("1+0", |c| first(c).locations[0].rate_limit = Some((1, 0))),
        ],
    },
    Dimension {
        name: "headers",
        values: &[
            ("none", nothing),
            ("site", |c| {
                first(c).response_headers = vec![header("Strict-Transport-Security", "max-age=1")];
            }),
            ("site-and-location", |c| {
                first(c).response_headers =
                    vec![header("X-Frame-Options", "DENY"), header("X-A", HOSTILE)];
                let at = &mut first(c).locations[0];
                at.response_headers
                    .push(header("x-frame-options", "SAMEORIGIN"));
                at.request_headers = vec![header("host", "$http_host"), header("X-B", HOSTILE)];
            }),
            ("long-name", |c| {
                let name = format!("X-{}", "a".repeat(120));
                first(c).locations[0].request_headers = vec![header(&name, "$remote_addr")];
            }),
        ],
    },
    Dimension {
        name: "names",
        values: &[
            ("as-is", nothing),
            ("long", |c| {
                let label = "a".repeat(63);
                let name = format!("{label}.{label}.{label}.example.org");
                let mut more = site();
                more.listen = vec![listen(8082, false)];
                more.names = named(&[&name]);
                c.sites.push(more);
            }),
            ("many", |c| {
                let mut more = site();
                more.listen = vec![listen(8082, false)];
                more.names = (0..2000)
                    .map(|n| ServerName::new(format!("host{n}.example.org")).unwrap())
                    .collect();
                c.sites.push(more);
            }),
        ],
    },
    Dimension {
        name: "balance",
        values: &[
            ("least-conn", nothing),
            ("round-robin", |c| backend(c).balance = Balance::RoundRobin),
            ("ip-hash", |c| backend(c).balance = Balance::IpHash),
            ("random", |c| backend(c).balance = Balance::Random),
        ],
    },
    Dimension {
        name: "servers",
        values: &[
            ("three", nothing),
            ("one", |c| backend(c).servers.truncate(1)),
            ("weights", |c| {
                let server = &mut backend(c).servers[1];
                server.weight = 5;
                server.max_fails = 0;
                server.max_conns = 100;
                server.fail_timeout = Duration::from_millis(1500);
            }),
            ("one-down", |c| backend(c).servers[1].down = true),
            ("all-down", |c| {
                backend(c).servers.iter_mut().for_each(|s| s.down = true);
            }),
            ("names-and-v6", |c| {
                backend(c).servers = vec![server("localhost:8080"), server("[fd00::50]:80")];
            }),
        ],
    },
    Dimension {
        name: "keepalive",
        values: &[("32", nothing), ("off", |c| backend(c).keepalive = 0)],
    },
    Dimension {
        name: "upstreams",
        values: &[
            ("one", nothing),
            ("unused", |c| c.upstreams.push(upstream("un-used_2.x"))),
            ("backup", |c| {
                let mut spare = upstream("spare");
                spare.servers[2].backup = true;
                c.upstreams.push(spare);
            }),
        ],
    },
    Dimension {
        name: "streams",
        values: &[
            ("none", nothing),
            ("tcp", |c| {
                c.upstreams.push(upstream("postgres"));
                c.streams = vec![stream(5432, false, "postgres")];
            }),
            ("udp-and-shared", |c| {
                c.streams = vec![stream(53, true, "backend"), stream(53, false, "backend")];
            }),
        ],
    },
    Dimension {
        name: "access-log",
        values: &[
            ("file", nothing),
            ("off", |c| {
                c.nginx.access_log = LogTarget::Off;
                c.sites[0].locations[0].access_log = false;
            }),
            ("syslog", |c| {
                let server = ServerAddress::new("127.0.0.1:514").unwrap();
                c.nginx.access_log = LogTarget::Syslog { server };
            }),
        ],
    },
    Dimension {
        name: "error-log",
        values: &[
            ("file", nothing),
            ("off", |c| c.nginx.error_log = LogTarget::Off),
            ("syslog", |c| {
                let server = ServerAddress::new("[::1]:514").unwrap();
                c.nginx.error_log = LogTarget::Syslog { server };
            }),
        ],
    },
    Dimension {
        name: "log-format",
        values: &[
            ("usual", nothing),
            ("hostile", |c| {
                c.nginx.log_format = format!("$remote_addr {HOSTILE}");
            }),
            ("json", |c| {
                let json = r#"{"a":"$remote_addr","r":"${request_time}s"}"#;
                json.clone_into(&mut c.nginx.log_format);
            }),
        ],
    },
    Dimension {
        name: "sizes",
        values: &[
            ("usual", nothing),
            ("large", |c| {
                c.nginx.worker_connections = 100_000;
                c.nginx.worker_processes = Some(8);
                c.nginx.client_max_body_size = 0;
                c.sites[0].client_max_body_size = Some(1 << 40);
                c.nginx.keepalive_timeout = Duration::ZERO;
            }),
            ("small", |c| {
                c.nginx.worker_connections = 16;
                c.nginx.worker_processes = Some(1);
                c.nginx.client_max_body_size = 1000;
                c.sites[0].client_max_body_size = Some(3 << 10);
                c.nginx.shutdown_timeout = Duration::from_millis(2500);
                c.nginx.backlog = 511;
            }),
        ],
    },
    Dimension {
        name: "raw",
        values: &[
            ("none", nothing),
            ("both", |c| {
                c.nginx.raw_http =
                    Some("    gzip on;\n    map $uri $x { default 1; }\n".to_owned());
                c.sites[0].raw = Some("        large_client_header_buffers 8 16k;\n".to_owned());
            }),
        ],
    },
    Dimension {
        name: "hosts",
        values: &[
            ("owned", nothing),
            // Streams are rejected with it: conf.d is inside the `http` block.
            ("shared", |c| {
                c.hosts.nginx = Hold::Shared;
                c.streams.clear();
            }),
        ],
    },
];
