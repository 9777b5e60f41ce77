//! Guarantees of rendering beyond the contents of the files.

use hactl::model::{FileRole, UnitId};
use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::{self, cluster, header, listen, location, node, proxy};
use hactl::model::*;
use hactl::render::*;
use secrecy::SecretString;

/// Renders the first node's files with the embedded templates.
fn rendered(cluster: &Cluster) -> Result<RenderedNode, RenderError> {
    rendered_on(cluster, &NodeFacts::debian_12())
}

/// The same with other `facts`.
fn rendered_on(cluster: &Cluster, facts: &NodeFacts) -> Result<RenderedNode, RenderError> {
    let mut secrets = Secrets::default();
    for (name, value) in [
        ("PASSWORD", "poison-secret-7f3a"),
        (
            "CERT",
            "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----",
        ),
        (
            "KEY",
            "-----BEGIN PRIVATE KEY-----\npoison-secret-7f3a\n-----END PRIVATE KEY-----\n",
        ),
        ("NONSENSE", "hello"),
        ("SPACES", "a b"),
    ] {
        let reference = SecretRef::Env(name.to_owned());
        secrets.insert(reference, SecretString::from(value.to_owned()));
    }
    let templates = Templates::embedded().unwrap();
    render(cluster, &cluster.nodes[0], facts, &secrets, &templates)
}

fn text(node: &RenderedNode, path: &str) -> String {
    let file = node.files.iter().find(|f| f.path.as_str() == path).unwrap();
    String::from_utf8(file.content.clone()).unwrap()
}

/// The error message of rendering after `change`.
fn error(change: impl FnOnce(&mut Cluster)) -> String {
    let mut cluster = cluster();
    change(&mut cluster);
    rendered(&cluster).unwrap_err().to_string()
}

const KEEPALIVED: &str = "/etc/keepalived/keepalived.conf";
const NGINX: &str = "/etc/nginx/nginx.conf";

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (rendered(&cluster()).unwrap(), rendered(&cluster()).unwrap());
    assert_eq!(one.ids, two.ids);
    assert!(one.files == two.files);
}

