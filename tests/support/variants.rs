//! What an inventory can express, as dimensions with values.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use hactl::model::*;
use secrecy::SecretString;

use crate::cluster::{header, instance, listen, location, node, proxy, server, site, upstream};
use crate::daemons::Stage;

/// A label and the change that it stands for.
type Value = (&'static str, fn(&mut Cluster));

/// One thing that can be chosen.
pub(crate) struct Dimension {
    /// What is chosen.
    pub(crate) name: &'static str,
    /// From what.
    pub(crate) values: &'static [Value],
}

/// Where the tests' secrets come from.
pub(crate) fn reference(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

/// A self-signed certificate and its key, made once.
fn pair() -> &'static (String, String) {
    static PAIR: OnceLock<(String, String)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=www.example.org"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        (read("cert.pem"), read("key.pem"))
    })
}

/// All secrets that a variant refers to.
pub(crate) fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    let (certificate, key) = pair();
    for (name, value) in [
        ("CERT", certificate.as_str()),
        ("KEY", key),
        ("PASSWORD", "s3cret/+"),
        ("LONG_PASSWORD", "nginx_ha_2025\n"),
    ] {
        secrets.insert(reference(name), SecretString::from(value.to_owned()));
    }
    secrets
}

/// Files that an inventory may expect on the host.
pub(crate) fn host_files(stage: &Stage) {
    let (certificate, key) = pair();
    std::fs::write(stage.path("/etc/nginx/own.crt"), certificate).unwrap();
    std::fs::write(stage.path("/etc/nginx/own.key"), key).unwrap();
}

fn nothing(_: &mut Cluster) {}

fn advert(cluster: &mut Cluster, version: VrrpVersion, millis: u64) {
    cluster.vrrp.version = version;
    cluster.vrrp.advert_interval = AdvertInterval::new(Duration::from_millis(millis)).unwrap();
}

fn weight(cluster: &mut Cluster, weight: i64) {
    let weight = Weight::new(weight).unwrap();
    cluster.vrrp.on_nginx_failure = OnNginxFailure::Weight { weight };
}

fn password(cluster: &mut Cluster, name: &str) {
    let password = reference(name);
    cluster.vrrp.authentication = Some(Authentication { password });
}

fn addresses(cluster: &mut Cluster, addresses: &[&str]) {
    cluster.instances = vec![instance("VI_1", 51, addresses, &cluster.nodes)];
}

fn routes(cluster: &mut Cluster, routes: &[(&str, &str, Option<&str>)]) {
    for instance in &mut cluster.instances {
        instance.routes = routes
            .iter()
            .map(|(destination, via, interface)| VirtualRoute {
                destination: destination.parse().unwrap(),
                via: via.parse().unwrap(),
                interface: interface.map(|name| InterfaceName::new(name).unwrap()),
            })
            .collect();
    }
}

