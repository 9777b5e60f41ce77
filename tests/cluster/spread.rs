//! Several VIPs: each prefers a different node, and the remaining nodes share them when others
//! fail.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, machines};
use crate::lab::wait_for;

const VIPS: [&str; 6] = [
    "10.0.0.100",
    "10.0.0.101",
    "10.0.0.102",
    "fd00:10::100",
    "fd00:10::101",
    "fd00:10::102",
];

/// The number of VIPs per node, or `None` while any VIP has no owner or two.
fn shares(cluster: &Cluster) -> Option<BTreeMap<String, usize>> {
    let mut shares = BTreeMap::new();
    for vip in VIPS {
        let [owner] = &cluster.owners(vip)[..] else {
            return None;
        };
        *shares.entry(owner.clone()).or_default() += 1;
    }
    Some(shares)
}

#[test]
fn six_vips_are_shared_evenly_by_whoever_is_left() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    let vips: Vec<String> = VIPS
        .iter()
        .enumerate()
        .map(|(index, vip)| {
            let length = if vip.contains(':') { 64 } else { 24 };
            let node = index % 3 + 1;
            format!("  - {{ address: \"{vip}/{length}\", prefer: lb{node} }}")
        })
        .collect();
    cluster.edit("  - { address: 10.0.0.100/24 }", &vips.join("\n"));
    cluster.apply();
    let settles = |expected: &[(&str, usize)]| {
        let expected = expected
            .iter()
            .map(|(node, count)| ((*node).to_owned(), *count));
        let expected: BTreeMap<String, usize> = expected.collect();
        wait_for(&format!("the shares {expected:?}"), || {
            shares(&cluster).as_ref() == Some(&expected)
        });
        for vip in VIPS {
            let host = if vip.contains(':') {
                format!("[{vip}]")
            } else {
                vip.to_owned()
            };
            assert!(
                cluster.get(&format!("http://{host}/")).starts_with('b'),
                "{vip}"
            );
        }
    };
    settles(&[("lb1", 2), ("lb2", 2), ("lb3", 2)]);
    cluster.on("lb1", "systemctl stop nginx.service");
    settles(&[("lb2", 3), ("lb3", 3)]);
    cluster.on("lb3", "systemctl stop keepalived.service");
    settles(&[("lb2", 6)]);
    cluster.on("lb1", "systemctl start nginx.service");
    settles(&[("lb1", 3), ("lb2", 3)]);
    cluster.on("lb3", "systemctl start keepalived.service");
    settles(&[("lb1", 2), ("lb2", 2), ("lb3", 2)]);
}

#[test]
fn an_ipv6_address_is_drilled_as_an_ipv4_one() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    cluster.edit("10.0.0.100/24", "\"fd00:10::100/64\"");
    cluster.apply();
    let arguments = [
        "failover-test",
        "--yes",
        "--drill=nginx-stop",
        "--drill=keepalived-stop",
        "--drill=link-down",
        "--hold=2s",
        "--format=json",
    ];
    let ended = cluster.run(&arguments).exits(0);
    let document = ended.json();
    let runs = document["report"]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3, "{ended}");
    for run in runs {
        assert_eq!(run["vip"], "fd00:10::100");
        assert_eq!(
            (&run["to"], &run["after"]),
            (&"lb2".into(), &"lb1".into()),
            "{run:#}"
        );
        assert_eq!(run["violations"], serde_json::json!([]), "{run:#}");
        assert_eq!(run["new"]["recovered"], true, "{run:#}");
        assert!(run["phases"].is_object(), "{run:#}");
    }
}
