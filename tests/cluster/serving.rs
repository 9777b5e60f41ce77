//! Everything that stops being served is named, and another cluster's nodes are never changed by
//! mistake.

use crate::clients::Load;
use crate::cluster::{Cluster, Ended, VIP, machines};
use crate::lab::wait_for;

const THEIR_VIP: &str = "10.0.0.50";

/// A site and a VRRP instance that are not hactl's.
const FURNISH: &str = r"
cat >/etc/nginx/sites-available/shop <<'END'
server {
    listen 8088;
    listen [::]:8088;
    server_name shop.example.com;
    location / { return 200 'the shop\n'; }
}
END
ln -s ../sites-available/shop /etc/nginx/sites-enabled/shop
cat >/etc/keepalived/keepalived.conf <<END
vrrp_instance VI_50 {
    state BACKUP
    interface eth0
    virtual_router_id 50
    priority $PRIORITY
    virtual_ipaddress {
        10.0.0.50/24
    }
}
END
systemctl enable -q nginx keepalived && systemctl restart nginx keepalived";

fn up() -> Option<Cluster> {
    let mut spec = machines();
    spec.nodes = 2;
    Cluster::up(&spec)
}

fn furnish(cluster: &Cluster) {
    for (index, node) in cluster.nodes().iter().enumerate() {
        cluster.on(node, &format!("PRIORITY={}\n{FURNISH}", 100 - index));
    }
    wait_for("their VIP to have its owner", || {
        cluster.owner_now(THEIR_VIP).is_some()
    });
}

/// What a plan would stop serving, as names and nodes in the plan's order.
fn losses(ended: &Ended) -> Vec<(String, String)> {
    let plan = &ended.json()["plan"];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let losses = plan["losses"].as_array().unwrap().iter();
    losses
        .map(|loss| (text(&loss["name"]), text(&loss["node"])))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, node): &(&str, &str)| ((*name).to_owned(), (*node).to_owned());
    expected.iter().map(pair).collect()
}

fn their_site(cluster: &Cluster) -> String {
    cluster.get(&format!("http://{THEIR_VIP}:8088/"))
}

#[test]
fn another_site_and_another_vip_are_given_up_only_by_name() {
    let Some(cluster) = up() else {
        return;
    };
    furnish(&cluster);
    let before = cluster.all_etc();
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0);
    assert_eq!(
        losses(&plan),
        pairs(&[
            (THEIR_VIP, "lb1"),
            (":8088", "lb1"),
            (THEIR_VIP, "lb2"),
            (":8088", "lb2"),
        ]),
        "{plan}"
    );
    for refused in [
        &["apply", "--yes"][..],
        &["apply", "--yes", "--stop-serving", ":8088"],
        &[
            "apply",
            "--yes",
            "--stop-serving",
            ":80",
            "--stop-serving",
            THEIR_VIP,
        ],
    ] {
        cluster.run(refused).exits(1);
        cluster.assert_etc(&before);
        assert_eq!(their_site(&cluster), "the shop\n");
    }
    // A saved plan lists them. Anything that it does not list, it does not stop.
    let saved = cluster.dir().join("saved.json").display().to_string();
    cluster.run(&["plan", "--out", &saved]).exits(0);
    cluster.run(&["apply", &saved, "--yes"]).exits(1);
    cluster.on(
        "lb2",
        "echo 'server { listen 8089; }' >/etc/nginx/sites-enabled/new; systemctl reload nginx",
    );
    wait_for("the new site", || {
        cluster.on("lb2", "ss -Hltn sport = :8089 | wc -l").trim() == "1"
    });
    let all = ["apply", &saved, "--yes", "--stop-serving", "all"];
    cluster.run(&all).exits(1).says("out of date");
    cluster.on(
        "lb2",
        "rm /etc/nginx/sites-enabled/new; systemctl reload nginx",
    );
    wait_for("the new site to go", || {
        cluster.on("lb2", "ss -Hltn sport = :8089 | wc -l").trim() == "0"
    });
    let named = [
        "--yes",
        "--stop-serving",
        ":8088",
        "--stop-serving",
        THEIR_VIP,
    ];
    cluster
        .run(&[&["apply", &saved][..], &named].concat())
        .exits(0);
    assert!(cluster.owners(THEIR_VIP).is_empty());
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);

    // The rollback gives up what hactl added, and nothing else.
    let back = ["rollback", "--yes", "--format", "json"];
    cluster.run(&["rollback", "--yes"]).exits(1);
    let ended = cluster
        .run(&[&back[..], &["--stop-serving", VIP]].concat())
        .exits(0);
    assert_eq!(losses(&ended), pairs(&[(VIP, "lb1"), (VIP, "lb2")]));
    cluster.assert_etc(&before);
    wait_for("their VIP to have its owner", || {
        cluster.owner_now(THEIR_VIP).is_some()
    });
    assert_eq!(their_site(&cluster), "the shop\n");
}

