//! Proven means able to serve and to take over. If a change makes a node unable to, the change
//! fails. If a node was unable before, `status` names it, and later changes to the other nodes
//! still succeed.

use serde_json::Value;

use crate::cluster::{Cluster, Ended, VIP, machines};
use crate::lab::wait_for;

const FIREWALL: &str = "nft add table inet t
    nft add chain inet t i '{ type filter hook input priority 0; }'
    nft add rule inet t i iifname eth0 tcp dport 80 drop";

/// The problems in a status report.
fn problems_of(ended: &Ended) -> Vec<Value> {
    let json = ended.json();
    json["problems"].as_array().unwrap().clone()
}

pub(crate) fn status(cluster: &Cluster) -> Ended {
    cluster.run(&["status", "--format", "json"])
}

#[track_caller]
pub(crate) fn whole(cluster: &Cluster) {
    let mut last = None;
    wait_for("the cluster to be whole", || {
        let ended = status(cluster);
        let is_whole = ended.code() == Some(0) && problems_of(&ended).is_empty();
        last = Some(ended);
        is_whole
    });
}

/// Waits for the given problem to be the cluster's only one, and returns it.
#[track_caller]
fn the_problem(cluster: &Cluster, kind: &str) -> Value {
    let mut found = Value::Null;
    wait_for(kind, || {
        let ended = status(cluster);
        let mut problems = problems_of(&ended);
        let is_it = problems.len() == 1 && problems[0]["problem"] == kind;
        if is_it {
            assert_eq!(ended.code(), Some(1), "{ended}");
            found = problems.remove(0);
        }
        is_it
    });
    found
}

/// The findings of `rule` in a report.
pub(crate) fn findings_of(ended: &Ended, rule: &str) -> Vec<Value> {
    let json = ended.json();
    let all = json["findings"]
        .as_array()
        .unwrap_or_else(|| panic!("{ended}"));
    all.iter()
        .filter(|one| one["rule"] == rule)
        .cloned()
        .collect()
}

/// Waits for a finding of `rule` about one node that both `status` and `plan` report, and returns
/// it.
#[track_caller]
pub(crate) fn the_finding(cluster: &Cluster, rule: &str, node: &str) -> Value {
    let is_it = |finding: &Value| finding["node"] == node;
    wait_for(rule, || {
        findings_of(&status(cluster), rule).iter().any(is_it)
    });
    let plan = cluster.run(&["plan", "--format", "json"]);
    let planned = findings_of(&plan, rule);
    let ended = status(cluster);
    let mut told = findings_of(&ended, rule);
    // Compare nodes only: counters in the findings may have moved on.
    let nodes = |findings: &[Value]| -> Vec<Value> {
        findings.iter().map(|one| one["node"].clone()).collect()
    };
    assert_eq!(nodes(&planned), nodes(&told), "{plan}\n{ended}");
    assert_eq!(told.len(), 1, "{ended}");
    let told = told.remove(0);
    assert_eq!(told["node"], node, "{ended}");
    let code = i32::from(told["severity"] == "error");
    assert_eq!(ended.code(), Some(code), "{ended}");
    told
}

#[test]
fn status_names_what_keeps_a_backup_from_taking_over() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    whole(&cluster);

    // A firewall in front of nginx, on a node that gets no requests while it is a backup.
    cluster.on("lb2", FIREWALL);
    let problem = the_problem(&cluster, "unreachable");
    assert_eq!(problem["node"], "lb2");
    assert_eq!(problem["port"], 80);
    assert_eq!(problem["answer"], "silent");
    cluster.on("lb2", "nft delete table inet t");
    whole(&cluster);

    // A missing hook.
    let hook = "/etc/keepalived/notify.sh";
    cluster.on("lb3", &format!("chmod a-x {hook}"));
    let finding = the_finding(&cluster, "KA040", "lb3");
    assert!(
        finding["message"].as_str().unwrap().contains(hook),
        "{finding}"
    );
    cluster.on("lb3", &format!("chmod a+x {hook}"));
    whole(&cluster);

    // A check script that always fails.
    let check = "/etc/keepalived/check_nginx.sh";
    cluster.on(
        "lb3",
        &format!("cp -p {check} /root/; printf '#!/bin/sh\nexit 3\n' >{check}"),
    );
    let problem = the_problem(&cluster, "not_electable");
    assert_eq!(
        (&problem["node"], &problem["state"]),
        (&"lb3".into(), &"FAULT".into())
    );
    assert!(problem["seconds"].is_u64(), "{problem}");
    let cause = &problem["causes"][0];
    assert_eq!(
        (&cause["cause"], &cause["path"]),
        (&"script_failing".into(), &check.into())
    );
    assert_eq!(cause["failure"], "failed (exited with status 3)");
    cluster.on("lb3", &format!("cat /root/check_nginx.sh >{check}"));
    whole(&cluster);
}

/// Applies a change that must be rolled back, and returns the problems.
#[track_caller]
fn undone(cluster: &Cluster) -> Vec<Value> {
    let before = cluster.all_etc();
    let ended = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(4);
    cluster.assert_etc(&before);
    let json = ended.json();
    let problems = json["outcome"]["failure"]["problems"].as_array();
    problems.unwrap_or_else(|| panic!("{ended}")).clone()
}

