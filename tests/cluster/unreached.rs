//! Upstream servers that nodes cannot connect to: plan and apply name server and cause before
//! anything changes, and `status` does so as long as it lasts.

use crate::cluster::{Cluster, machines};

fn messages(report: &serde_json::Value) -> Vec<(String, String)> {
    let told = report["findings"].as_array().unwrap().iter();
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    told.map(|finding| (text(finding, "rule"), text(finding, "message")))
        .filter(|(rule, _)| matches!(rule.as_str(), "NG018" | "NG019"))
        .collect()
}

#[test]
fn a_server_that_no_node_can_connect_to_is_told_with_its_cause() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    let report = |arguments: &[&str]| {
        let arguments = [arguments, &["--format", "json"]].concat();
        cluster.run(&arguments).exits(0).json()
    };
    cluster.apply();
    assert_eq!(messages(&report(&["plan"])), []);
    assert_eq!(messages(&report(&["status"])), []);

    // A port without a listener, an address without a host, and an address that a firewall drops.
    cluster.edit("192.168.1.11:8080", "192.168.1.11:9999");
    cluster.edit("192.168.1.12:8080", "192.168.77.1:8080");
    cluster.on(
        "lb1",
        "nft 'table inet cut { chain out { type filter hook output priority 0; ip daddr 192.168.1.10 tcp dport 8080 drop; }; }'",
    );
    let told = messages(&report(&["plan"]));
    let [(one, refused), (other, away), (all, on_lb1)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!([one, other, all], ["NG018", "NG018", "NG019"], "{told:?}");
    assert!(
        on_lb1.starts_with("lb1 cannot connect to any server of upstream backend:"),
        "{on_lb1}"
    );
    assert!(
        on_lb1.contains("192.168.1.10:8080 (no answer within a second)")
            && on_lb1.contains("192.168.1.11:9999 (connection refused)"),
        "{on_lb1}"
    );
    assert_eq!(
        refused,
        "lb2 cannot connect to 192.168.1.11:9999: connection refused"
    );
    assert!(
        away.starts_with("lb2 cannot connect to 192.168.77.1:8080: no "),
        "{away}"
    );

    // It does not fail the change, but is reported before it.
    let applied = cluster.apply();
    applied
        .says("lb2 cannot connect to 192.168.1.11:9999: connection refused")
        .says("Done: generation 2 is live");
    assert_eq!(messages(&report(&["status"])), told);
    let status = cluster.run(&["status"]).exits(0);
    status.says("lb2 cannot connect to 192.168.1.11:9999: connection refused (NG018)");
    cluster.on("lb1", "nft delete table inet cut");
}