/// What keepalived.conf, the scripts and the drop-ins depend on.
pub(crate) const KEEPALIVED: &[Dimension] = &[
    // First, since it makes the instances that later ones change.
    Dimension {
        name: "addresses",
        values: &[
            ("v4", nothing),
            ("two-v4", |c| {
                addresses(c, &["10.0.0.100/24", "10.0.0.101/32"])
            }),
            ("v4-and-v6", |c| {
                addresses(c, &["fd00::100/64", "10.0.0.100/24"])
            }),
            ("v6-over-v4-nodes", |c| addresses(c, &["fd00::100/64"])),
            ("v6-link-local-first", |c| {
                addresses(c, &["fe80::100/64", "fd00::100/128"]);
            }),
            ("v6-nodes", |c| {
                c.nodes = vec![
                    node(1, "fd00::11"),
                    node(2, "fd00::12"),
                    node(3, "fd00::13"),
                ];
                addresses(c, &["fd00::100/64", "10.0.0.100/24"]);
            }),
            ("active-active", |c| {
                let mut turned = c.nodes.clone();
                turned.rotate_left(1);
                c.instances
                    .push(instance("VI-2.b", 52, &["10.0.0.101/24"], &turned));
                c.instances.push(instance(
                    "VI_6",
                    53,
                    &["fe80::2/64", "fd00::101/64"],
                    &turned,
                ));
            }),
            ("one-node", |c| {
                c.nodes.truncate(1);
                addresses(c, &["10.0.0.100/24"]);
            }),
        ],
    },
    Dimension {
        name: "version",
        values: &[
            ("v3-50ms", |c| advert(c, VrrpVersion::V3, 50)),
            ("v3-10ms", |c| advert(c, VrrpVersion::V3, 10)),
            ("v3-40.95s", |c| advert(c, VrrpVersion::V3, 40_950)),
            ("v2-1s", |c| advert(c, VrrpVersion::V2, 1000)),
            ("v2-3s", |c| advert(c, VrrpVersion::V2, 3000)),
        ],
    },
    Dimension {
        name: "peering",
        values: &[
            ("unicast", nothing),
            ("multicast", |c| c.vrrp.peering = Peering::Multicast),
        ],
    },
    Dimension {
        name: "preemption",
        values: &[
            ("at-once", nothing),
            ("delayed", |c| {
                c.vrrp.preemption = Preemption::Preempt {
                    delay: Duration::from_millis(2500),
                };
            }),
            ("keep", |c| c.vrrp.preemption = Preemption::Keep),
        ],
    },
    Dimension {
        name: "on-failure",
        values: &[
            ("fault", nothing),
            ("-20", |c| weight(c, -20)),
            ("-253", |c| weight(c, -253)),
            ("+30", |c| weight(c, 30)),
        ],
    },
    Dimension {
        name: "password",
        values: &[
            ("none", nothing),
            ("short", |c| password(c, "PASSWORD")),
            ("long", |c| password(c, "LONG_PASSWORD")),
        ],
    },
    Dimension {
        name: "garp",
        values: &[
            ("60s", nothing),
            ("never", |c| c.vrrp.garp_refresh = None),
            ("half-a-second", |c| {
                c.vrrp.garp_refresh = Some(Duration::from_millis(500));
            }),
        ],
    },
    Dimension {
        name: "strict",
        values: &[("no", nothing), ("yes", |c| c.vrrp.strict = true)],
    },
    Dimension {
        name: "chain",
        values: &[
            ("none", nothing),
            ("NGINX_HA", |c| {
                c.vrrp.iptables_chain = Some(InstanceName::new("NGINX_HA").unwrap());
            }),
        ],
    },
    Dimension {
        name: "notify",
        values: &[
            ("all", nothing),
            ("none", |c| {
                c.notify = Notify {
                    master: false,
                    backup: false,
                    fault: false,
                };
            }),
            ("fault-and-hook", |c| {
                c.notify.master = false;
                c.notify.backup = false;
                c.notify_hook = Some(HostPath::new("/usr/local/bin/page-me").unwrap());
            }),
        ],
    },
    Dimension {
        name: "interface",
        values: &[
            ("own", nothing),
            ("eth1", |c| {
                for instance in &mut c.instances {
                    instance.interface = Some(InterfaceName::new("eth1").unwrap());
                }
            }),
            ("own-named", |c| {
                for instance in &mut c.instances {
                    instance.interface = Some(InterfaceName::new("eth0").unwrap());
                }
            }),
        ],
    },
    Dimension {
        name: "routes",
        values: &[
            ("none", nothing),
            ("default", |c| routes(c, &[("0.0.0.0/0", "10.0.0.1", None)])),
            ("several", |c| {
                routes(
                    c,
                    &[
                        ("10.9.0.0/16", "10.0.0.1", Some("eth1")),
                        ("fd09::/64", "fd00::1", None),
                    ],
                );
            }),
        ],
    },
    Dimension {
        name: "health",
        values: &[
            ("1s", nothing),
            ("500ms", |c| {
                c.health.interval = Duration::from_millis(500);
                c.health.timeout = Duration::from_millis(250);
                c.health.fall = 1;
                c.health.rise = 1;
            }),
            ("3s", |c| {
                c.health.interval = Duration::from_secs(3);
                c.health.timeout = Duration::from_millis(2500);
                c.health.fall = 3;
            }),
        ],
    },
    Dimension {
        name: "raw",
        values: &[
            ("none", nothing),
            ("all", |c| {
                c.raw = RawSnippets {
                    keepalived_global: Some("    vrrp_no_swap\n".to_owned()),
                    keepalived_instance: Some("    garp_master_delay 2\n\n".to_owned()),
                    keepalived: Some(
                        "static_routes {\n    10.8.0.0/16 via 10.0.0.1 dev eth0 no_track\n}\n"
                            .to_owned(),
                    ),
                };
            }),
        ],
    },
];

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

fn pushed() -> Option<Tls> {
    Some(Tls::Pushed {
        certificate: reference("CERT"),
        key: reference("KEY"),
    })
}

fn on_host() -> Option<Tls> {
    Some(Tls::OnHost {
        certificate: HostPath::new("/etc/nginx/own.crt").unwrap(),
        key: HostPath::new("/etc/nginx/own.key").unwrap(),
    })
}

fn stream(port: u16, udp: bool, name: &str) -> Stream {
    Stream {
        port,
        udp,
        upstream: UpstreamName::new(name).unwrap(),
        connect_timeout: Duration::from_millis(1500),
        idle_timeout: Duration::from_secs(600),
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

/// Text that means something to nginx, to shells, to Tera and to people.
pub(crate) const HOSTILE: &str =
    r#"a"b'c; } { # \ \n \" $ $5 ${ $( `id` ${nope ~ !é中 {{ x }} {% if %} \"#;

/// What nginx.conf depends on.
pub(crate) const NGINX: &[Dimension] = &[
    // First, since they make the sites and locations that later ones change.
    Dimension {
        name: "sockets",
        values: &[
            ("all", nothing),
            ("one-v4", |c| {
                first(c).listen = vec![specific("10.0.0.11", 80, false)]
            }),
            ("one-v6", |c| {
                first(c).listen = vec![specific("fd00::11", 80, false)]
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
                first(c).tls = on_host();
            }),
            ("pushed-and-named", |c| {
                first(c).listen = vec![listen(443, true)];
                first(c).names = named(&["www.example.org", "*.example.net", "example.*"]);
                first(c).tls = pushed();
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
                    more.tls = tls;
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
                first(c).locations = vec![location("/static/", LocationAction::Files { root })];
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
                first(c).locations[0].rate_limit = Some((10, 20))
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
                backend(c).servers.iter_mut().for_each(|s| s.down = true)
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
                c.nginx.log_format = format!("$remote_addr {HOSTILE}")
            }),
            ("json", |c| {
                c.nginx.log_format = r#"{"a":"$remote_addr","r":"${request_time}s"}"#.to_owned();
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
];