#[test]
fn a_vip_and_a_listener_that_the_inventory_drops_are_named() {
    let Some(cluster) = up() else {
        return;
    };
    let first = cluster.inventory();
    let more = first.replace(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24 }\n  - { address: 10.0.0.101/24 }",
    );
    assert_ne!(first, more);
    // nginx's own welcome page does not count as a loss.
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0);
    assert_eq!(losses(&plan), []);
    cluster.set_inventory(&more.replace("listen: [80]", "listen: [80, 8080]"));
    cluster.apply();
    let good = cluster.all_etc();
    cluster.set_inventory(&first);
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0);
    let names: std::collections::BTreeSet<String> =
        losses(&plan).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [":8080", "10.0.0.101"].map(str::to_owned).into());
    cluster.run(&["apply", "--yes"]).exits(1);
    cluster.assert_etc(&good);
    cluster.run(&["apply", "--check-only"]).exits(0);
    cluster
        .run(&["apply", "--yes", "--stop-serving", "all"])
        .exits(0);
    // Rolling that back loses nothing. Repeating it does.
    cluster.run(&["rollback", "--yes"]).exits(0);
    cluster.owner("10.0.0.101");
    cluster.run(&["rollback", "--to", "2", "--yes"]).exits(1);
    cluster.owner("10.0.0.101");
}

#[test]
fn an_inventory_of_another_cluster_is_refused() {
    let Some(cluster) = up() else {
        return;
    };
    cluster.apply();
    let good = cluster.all_etc();
    let own = cluster.inventory();
    let name = own
        .lines()
        .find_map(|line| line.strip_prefix("cluster: "))
        .unwrap();
    let other = own.replace(&format!("cluster: {name}\n"), "cluster: shop\n");
    assert_ne!(own, other);
    cluster.set_inventory(&other);
    for refused in [
        &["plan"][..],
        &["status"],
        &["apply", "--yes"],
        &["apply", "--check-only"],
        &["apply", "--yes", "--take-over", "somebody"],
        &["rollback", "--yes", "--to", "0", "--stop-serving", "all"],
    ] {
        cluster
            .run(refused)
            .exits(1)
            .says(&format!(
                "lb1 and lb2 belong to cluster {name} (generation 1, applied by tester@"
            ))
            .says(&format!(
                "plan, apply or roll back with `--take-over {name}`"
            ));
        cluster.assert_etc(&good);
    }
    // One node of the other cluster is enough.
    cluster
        .run(&["plan", "--limit", "lb2"])
        .exits(1)
        .says("lb2 belongs to cluster");
    cluster.run(&["plan", "--take-over", name]).exits(0);
    cluster
        .run(&["apply", "--yes", "--take-over", name])
        .exits(0);
    cluster.owner(VIP);
    // From then on the nodes belong to `shop`.
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.set_inventory(&own);
    cluster.run(&["plan"]).exits(1);
}

#[test]
fn a_rollback_takes_a_vip_away_and_brings_one_back_that_the_inventory_lacks() {
    let Some(cluster) = up() else {
        return;
    };
    cluster.apply();
    let (before, more) = (cluster.inventory(), "10.0.0.60");
    let vip = "  - { address: 10.0.0.100/24 }";
    let both = format!("{vip}\n  - {{ address: {more}/24 }}");
    assert!(before.contains(vip), "{before}");
    cluster.set_inventory(&before.replace(vip, &both));
    cluster.apply();
    cluster.owner(more);
    let users = Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 4);
    users.wait_for_answers(20);

    // The inventory still has the second VIP.
    let back = ["rollback", "--yes", "--format", "json"];
    let back = [&back[..], &["--stop-serving", more]].concat();
    let ended = cluster.run(&back).exits(0).json();
    assert_eq!(ended["outcome"]["result"], "applied", "{ended:#}");
    assert!(cluster.owners(more).is_empty());
    cluster.owner(VIP);

    // The inventory no longer has it, and at first another host does.
    cluster.set_inventory(&before);
    let address = format!("{more}/24");
    cluster.on_controller("ip", &["addr", "add", &address, "dev", "eth0"]);
    let forth = ["rollback", "--to", "2", "--yes"];
    cluster
        .run(&forth)
        .exits(1)
        .says("10.0.0.60 is already in use");
    cluster.on_controller("ip", &["addr", "del", &address, "dev", "eth0"]);
    cluster.run(&forth).exits(0);
    cluster.owner(more);
    users.wait_for_answers(20);
    println!("{:?}", users.end_without_failures());
}