#[test]
fn a_change_that_leaves_a_node_unable_is_undone() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    whole(&cluster);
    let inventory = cluster.inventory();

    // A port that the change opens, but a firewall on a backup drops.
    let listen = "listen: [80]";
    cluster.on("lb2", &FIREWALL.replace("dport 80 ", "dport 8088 "));
    cluster.edit(listen, "listen: [80, 8088]");
    let problems = undone(&cluster);
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(problem["problem"], "unreachable");
    assert_eq!(
        (&problem["node"], &problem["port"]),
        (&"lb2".into(), &8088.into())
    );
    cluster.set_inventory(&inventory);
    cluster.on("lb2", "nft delete table inet t");

    // A backup that receives no adverts.
    cluster.on(
        "lb3",
        &FIREWALL.replace("tcp dport 80 drop", "ip protocol 112 drop"),
    );
    let several = |problem: &Value| problem["problem"] == "several_owners";
    wait_for("a second owner", || {
        let ended = status(&cluster);
        ended.code() == Some(1) && !findings_of(&ended, "DR001").is_empty()
    });
    the_finding(&cluster, "FW001", "lb3");
    cluster.edit("192.168.1.12:8080", "192.168.1.12:8081");
    let problems = undone(&cluster);
    assert!(problems.iter().any(several), "{problems:?}");
    cluster.on("lb3", "nft delete table inet t");
}

/// Both plan and apply refuse, and nothing is touched.
#[track_caller]
fn refused(cluster: &Cluster, words: &str) {
    let before = cluster.all_etc();
    cluster.run(&["plan"]).exits(1).says(words);
    cluster.run(&["apply", "--check-only"]).exits(1).says(words);
    let ended = cluster.run(&["apply", "--yes"]).exits(1);
    ended.says(words).never_says("locked");
    cluster.assert_etc(&before);
}

#[test]
fn what_a_host_lacks_is_seen_before_anything_is_changed() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    whole(&cluster);
    let inventory = cluster.inventory();

    // A VRRP address that lb3 does not have.
    cluster.edit(
        "name: lb3, address: 10.0.0.13",
        "name: lb3, host: 10.0.0.13, address: 10.0.0.63",
    );
    refused(
        &cluster,
        "lb3: the host does not have its address 10.0.0.63",
    );

    // A hook that is missing on one node.
    cluster.set_inventory(&format!(
        "{inventory}notify: {{ hook: /usr/local/bin/page }}\n"
    ));
    for node in ["lb1", "lb2"] {
        cluster.on(node, "ln -s /bin/true /usr/local/bin/page");
    }
    refused(
        &cluster,
        "lb3: keepalived cannot run /usr/local/bin/page: it does not exist (KA040)",
    );
    cluster.on("lb3", "ln -s /bin/true /usr/local/bin/page");
    cluster.apply();
    whole(&cluster);

    // A hook that has disappeared since is reported, but blocks no other change.
    cluster.on("lb3", "rm /usr/local/bin/page");
    cluster.edit("192.168.1.12:8080", "192.168.1.12:8081");
    cluster
        .run(&["plan"])
        .exits(0)
        .says("lb3: keepalived cannot run /usr/local/bin/page");
    cluster.apply().says("Still wrong, as before:");
}

#[test]
fn a_firewall_is_named_where_sites_listen_at_the_vip_alone() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.edit("listen: [80]", "listen: [\"10.0.0.100:80\"]");
    cluster.apply();
    whole(&cluster);

    // On a backup, where nobody can connect to the VIP. That is no reason to roll back an unrelated
    // change.
    let firewall = FIREWALL.replace("iifname eth0 ", "");
    cluster.on("lb2", &firewall);
    let problem = the_problem(&cluster, "dropped");
    assert_eq!(
        (&problem["node"], &problem["port"]),
        (&"lb2".into(), &80.into())
    );
    cluster.edit("192.168.1.12:8080", "192.168.1.12:8081");
    cluster
        .run(&["apply", "--yes"])
        .exits(0)
        .says("Still wrong, as before: lb2: 10.0.0.12 port 80");

    // There, the rule may be meant for all addresses except the VIP.
    for node in ["lb1", "lb3"] {
        cluster.on(
            node,
            &firewall.replace("tcp dport", "ip daddr != 10.0.0.100 tcp dport"),
        );
    }
    whole(&cluster);
    for node in ["lb1", "lb2", "lb3"] {
        cluster.on(node, "nft delete table inet t");
    }
    whole(&cluster);

    // A port that the change opens.
    let inventory = cluster.inventory();
    cluster.on("lb3", &firewall.replace("dport 80 ", "dport 8443 "));
    cluster.edit(
        "\"10.0.0.100:80\"",
        "\"10.0.0.100:80\", \"10.0.0.100:8443\"",
    );
    let problems = undone(&cluster);
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (&problem["problem"], &problem["node"], &problem["port"]),
        (&"dropped".into(), &"lb3".into(), &8443.into())
    );
    cluster.set_inventory(&inventory);
    cluster.on("lb3", "nft delete table inet t");
}

