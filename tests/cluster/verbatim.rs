//! Texts that are special to shells, nginx, templates and terminals survive byte for byte, from an
//! inventory over ssh to real machines and back to a client.

use std::fs;

use crate::cluster::{Cluster, VIP, machines};

/// Contains no nginx variable, since those are meant to be expanded.
const HEADER: &str =
    r#"a"b'c; } { # \ \n \" $ $5 ${ $( `id` ~ ! é中 {{ x }} {% if %} %n && | < > * \"#;
const BODY: &str =
    "$host ${host} $(id) `id` \"'\\;{}#\n\tsecond line, \u{e9}\u{4e2d} {{ x }}\nthird\n";

#[test]
fn hostile_texts_go_through_a_real_cluster_unchanged() {
    let mut spec = machines();
    spec.nodes = 1;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    // JSON is valid YAML.
    let json = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let format = "$remote_addr \"quoted\" it's #{not} a comment; \\ é $status";
    cluster.set_inventory(&format!(
        "{}  - names: [odd.example.org]
    listen: [80]
    return: {{ code: 200, body: {} }}
    response_headers: {{ X-Odd: {} }}
    locations:
      - {{ path: '/a%20b%22%3B%7B@!()*', exact: true, return: {{ code: 418, body: odd }} }}
      - {{ path: /away, redirect: 'http://www.example.org/$host?a=b&c={{d}}#e' }}
nginx: {{ log_format: {} }}
",
        cluster.inventory(),
        json(BODY),
        json(HEADER),
        json(format)
    ));
    cluster.apply();
    let get = |path: &str| {
        let to = format!("http://{VIP}{path}");
        cluster.on_controller(
            "curl",
            &[
                "-sS",
                "-i",
                "--path-as-is",
                "--max-time",
                "5",
                "-H",
                "Host: odd.example.org",
                &to,
            ],
        )
    };
    let answer = get("/");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, BODY);
    let header = head.lines().find_map(|line| line.strip_prefix("X-Odd: "));
    assert_eq!(header, Some(HEADER), "{head}");
    let answer = get("/a%20b%22%3B%7B@!()*");
    assert!(answer.starts_with("HTTP/1.1 418"), "{answer}");
    let answer = get("/away");
    let place = "Location: http://www.example.org/odd.example.org?a=b&c={d}#e";
    assert!(answer.contains(place), "{answer}");

    let log =
        fs::read_to_string(cluster.node_root("lb1").join("var/log/nginx/access.log")).unwrap();
    let line = log.lines().next().unwrap();
    let (_, rest) = line.split_once(' ').unwrap();
    assert_eq!(rest, "\"quoted\" it's #{not} a comment; \\ é 200");

    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);
}
