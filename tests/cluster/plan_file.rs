//! hactl applies exactly the plan that was reviewed, or nothing.

use crate::cluster::{Cluster, machines};

#[test]
fn a_saved_plan_is_carried_out_as_it_was_or_not_at_all() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    let first = cluster.dir().join("first.plan");
    let (first, second) = (first.to_str().unwrap(), first.with_file_name("second.plan"));
    let second = second.to_str().unwrap();

    cluster.run(&["plan", "--out", first]).exits(0);
    cluster
        .run(&["apply", first, "--yes"])
        .exits(0)
        .says("generation 1 is live");
    let applied = cluster.all_etc();
    let refused = |plan: &str, why: &str| {
        cluster
            .run(&["apply", plan, "--yes"])
            .exits(1)
            .says("the plan is out of date")
            .says("nothing was changed")
            .says(why)
    };
    let applied_since = "lb1, lb2: generation 1 is live, not none";
    refused(first, applied_since);

    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    cluster.run(&["plan", "--out", second]).exits(0);
    // A host is edited by hand meanwhile.
    cluster.on(
        "lb2",
        "cp -a /etc/nginx/nginx.conf /root; echo '# by hand' >>/etc/nginx/nginx.conf",
    );
    let by_hand = cluster.all_etc();
    let edited = "lb2: /etc/nginx/nginx.conf changed";
    refused(second, edited).never_says("the inventory's text has changed");
    cluster.assert_etc(&by_hand);
    cluster.on("lb2", "cp -a /root/nginx.conf /etc/nginx");

    // The inventory is edited: first in a way that makes no difference.
    cluster.set_inventory(&format!("# a remark\n{}", cluster.inventory()));
    cluster
        .run(&["apply", second, "--yes", "--check-only"])
        .exits(0);
    cluster.edit("192.168.1.13:8080", "192.168.1.14:8080");
    refused(second, "the inventory's text has changed").never_says(edited);
    cluster.assert_etc(&applied);
    cluster.edit("192.168.1.14:8080", "192.168.1.13:8080");

    cluster
        .run(&["apply", second, "--yes"])
        .exits(0)
        .says("generation 2 is live");
    let whole = cluster.on("lb2", "nginx -T 2>/dev/null");
    assert!(whole.contains("server 192.168.1.13:8080"), "{whole}");
    refused(second, "lb1, lb2: generation 2 is live, not generation 1");

    std::fs::write(second, "{ \"half\": ").unwrap();
    cluster
        .run(&["apply", second, "--yes"])
        .exits(1)
        .says("is not a valid plan file");
}
