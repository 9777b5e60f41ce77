//! All nodes end on the same side, even if the operator's machine dies between two confirmations.

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

/// Refuses new ssh connections but keeps open ones: hactl can finish its work on the node but
/// cannot confirm it, since confirmation uses a fresh connection.
const NO_NEW_SSH: &str =
    "nft 'add table inet shut; add chain inet shut in { type filter hook input priority 0; }
    add rule inet shut in tcp dport 22 tcp flags & (syn | ack) == syn drop'";

#[test]
fn nodes_that_hactl_could_not_confirm_before_it_died_learn_from_one_that_it_had() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    let confirmed = |node: &str| {
        let outcome = cluster.node_root(node).join("var/lib/hactl/outcome");
        let journal = cluster.node_root(node).join("var/lib/hactl/journal");
        let text = std::fs::read_to_string(outcome).unwrap_or_default();
        (!journal.exists() && text.contains("result\tconfirmed")).then_some(text)
    };
    // lb2 is activated and confirmed first. By then, the other two are unreachable.
    let mut hactl = cluster.start(&["apply", "--yes", "--confirm-timeout", "15s"]);
    cluster.wait_for_file("lb1", "/var/lib/hactl/lock", true);
    cluster.on("lb1", NO_NEW_SSH);
    cluster.on("lb3", NO_NEW_SSH);
    let before = cluster.on("lb2", "readlink /var/lib/hactl/live");
    wait_for("lb2 to be confirmed", || {
        cluster.on("lb2", "readlink /var/lib/hactl/live") != before
    });
    hactl.kill().unwrap();
    hactl.wait().unwrap();
    for node in ["lb1", "lb3"] {
        cluster.wait_for_file(node, "/var/lib/hactl/journal", true);
    }

    // Their timers expire, and they query their peers.
    for node in ["lb1", "lb3"] {
        wait_for(&format!("{node} to decide"), || confirmed(node).is_some());
        let outcome = confirmed(node).unwrap();
        assert!(outcome.contains("by another node"), "{node}: {outcome}");
        cluster.on(node, "nft delete table inet shut");
    }
    let served = cluster.all_served();
    assert!(served.iter().all(|id| *id == served[0]), "{served:?}");
    cluster.owner(VIP);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    for node in cluster.nodes() {
        cluster.wait_for_file(&node, "/var/lib/hactl/lock", false);
    }
    // The nodes keep answering each other for a while, which must not block the next change.
    cluster.edit("192.168.1.13:8080", "192.168.1.12:8080");
    cluster.apply();
    cluster.assert_no_traces();
}
