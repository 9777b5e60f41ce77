//! What stops being served, and which cluster owns the nodes.

use super::*;
use crate::agent::{Fact, Service, Serving, ServingFile, VrrpState};
use crate::model::Socket;
use crate::plan::{Loss, LostService};

const THEIRS: &str = "http { include sites-enabled/*; }\n";
const SHOP: &str =
    "server { listen 8088; listen [::]:8088; server_name shop.example.com www.example.com; }\n";
const OURS: &str = "http {\n    server {\n        listen 80;\n        listen [::]:80;\n        server_name _;\n    }\n}\n";
const THEIR_VIP: &str = "vrrp_instance VI_50 {\n virtual_ipaddress { 10.0.0.50/24 }\n}\n";

/// A host where both daemons run with `files`, and nginx listens on `open`. Files called `default` come from a
/// package.
fn host(files: &[(&str, &str)], open: &[&str]) -> Observation {
    let mut seen = bare();
    for program in ["nginx", "keepalived"] {
        let service = Service {
            active: "active".to_owned(),
            enabled: "enabled".to_owned(),
            ..Service::default()
        };
        seen.services.insert(format!("{program}.service"), service);
    }
    let sockets = open.iter().flat_map(|open| {
        let (netid, local) = open.split_once(' ').unwrap_or(("tcp", open));
        Socket::local(netid, local).unwrap()
    });
    let file = |(path, text): &(&str, &str)| {
        let is_packaged = path.ends_with("/default");
        let text = (*text).to_owned();
        ((*path).to_owned(), ServingFile { text, is_packaged })
    };
    seen.serving = Some(Serving {
        sockets: sockets.collect(),
        files: files.iter().map(file).collect(),
    });
    for (path, text) in files {
        seen.files.insert(super::path(path), live(text));
    }
    seen
}

fn wanted(nginx: &str, keepalived: &str) -> Desired {
    let mut desired = desired(NEW, vec![]);
    for (file, text) in desired.tree.files.iter_mut().zip([nginx, keepalived]) {
        file.content = text.as_bytes().to_vec();
    }
    desired
}

fn names(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.name.as_str()).collect()
}

#[test]
fn another_site_and_another_vip_are_lost() {
    let seen = host(
        &[
            (NGINX, THEIRS),
            ("/etc/nginx/sites-enabled/shop", SHOP),
            (KEEPALIVED, THEIR_VIP),
        ],
        &["0.0.0.0:8088", "[::]:8088"],
    );
    let plan = plan_one(&wanted(OURS, CONF), &seen);
    assert_eq!(names(&plan.losses), ["10.0.0.50", ":8088"]);
    let service = &plan.losses[1].service;
    let LostService::Listener { server_names, .. } = service else {
        panic!("{service:?}");
    };
    assert_eq!(server_names, &["shop.example.com", "www.example.com"]);
}

#[test]
fn nothing_is_named_that_is_not_lost() {
    let sample =
        "server { listen 80 default_server; listen [::]:80 default_server; server_name _; }";
    for (what, files, open) in [
        (
            "a package's welcome page on another port",
            vec![
                (NGINX, THEIRS),
                (
                    "/etc/nginx/sites-enabled/default",
                    "server { listen 8000; }",
                ),
            ],
            vec!["0.0.0.0:8000"],
        ),
        (
            "a site for everybody on our port",
            vec![(NGINX, THEIRS), ("/etc/nginx/sites-enabled/mine", sample)],
            vec!["*:80"],
        ),
        (
            "a configuration that nginx never loaded",
            vec![(NGINX, THEIRS), ("/etc/nginx/sites-enabled/shop", SHOP)],
            vec!["0.0.0.0:80"],
        ),
        (
            "the same VIP in an instance of another name",
            vec![(
                KEEPALIVED,
                "vrrp_instance VI_1 { virtual_ipaddress { 10.0.0.100 } }",
            )],
            vec![],
        ),
    ] {
        let plan = plan_one(&wanted(OURS, CONF), &host(&files, &open));
        assert_eq!(names(&plan.losses), [""; 0], "{what}");
    }
    let mut stopped = host(
        &[
            (NGINX, THEIRS),
            ("/etc/nginx/sites-enabled/shop", SHOP),
            (KEEPALIVED, THEIR_VIP),
        ],
        &["0.0.0.0:8088"],
    );
    stopped.services.clear();
    assert!(plan_one(&wanted(OURS, CONF), &stopped).losses.is_empty());
}

#[test]
fn what_runs_without_its_file_is_lost_as_well() {
    let mut seen = host(
        &[(NGINX, OURS), (KEEPALIVED, CONF)],
        &["0.0.0.0:80", "udp 0.0.0.0:53"],
    );
    seen.vrrp = vec![VrrpState {
        instance: "VI_9".to_owned(),
        ..VrrpState::default()
    }];
    let changed = OURS.replace("_;", "_; #");
    let plan = plan_one(&wanted(&changed, CONF), &seen);
    assert_eq!(names(&plan.losses), ["VI_9", ":53/udp"]);
}