#[test]
fn an_owner_that_cannot_connect_to_its_own_vip_either_is_named() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.edit("listen: [80]", "listen: [\"10.0.0.100:80\"]");
    cluster.apply();
    whole(&cluster);
    let owner = cluster.owner(VIP);
    cluster.on(&owner, &FIREWALL.replace("iifname eth0 ", ""));
    let ended = status(&cluster).exits(1);
    let found = problems_of(&ended);
    let of_kind = |kind: &str| found.iter().find(|problem| problem["problem"] == kind);
    let problem = of_kind("not_served").unwrap_or_else(|| panic!("{ended}"));
    assert_eq!(
        (&problem["node"], &problem["vip"], &problem["port"]),
        (&owner.as_str().into(), &VIP.into(), &80.into())
    );
    assert_eq!(problem["listens"], true);
    // Its own address is silent, too.
    assert_eq!(of_kind("dropped").unwrap()["node"], owner.as_str());
    assert_eq!(found.len(), 2, "{ended}");
    cluster.on(&owner, "nft delete table inet t");
    whole(&cluster);
}

#[test]
fn a_node_that_was_not_well_before_fails_no_change_but_for_what_it_adds() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    whole(&cluster);

    // A fault unrelated to the change.
    cluster.on("lb3", "echo -254 >/run/hactl/nginx");
    let problem = the_problem(&cluster, "not_electable");
    assert_eq!(problem["causes"][0]["cause"], "tracked_file");
    assert_eq!(problem["causes"][0]["value"], -254);
    cluster.edit("192.168.1.12:8080", "192.168.1.12:8081");
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(plan["problems"][0]["problem"], "not_electable", "{plan}");
    cluster
        .run(&["plan"])
        .exits(0)
        .says("problem: lb3: VI_1 is in FAULT for");
    let inventory = cluster.inventory();
    let ended = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(0);
    let json = ended.json();
    let events = json["events"].as_array().unwrap();
    let is_it = |event: &&Value| event["event"] == "problems_remain";
    let remains = events.iter().rfind(is_it).unwrap();
    assert_eq!(remains["problems"][0]["node"], "lb3", "{ended}");
    assert_eq!(cluster.owner(VIP), "lb1");

    // A change that adds another fault to that node, visible only once it is active.
    cluster.on("lb3", &FIREWALL.replace("dport 80 ", "dport 8088 "));
    cluster.edit("listen: [80]", "listen: [80, 8088]");
    let problems = undone(&cluster);
    assert_eq!(problems[0]["problem"], "unreachable", "{problems:?}");
    assert_eq!(problems[0]["port"], 8088, "{problems:?}");
    cluster.set_inventory(&inventory);
    cluster.on("lb3", "nft delete table inet t");
    cluster.on("lb3", "echo 0 >/run/hactl/nginx");
    whole(&cluster);

    // A change that repairs the node.
    cluster.on(
        "lb3",
        "printf '#!/bin/sh\nexit 3\n' >/etc/keepalived/check_nginx.sh",
    );
    the_problem(&cluster, "not_electable");
    let ended = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(0);
    let json = ended.json();
    let remains = |event: &Value| event["event"] == "problems_remain";
    assert!(
        !json["events"].as_array().unwrap().iter().any(remains),
        "{ended}"
    );
    whole(&cluster);
}

/// Kills lb1's nginx, and returns how long another node takes to own the VIP.
fn takeover(cluster: &Cluster) -> std::time::Duration {
    let killed = std::time::Instant::now();
    cluster.on("lb1", "systemctl kill -s KILL nginx.service");
    wait_for("a take-over", || {
        let own = |node: &&str| cluster.on(node, "ip -o addr show eth0").contains(VIP);
        ["lb2", "lb3"].iter().any(own)
    });
    killed.elapsed()
}

#[test]
fn a_tracked_file_that_is_not_watched_any_more_is_named_and_watched_again() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    whole(&cluster);
    let unwatched = |ended: &Ended| {
        let nodes = ended.json()["nodes"].as_array().unwrap().clone();
        let lb1 = nodes.iter().find(|node| node["node"] == "lb1").unwrap();
        lb1["drift"].to_string().contains("unwatched")
    };
    // Once with the file simply removed, and once after nginx has written it again, so that it
    // looks untouched.
    for what in [
        "rm /run/hactl/nginx",
        "rm -r /run/hactl",
        "rm -r /run/hactl; mkdir /run/hactl; echo 0 >/run/hactl/nginx",
    ] {
        cluster.on("lb1", what);
        let ended = status(&cluster).exits(1);
        assert!(unwatched(&ended), "{what}: {ended}");
        cluster
            .run(&["plan"])
            .exits(0)
            .says("keepalived no longer watches /run/hactl/nginx");
        cluster.apply();
        whole(&cluster);
        assert_eq!(cluster.on("lb1", "cat /run/hactl/nginx"), "0\n");
    }
    let took = takeover(&cluster);
    assert!(took < std::time::Duration::from_secs(1), "{took:?}");
}