/// Label, change, and whether it changes nginx's and keepalived's generation.
type Change = (&'static str, fn(&mut Cluster), bool, bool);

#[test]
fn a_change_changes_the_identity_of_the_daemon_it_concerns_and_no_other() {
    let base = rendered(&cluster()).unwrap().ids;
    let changes: [Change; 6] = [
        ("nothing", |_| {}, false, false),
        (
            "a weight",
            |c| c.upstreams[0].servers[0].weight = 2,
            true,
            false,
        ),
        ("garp_refresh", |c| c.vrrp.garp_refresh = None, false, true),
        (
            "the check's timeout",
            |c| c.health.timeout = Duration::from_millis(700),
            false,
            false,
        ),
        ("sysctls", |c| c.sysctls.clear(), false, false),
        (
            "worker_connections",
            |c| c.nginx.worker_connections = 5000,
            true,
            false,
        ),
    ];
    for (what, change, nginx, keepalived) in changes {
        let mut cluster = cluster();
        change(&mut cluster);
        let node = rendered(&cluster).unwrap();
        let ids = &node.ids;
        assert!(text(&node, KEEPALIVED).contains(&format!(
            "smtp_helo_name hactl-{}\n",
            ids.of(UnitId::KEEPALIVED).unwrap()
        )));
        assert!(text(&node, NGINX).contains(&format!(
            "return 200 \"{}\\n\";",
            ids.of(UnitId::NGINX).unwrap()
        )));
        assert_eq!(
            ids.of(UnitId::NGINX).unwrap() != base.of(UnitId::NGINX).unwrap(),
            nginx,
            "nginx's, after a change of {what}"
        );
        assert_eq!(
            ids.of(UnitId::KEEPALIVED).unwrap() != base.of(UnitId::KEEPALIVED).unwrap(),
            keepalived,
            "keepalived's, after {what}"
        );
    }
}

#[test]
fn every_file_says_who_manages_it_and_the_paths_are_distinct() {
    let node = rendered(&cluster()).unwrap();
    let mut paths = BTreeSet::new();
    for file in &node.files {
        let text = String::from_utf8(file.content.clone()).unwrap();
        assert!(
            text.contains("# Managed by hactl: cluster web"),
            "{}",
            file.path
        );
        assert!(
            text.ends_with('\n') && !text.contains(" \n") && !text.contains("{%"),
            "{}",
            file.path
        );
        assert!(paths.insert(file.path.clone()));
    }
    assert_eq!(paths.len(), templates().count());
}

#[test]
fn a_password_makes_the_file_private_and_only_eight_characters_are_written() {
    let mut cluster = cluster();
    cluster.vrrp.version = VrrpVersion::V2;
    cluster.vrrp.advert_interval = AdvertInterval::new(Duration::from_secs(1)).unwrap();
    let password = SecretRef::Env("PASSWORD".to_owned());
    cluster.vrrp.authentication = Some(Authentication { password });
    let node = rendered(&cluster).unwrap();
    let file = &node.files[0];
    assert_eq!((file.mode, file.is_secret()), (0o600, true));
    assert!(text(&node, KEEPALIVED).contains("auth_pass poison-s\n"));
    assert!(!format!("{node:?}").contains("poison"));
    // VRRPv3 has no authentication, so the file holds no secret.
    cluster.vrrp.version = VrrpVersion::V3;
    let node = rendered(&cluster).unwrap();
    assert_eq!(
        (node.files[0].mode, node.files[0].is_secret()),
        (0o644, false)
    );
    assert!(text(&node, KEEPALIVED).contains("# no authentication: only VRRPv2 has it"));
}

/// Gives the first site TLS with these secrets.
fn tls(certificate: &str, key: &str) -> impl FnOnce(&mut Cluster) {
    let tls = Tls::Pushed {
        certificate: SecretRef::Env(certificate.to_owned()),
        key: SecretRef::Env(key.to_owned()),
    };
    move |cluster| {
        cluster.sites[0].listen = vec![listen(443, true)];
        cluster.sites[0].names = vec![ServerName::new("*.Example.org").unwrap()];
        cluster.sites[0].tls = Some(tls);
    }
}

#[test]
fn pushed_keys_are_private_and_what_is_no_pem_is_refused_without_being_shown() {
    let mut good = cluster();
    tls("CERT", "KEY")(&mut good);
    let node = rendered(&good).unwrap();
    let pushed: Vec<_> = node.files[templates().count()..]
        .iter()
        .map(|file| (file.path.as_str(), file.mode, file.role))
        .collect();
    assert_eq!(
        pushed,
        [
            (
                "/etc/nginx/hactl/tls/_.example.org.crt",
                0o644,
                FileRole::TlsCertificate
            ),
            (
                "/etc/nginx/hactl/tls/_.example.org.key",
                0o600,
                FileRole::TlsKey
            ),
        ]
    );
    assert!(!text(&node, NGINX).contains("poison"));
    assert_eq!(
        error(tls("NONSENSE", "KEY")),
        "the secret from Env(\"NONSENSE\"): it is not a PEM file with a CERTIFICATE; check what it holds"
    );
    assert_eq!(
        error(tls("KEY", "KEY")),
        "the certificate from Env(\"KEY\"): it holds a private key; give the key as `key`, apart from the certificate"
    );
    assert_eq!(
        error(tls("CERT", "GONE")),
        "the secret Env(\"GONE\") was not fetched"
    );
}

#[test]
fn a_tls_socket_without_a_default_refuses_unknown_names_where_nginx_can() {
    let mut cluster = cluster();
    tls("CERT", "KEY")(&mut cluster);
    let mut facts = NodeFacts::debian_12();
    let new = text(&rendered_on(&cluster, &facts).unwrap(), NGINX);
    assert!(new.contains("ssl_reject_handshake on;"));
    assert_eq!(
        new.matches("listen 443 default_server ssl http2 backlog=65535;")
            .count(),
        1
    );
    assert!(new.contains("        listen 443 ssl http2;\n"));
    facts.nginx = Version::new(1, 18, 0);
    assert!(!text(&rendered_on(&cluster, &facts).unwrap(), NGINX).contains("reject"));
}

#[test]
fn each_version_gets_its_own_words() {
    let keepalived = |version| {
        let facts = NodeFacts {
            keepalived: version,
            ..NodeFacts::debian_12()
        };
        let mut cluster = cluster();
        cluster.health.interval = Duration::from_millis(1500);
        cluster.vrrp.on_nginx_failure = OnNginxFailure::Weight {
            weight: Weight::new(30).unwrap(),
        };
        text(&rendered_on(&cluster, &facts).unwrap(), KEEPALIVED)
    };
    for (version, has, has_not) in [
        (
            Version::new(1, 3, 5),
            vec!["interval 2\n", "weight 30\n"],
            vec!["track_file", "reload_check", "max_auto"],
        ),
        (
            Version::new(2, 0, 10),
            vec![
                "vrrp_track_file hactl_nginx {",
                "    track_file {",
                "weight -30\n",
            ],
            vec!["reload_check", "max_auto"],
        ),
        (
            Version::new(2, 1, 5),
            vec!["\ntrack_file hactl_nginx {", "max_auto_priority -1"],
            vec!["reload_check"],
        ),
        (
            Version::new(2, 2, 7),
            vec!["reload_check_config", "interval 2\n"],
            vec!["vrrp_track_file"],
        ),
        (Version::new(2, 3, 2), vec!["interval 1.5\n"], vec![]),
    ] {
        let text = keepalived(version);
        for word in has {
            assert!(text.contains(word), "{version} lacks {word:?}");
        }
        for word in has_not {
            assert!(!text.contains(word), "{version} has {word:?}");
        }
    }
}

#[test]
fn what_the_daemons_cannot_do_is_named_with_its_place_and_a_way_out() {
    let instance = |c: &mut Cluster, address: &str| {
        c.instances = vec![cluster::instance("VI_1", 51, &[address], &c.nodes)];
    };
    let mut said = vec![
        error(|c| {
            c.vrrp.strict = true;
            instance(c, "fd00::100/64");
        }),
        error(|c| {
            c.upstreams[0].balance = Balance::IpHash;
            c.upstreams[0].servers[0].backup = true;
        }),
        error(|c| c.sites[0].locations[0].path = "~ .*".to_owned()),
        error(|c| c.sites[0].locations[0].path = "/%zz".to_owned()),
        error(|c| c.sites[0].locations[0].path = "/%0a".to_owned()),
        error(|c| c.sites[0].locations[0].rate_limit = Some((0, 1))),
        error(|c| c.sites[0].response_headers = vec![header("content-TYPE", "text/html")]),
        error(|c| c.sites[0].response_headers = vec![header("X-A", "a\r\nSet-Cookie: b")]),
        error(|c| c.sites[0].listen = vec![listen(443, true)]),
        error(|c| c.nginx.log_format = "a\nb".to_owned()),
        error(|c| c.nodes[0] = node(9, "10.0.0.19")),
        error(|c| {
            let action = LocationAction::Return {
                code: 200,
                body: "x".repeat(5000),
            };
            c.sites[0].locations = vec![location("/", action), proxy("/b/", "backend")];
        }),
        error(|c| {
            let password = SecretRef::Env("SPACES".to_owned());
            c.vrrp.authentication = Some(Authentication { password });
        }),
    ];
    let facts = NodeFacts {
        nginx: Version::new(1, 14, 1),
        ..NodeFacts::debian_12()
    };
    let mut cluster = cluster();
    cluster.upstreams[0].balance = Balance::Random;
    said.push(rendered_on(&cluster, &facts).unwrap_err().to_string());
    insta::assert_snapshot!("what_the_daemons_cannot_do", said.join("\n"));
}

#[test]
fn templates_can_be_replaced_and_mistakes_in_them_are_located() {
    let with = |name: &str, text: &str| {
        Templates::with_overrides(vec![(name.to_owned(), text.to_owned())])
    };
    let run = |text: &str| {
        let cluster = cluster();
        let templates = with("tmpfiles.conf", text).unwrap();
        let facts = NodeFacts::debian_12();
        render(
            &cluster,
            &cluster.nodes[0],
            &facts,
            &Secrets::default(),
            &templates,
        )
    };
    let node = run("mine\n  {% if run_dir %}\n{{ run_dir }}\n{% endif %}\n").unwrap();
    assert_eq!(
        text(&node, "/etc/tmpfiles.d/hactl.conf"),
        "mine\n/run/hactl\n"
    );
    // Neither daemon reads this file, so its change reloads neither.
    assert_eq!(node.ids, rendered(&cluster()).unwrap().ids);
    let said = [
        with("keepalived.cnf", "").unwrap_err().to_string(),
        with("x", "").unwrap_err().to_string(),
        with("notify.sh.tera", "a\n{% if %}\n")
            .unwrap_err()
            .to_string(),
        Templates::with_overrides(vec![
            ("notify.sh".to_owned(), String::new()),
            ("notify.sh.tera".to_owned(), String::new()),
        ])
        .unwrap_err()
        .to_string(),
        run("a\n\n{{ run_dri }}\n").unwrap_err().to_string(),
        run("{% if run_dri %}x{% endif %}").unwrap_err().to_string(),
        run("a\n{% for c in run_dir %}\n{{ c.d }}\n{% endfor %}")
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!("mistakes_in_templates", said.join("\n"));
}

#[test]
fn a_vip_is_put_alone_on_an_interface_that_has_its_network() {
    let own = |interface: &str, net: &str| OwnAddress {
        interface: interface.to_owned(),
        net: net.parse().unwrap(),
    };
    let put = |addresses: Option<Vec<OwnAddress>>| {
        let facts = NodeFacts {
            addresses,
            ..NodeFacts::debian_12()
        };
        let conf = text(
            &rendered_on(&cluster(), &facts).unwrap(),
            "/etc/keepalived/keepalived.conf",
        );
        let line = conf.lines().find(|line| line.contains("10.0.0.100/"));
        line.unwrap().trim().to_owned()
    };
    // Without facts, the node's address decides, and it is in the VIP's network.
    assert_eq!(put(None), "10.0.0.100/32");
    assert_eq!(
        put(Some(vec![own("eth0", "10.0.0.11/24")])),
        "10.0.0.100/32"
    );
    assert_eq!(
        put(Some(vec![own("eth0", "10.0.0.11/16")])),
        "10.0.0.100/32"
    );
    for without in [
        vec![],
        vec![own("eth1", "10.0.0.11/24")],
        // The interface's network does not contain the VIP.
        vec![own("eth0", "10.0.0.11/32")],
        vec![own("eth0", "10.0.0.11/26")],
        vec![own("eth0", "172.16.0.1/24")],
        // The VIP itself, added by hand: it does not count, since it may be removed.
        vec![own("eth0", "10.0.0.100/24")],
    ] {
        assert_eq!(put(Some(without)), "10.0.0.100/24");
    }
}