#[test]
fn a_name_a_listener_and_a_vip_that_the_inventory_drops() {
    let nginx =
        |servers: &str| format!("http {{\n{servers}\n}}\nstream {{ server {{ listen 5432; }} }}\n");
    let both = nginx("server { listen 443 ssl; server_name a.example.com b.example.com; }");
    let one =
        nginx("server { listen 443 ssl; server_name a.example.com; }").replace("5432", "5433");
    let two_vips = CONF.replace("10.0.0.100/24", "10.0.0.100/24\n        10.0.0.101/24");
    let seen = host(
        &[(NGINX, &both), (KEEPALIVED, &two_vips)],
        &["0.0.0.0:443", "0.0.0.0:5432"],
    );
    let plan = plan_one(&wanted(&one, CONF), &seen);
    assert_eq!(
        names(&plan.losses),
        ["10.0.0.101", "b.example.com:443", ":5432"]
    );
}

#[test]
fn the_vips_replace_a_wildcard_and_a_single_address_does_not() {
    let listen = |socket: &str| format!("http {{ server {{ listen {socket}; }} }}\n");
    let seen = host(
        &[(NGINX, &listen("80")), (KEEPALIVED, CONF)],
        &["0.0.0.0:80"],
    );
    for (socket, lost) in [("10.0.0.100:80", vec![]), ("10.0.0.11:80", vec![":80"])] {
        let plan = plan_one(&wanted(&listen(socket), CONF), &seen);
        assert_eq!(names(&plan.losses), lost, "{socket}");
    }
}

#[test]
fn a_vip_that_another_node_takes_is_not_lost() {
    let other = |node: &str, desired: &Desired, seen: &Observation| {
        let node = NodeName::new(node).unwrap();
        let desired = Desired {
            node: node.clone(),
            ..desired.clone()
        };
        (
            desired,
            Observation {
                node,
                ..seen.clone()
            },
        )
    };
    let seen = host(&[(KEEPALIVED, CONF)], &[]);
    let without = wanted(OURS, "global_defs {\n}\n");
    let nodes = vec![
        other("lb1", &without, &seen),
        other("lb2", &wanted(OURS, CONF), &seen),
    ];
    assert!(planned(Goal::Apply, nodes).unwrap().losses.is_empty());
    let nodes = vec![other("lb1", &without, &seen), other("lb2", &without, &seen)];
    let plan = planned(Goal::Apply, nodes).unwrap();
    assert_eq!(names(&plan.losses), [VIP, VIP]);
}

#[test]
fn a_rollback_that_drops_something_says_so_and_brings_theirs_back() {
    let before = host(
        &[
            (NGINX, THEIRS),
            ("/etc/nginx/sites-enabled/shop", SHOP),
            (KEEPALIVED, THEIR_VIP),
        ],
        &["0.0.0.0:8088"],
    );
    let applied = wanted(OURS, CONF);
    let mut seen = before.clone();
    let plan = plan_one(&applied, &seen);
    carry_out(&plan, &plan.nodes[0], &mut seen);
    let files = [
        (NGINX, OURS),
        ("/etc/nginx/sites-enabled/shop", SHOP),
        (KEEPALIVED, CONF),
    ];
    seen.serving = host(&files, &["0.0.0.0:80"]).serving;
    let back = original(&seen, &before);
    let plan = planned(Goal::Rollback { to: 0 }, vec![(back, seen)]).unwrap();
    assert_eq!(names(&plan.losses), [VIP, ":80"]);
}

#[test]
fn another_clusters_nodes_are_refused_unless_they_are_taken_over() {
    let mut seen = after(&desired(OLD, vec![]));
    let facts = [
        (Fact::Cluster, "shop"),
        (Fact::AppliedBy, "alice@ctl"),
        (Fact::AppliedAt, "2026-11-22T16:50:00Z"),
    ];
    if let Some(recorded) = &mut seen.recorded {
        for (fact, value) in facts {
            recorded.facts.set(fact, value);
        }
    }
    let wanted = desired(NEW, vec![]);
    let error = planned(Goal::Apply, vec![(wanted.clone(), seen.clone())])
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "lb1 belongs to cluster shop (generation 1, applied by alice@ctl at \
         2026-11-22T16:50:00Z); this inventory is of web"
    );
    let request = |take_over: &str| Request {
        cluster: ClusterName::new("web").unwrap(),
        goal: Goal::Apply,
        vips: vec![],
        addresses: Vec::new(),
        left_out: Vec::new(),
        nodes: vec![(wanted.clone(), seen.clone())],
        redactor: Redactor::new([7; 32]),
        take_over: Some(ClusterName::new(take_over).unwrap()),
    };
    assert!(build(request("shop")).is_ok());
    assert!(build(request("other")).is_err());
}
