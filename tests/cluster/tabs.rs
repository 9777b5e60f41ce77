//! Tabs in nginx's output: in logs for tools that split at tabs, and in headers.

use crate::cluster::{Cluster, VIP, machines};

#[test]
fn a_tab_in_a_log_format_and_in_a_header_is_one_where_it_is_written() {
    let mut spec = machines();
    spec.nodes = 1;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    let text = cluster.inventory();
    let head = text.split("\nsites:").next().unwrap();
    cluster.set_inventory(&format!(
        "{head}\n{}",
        r#"sites:
  - { listen: [80], proxy: backend, response_headers: { X-Columns: "one\ttwo $host" } }
nginx: { access_log: /var/log/nginx/access.log, log_format: "$request_method\t$status\t\"$uri\"\t\\t" }
"#
    ));
    cluster.run(&["check"]).exits(0);
    cluster.apply();
    let answer = cluster.get(&format!("http://{VIP}/"));
    assert!(!answer.is_empty());
    let headers = cluster.on_controller("curl", &["-sSI", &format!("http://{VIP}/page")]);
    assert!(
        headers.contains(&format!("X-Columns: one\ttwo {VIP}\r\n")),
        "{headers:?}"
    );
    let log = cluster.on("lb1", "cat /var/log/nginx/access.log");
    assert!(log.contains("GET\t200\t\"/\"\t\\t\n"), "{log:?}");
}
