//! Configurations as people write them, and what is lost of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::files::Files;
use super::keepalived::routers;
use super::nginx::servers;
use super::{Loss, LostService, StopServing, has_name, is_catch_all};
use crate::agent::{Serving, ServingFile};
use crate::model::NodeName;

fn serving(files: &[(&str, &str)]) -> Serving {
    let file = |(path, text): &(&str, &str)| {
        let file = ServingFile {
            text: (*text).to_owned(),
            is_packaged: path.ends_with("/default"),
        };
        ((*path).to_owned(), file)
    };
    Serving {
        sockets: Vec::new(),
        files: files.iter().map(file).collect::<BTreeMap<_, _>>(),
    }
}

/// `SOCKETS names`, a server a line; a package's in brackets.
fn nginx(files: &[(&str, &str)]) -> Vec<String> {
    let serving = serving(files);
    let line = |server: super::Server| {
        let sockets: Vec<String> = server.sockets.iter().map(ToString::to_string).collect();
        let line = format!("{} {}", sockets.join(","), server.names.join(","));
        if server.is_packaged {
            format!("[{}]", line.trim())
        } else {
            line.trim().to_owned()
        }
    };
    servers(&Files::now(&serving))
        .into_iter()
        .map(line)
        .collect()
}

/// Debian's nginx.conf with what admins add to it.
const DEBIAN: &str = r#"
user www-data;
worker_processes auto;
pid /run/nginx.pid;
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 768; # multi_accept on;
}
http {
	log_format a '{"time": "$time_iso8601", "server": "x"}' "} server { listen 1; }";
	map $http_upgrade $connection_upgrade { default upgrade; '' close; }
	include /etc/nginx/conf.d/*.conf;
	include sites-enabled/*;
}
stream { server { listen 5432; proxy_pass db:5432; } server { listen 53 udp; listen [::]:53 udp; proxy_pass dns; } }
#mail { server { listen localhost:110; protocol pop3; } }
"#;

#[test]
fn debian_with_sites_of_its_admin() {
    let found = nginx(&[
        ("/etc/nginx/nginx.conf", DEBIAN),
        (
            "/etc/nginx/sites-enabled/default",
            "server {\n\tlisten 80 default_server;\n\tlisten [::]:80 default_server;\n\tserver_name _;\n}\n",
        ),
        (
            "/etc/nginx/sites-enabled/shop",
            "server{listen 8088;server_name Shop.Example.com\n  *.shop.example.com;location / {\n if ($host = a) { return 301 https://$host${request_uri}; }\n}}\nserver { listen 443 ssl; listen 443 quic; # listen 9;\n server_name \"~^(?<n>.{2,4})\\.x$\"; }",
        ),
        ("/etc/nginx/sites-enabled/.hidden", "server { listen 7; }"),
        ("/etc/nginx/sites-available/off", "server { listen 8; }"),
        (
            "/etc/nginx/conf.d/lua.conf",
            "server { listen 127.0.0.1:9000; content_by_lua_block { local s = \"}\" if x then y({a={}}) end } }\nserver { listen unix:/run/a.sock; server_name u; }\nserver { server_name none; }\nserver { listen 8000-8002; }",
        ),
    ]);
    assert_eq!(
        found,
        [
            "127.0.0.1:9000",
            "u",
            ":80 none",
            ":8000,:8001,:8002",
            "[:80,[::]:80 _]",
            ":8088 shop.example.com,*.shop.example.com",
            ":443,:443/udp ~^(?<n>.{2,4}).x$",
            ":5432",
            ":53/udp,[::]:53/udp",
        ]
    );
}

#[test]
fn a_socket_of_nginx_in_every_form() {
    let listens = "listen 10.0.0.5; listen *:81; listen localhost:82; listen [::1]:83; listen [fe80::1]; listen app:84; listen [::]:85 ipv6only=off; listen $port;";
    let conf = format!("http {{ server {{ {listens} }} }}");
    assert_eq!(
        nginx(&[("/etc/nginx/nginx.conf", &conf)]),
        ["10.0.0.5:80,:81,127.0.0.1:82,[::1]:83,[fe80::1]:80,[::]:85,:85"]
    );
}

#[test]
fn files_that_include_themselves_or_end_early_end() {
    for conf in [
        "include /etc/nginx/nginx.conf;",
        "http { include nginx.conf; server { listen 1; }",
        "http { server { listen 1; } }}}} http { server { listen",
        "\"",
        "http{server{a_by_lua_block{",
        "${{{\\",
    ] {
        nginx(&[("/etc/nginx/nginx.conf", conf)]);
    }
}

/// `instance: addresses` a line, then the virtual servers.
fn keepalived(files: &[(&str, &str)]) -> Vec<String> {
    let serving = serving(files);
    let found = routers(&Files::now(&serving));
    let instances = found.instances.iter().map(|own| {
        let addresses: Vec<String> = own.addresses.iter().map(ToString::to_string).collect();
        format!("{}: {}", own.name, addresses.join(","))
    });
    instances.chain(found.virtual_servers.clone()).collect()
}

#[test]
fn keepalived_as_people_write_it() {
    let main = r#"! Configuration File for keepalived
$NET=10.0.0
$VIPS=${NET}.52
global_defs {
   notification_email { a@b.c }   # inline
   router_id "LB { 1"
}
vrrp_script chk { script "/bin/sh -c 'test } -f x'" interval 2 }
vrrp_instance VI_1
{
    interface eth0
    authentication { auth_type PASS
        auth_pass 10.9.9.9 }
    track_script
    {
        chk
    }
    virtual_ipaddress {
        10.0.0.50/24 dev eth0 label eth0:vip ! the first
        #10.0.0.51/24
        ${VIPS}/24
    }
    virtual_ipaddress_excluded { fd00::50/64 }
    virtual_routes {
        10.7.7.0/24 via 10.0.0.1
    }
}
@lb1 vrrp_instance VI_2 { virtual_ipaddress { $NET.60 } }
vrrp_sync_group G { group { VI_1
 VI_2 } }
include conf.d/*.conf
"#;
    let found = keepalived(&[
        ("/etc/keepalived/keepalived.conf", main),
        (
            "/etc/keepalived/conf.d/lvs.conf",
            "virtual_server 10.0.0.50 80 {\n  lb_algo rr\n  real_server 192.168.1.1 80 { weight 1 }\n}\nvirtual_server fwmark 5 { }\nvirtual_server group web { }\nvirtual_server fd00::50 443 {}\ninclude conf.d/lvs.conf\nvrrp_instance EMPTY { }\n",
        ),
    ]);
    assert_eq!(
        found,
        [
            "VI_1: 10.0.0.50,10.0.0.52,fd00::50",
            "VI_2: 10.0.0.60",
            "EMPTY: ",
            "10.0.0.50:80",
            "fwmark 5",
            "group web",
            "[fd00::50]:443",
        ]
    );
}

#[test]
fn variables_that_grow_without_end_are_left() {
    let mut conf = "$a=xxxxxxxx\n".to_owned();
    for (name, before) in ('b'..='z').zip('a'..='y') {
        let _ = writeln!(conf, "${name}=${before}${before}");
    }
    conf.push_str("vrrp_instance $z { virtual_ipaddress { $z } }\n");
    keepalived(&[("/etc/keepalived/keepalived.conf", &conf)]);
}

#[test]
fn names_that_answer_for_a_name() {
    let has = |own: &str, name: &str| {
        let server = super::Server {
            names: vec![own.to_owned()],
            ..super::Server::default()
        };
        has_name(&server, name)
    };
    for (own, name, answers) in [
        ("example.com", "example.com", true),
        ("*.example.com", "www.example.com", true),
        ("*.example.com", "example.com", false),
        (".example.com", "example.com", true),
        (".example.com", "www.example.com", true),
        ("*.example.com", "wwwexample.com", false),
        ("_", "example.com", false),
    ] {
        assert_eq!(has(own, name), answers, "{own} {name}");
    }
    for (name, catches_all) in [
        ("_", true),
        ("", true),
        ("--", true),
        ("~.", false),
        ("a", false),
    ] {
        assert_eq!(is_catch_all(name), catches_all, "{name}");
    }
}

#[test]
fn what_is_named_may_stop() {
    let node = NodeName::new("lb1").unwrap();
    let vip = |address: &str| {
        let service = LostService::Vip {
            instance: "VI_1".to_owned(),
            address: address.parse().unwrap(),
        };
        Loss::new(&node, service)
    };
    let losses = [vip("10.0.0.50"), vip("10.0.0.51")];
    let unnamed = |names: &[&str]| {
        let allowed = StopServing::of(names.iter().map(|name| (*name).to_owned()));
        allowed.unnamed(&losses).len()
    };
    assert_eq!(unnamed(&[]), 2);
    assert_eq!(unnamed(&["10.0.0.50"]), 1);
    assert_eq!(unnamed(&["10.0.0.50", "10.0.0.51"]), 0);
    assert_eq!(unnamed(&["all"]), 0);
    assert_eq!(unnamed(&["10.0.0.5"]), 2);
}
