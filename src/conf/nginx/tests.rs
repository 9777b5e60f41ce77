//! Realistic configurations, and arbitrary text.

use proptest::prelude::*;

use super::{Conf, Item, Server, items};
use crate::conf::Files;

fn files<'a>(all: &'a [(&'a str, &'a str)]) -> Files<'a> {
    let mut files = Files::default();
    for (path, text) in all {
        files.insert(*path, *text, path.ends_with("/default"));
    }
    files
}

/// One line `SOCKETS names` per server, in brackets if it is a package's.
fn nginx(all: &[(&str, &str)]) -> Vec<String> {
    let line = |server: Server| {
        let sockets: Vec<String> = server.sockets.iter().map(ToString::to_string).collect();
        let line = format!("{} {}", sockets.join(","), server.names.join(","));
        if server.is_packaged {
            format!("[{}]", line.trim())
        } else {
            line.trim().to_owned()
        }
    };
    let found = Conf::read(&files(all)).servers;
    found.into_iter().map(line).collect()
}

/// Debian's nginx.conf with typical additions.
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
            ":443,:443/udp ~^(?<n>.{2,4})\\.x$",
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

#[test]
fn words_are_what_nginx_makes_of_them() {
    let words = |text: &str| {
        let mut all = items(text);
        match all.next() {
            Some(Item::Directive(words) | Item::Open(words)) => words.join("|"),
            other => format!("{other:?}"),
        }
    };
    for (text, expected) in [
        ("a b\tc;", "a|b|c"),
        ("a 'b c' \"d;e\";", "a|b c|d;e"),
        (r#"a "\"b" '\'c' \"d;"#, "a|\"b|'c|\"d"),
        // Other escapes stay, for regular expressions.
        (r"a ~^x\.y$ '\.' \\ \n;", "a|~^x\\.y$|\\.|\\|\n"),
        ("a b#c; # d", "a|b#c"),
        ("# a\nb;", "b"),
        ("a ${b}c;", "a|${b}c"),
        ("a b\"c;", "a|b\"c"),
        ("a }b;", "Some(Close)"),
        ("a b}c {", "a|b}c"),
        ("a b", "None"),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn settings_count_where_they_stand() {
    let conf = Conf::of_text(
        "user x; # worker_connections 1;\nworker_rlimit_nofile 9000;\nevents { worker_connections 4096; }\n\
         http { server { worker_rlimit_nofile 1; } }\n# stream {\n",
    );
    assert_eq!(conf.worker_connections, Some(4096));
    assert_eq!(conf.worker_rlimit_nofile, Some(9000));
    assert!(!conf.has_stream);
    assert!(Conf::of_text("http { }\nstream{}").has_stream);
    assert!(!Conf::of_text("http { stream { } }").has_stream);
}

fn some_text() -> impl Strategy<Value = String> {
    let words = [
        "http",
        "server",
        "stream",
        "listen 80",
        "listen 1-65535",
        "{",
        "}",
        ";",
        ";",
        "\n",
        " ",
        "#",
        "\"",
        "'",
        "\\",
        "$",
        "${",
        "include nginx.conf",
        "include *",
        "a_by_lua_block {",
        "é",
        "\0",
    ];
    let word = prop_oneof![
        9 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(word, 0..80).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_read(text in some_text()) {
        let conf = Conf::of_text(&text);
        prop_assert!(conf.servers.len() <= 10_000);
    }
}

/// The work is bounded by the length of the text: growth by the text itself is counted and cut off.
#[test]
fn a_text_that_grows_is_cut() {
    let sockets = "listen 1-65535;".repeat(1_000);
    let conf = Conf::of_text(&format!("http{{server{{{sockets}}}}}"));
    assert_eq!(conf.servers[0].sockets.len(), 100_000);
    let itself = format!("http{{server{{}}}}{}", "include nginx.conf;".repeat(50_000));
    let times = Conf::of_text(&itself).servers.len();
    assert!((2..10).contains(&times), "{times}");
}

#[test]
fn nothing_is_nested_too_deeply() {
    for text in [
        "{".repeat(100_000),
        "a{".repeat(50_000),
        "}".repeat(100_000),
        "\\".repeat(100_000),
        "${".repeat(50_000),
        "a_by_lua_block{".repeat(10_000),
    ] {
        assert_eq!(Conf::of_text(&text), Conf::default());
    }
}
