//! Clusters that have been running for years: the traces of operators, packages and time.

use crate::clients::Load;
use crate::cluster::{Cluster, Ended, VIP, machines};

/// bash reads `~/.bashrc` even for `bash -c` if its standard input is a socket, as under sshd.
#[test]
fn a_shell_that_greets_is_no_part_of_any_answer() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up_quietly(&spec) else {
        return;
    };
    cluster.apply();
    for file in [".bashrc", ".profile", ".bash_profile"] {
        cluster.on(
            "lb2",
            &format!(
                "echo 'echo Welcome to $(uname -n); echo last login: never >&2' >>/root/{file}"
            ),
        );
    }
    let status = cluster.run(&["status", "--format", "json"]).exits(0).json();
    let lb2 = &status["nodes"][1];
    assert_eq!(
        lb2["units"]["nginx"]["loaded"], lb2["units"]["nginx"]["applied"],
        "{lb2}"
    );
    let up = lb2["backends"].as_array().unwrap();
    assert!(up.iter().all(|backend| backend["up"] == true), "{lb2}");

    cluster.edit("192.168.1.12:8080", "192.168.1.13:8080");
    cluster.apply();
    let test = ["failover-test", "--drill", "nginx-kill", "--yes"];
    cluster.run(&test).exits(0);
}

/// If both were changed, the one machine would get one node's files, and the other machine none.
#[test]
fn two_nodes_that_are_one_machine_are_refused() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    cluster.apply();
    let before = cluster.all_etc();
    cluster.edit("name: lb2,", "name: lb2, host: 10.0.0.11,");
    for verb in [&["plan"][..], &["apply", "--yes"]] {
        cluster
            .run(verb)
            .exits(1)
            .says("lb1 and lb2 are the same machine, lb1");
    }
    cluster.assert_etc(&before);
}

/// What operators and their tools do to hosts over the years. If any of it blocks a change, that is
/// reported before the change starts, and clients never notice.
#[test]
fn what_years_have_done_to_hosts_is_told_before_a_change_meets_it() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    cluster.apply();
    let users = Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 8);
    users.wait_for_answers(5);
    let (plain, weighted) = (
        "192.168.1.12:8080",
        "{ address: 192.168.1.12:8080, weight: 2 }",
    );
    cluster.edit(plain, weighted);
    let refused = |why: &str| -> Ended {
        let before = cluster.all_etc();
        let ended = cluster.run(&["apply", "--yes"]).exits(1).says(why);
        cluster.assert_etc(&before);
        ended
    };

    // A file made immutable.
    cluster.on("lb2", "chattr +i /etc/nginx/nginx.conf");
    let why = "lb2: cannot replace /etc/nginx/nginx.conf: it is immutable (chattr +i)";
    refused(why).says("`chattr -i`");
    let look = ["apply", "--yes", "--check-only"];
    cluster.run(&look).exits(1).says(why);
    cluster.on("lb2", "chattr -i /etc/nginx/nginx.conf");

    // A running unit that is masked.
    cluster.on("lb2", "systemctl mask nginx");
    refused("lb2: nginx.service is masked").says("`systemctl unmask nginx` on lb2");
    let status = cluster.run(&["status"]).exits(1);
    status.says("lb2: nginx.service is masked: systemd neither starts nor reloads it");
    cluster.on("lb2", "systemctl unmask nginx");

    // An sshd that allows one session per connection.
    for node in cluster.nodes() {
        let limit = "echo MaxSessions 1 >/etc/ssh/sshd_config.d/one.conf; systemctl restart ssh";
        cluster.on(&node, limit);
    }
    cluster.on("lb3", "cp -a /var/lib/hactl /etc/nginx /root");
    for (from, to) in [(weighted, plain), (plain, weighted)] {
        cluster.apply();
        cluster.edit(from, to);
    }
    cluster.apply();

    // A node restored from a backup.
    cluster.on(
        "lb3",
        "rm -rf /var/lib/hactl /etc/nginx; mv /root/hactl /var/lib; mv /root/nginx /etc; systemctl reload nginx",
    );
    let status = cluster.run(&["status"]).exits(1);
    status.says("lb3: it has generation 1, although generation 4 was applied to it");
    cluster.apply();
    cluster.run(&["status"]).exits(0);
    users.end_without_failures();
}

/// A change is done when the VIP is on its final owner, and that owner is the node that gets
/// proven.
#[test]
fn a_change_that_prefers_another_node_is_over_when_that_has_the_vip() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up_quietly(&spec) else {
        return;
    };
    let prefer = |of_lb1: u8, of_lb2: u8| {
        let (mut text, nodes) = (cluster.inventory(), [("lb1", of_lb1), ("lb2", of_lb2)]);
        for (name, priority) in nodes {
            let (start, rest) = text.split_once(&format!("name: {name},")).unwrap();
            let rest = rest.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
            let rest = rest.trim_start_matches("priority: ");
            let rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_digit());
            text = format!("{start}name: {name}, priority: {priority},{rest}");
        }
        text
    };
    cluster.set_inventory(&(prefer(200, 150) + "vrrp: { failover: standard }\n"));
    cluster.apply();
    assert_eq!(cluster.owner(VIP), "lb1");
    cluster.set_inventory(&prefer(150, 200));
    let ended = cluster.apply();
    assert_eq!(cluster.owner_now(VIP).as_deref(), Some("lb2"), "{ended}");
    ended
        .says("10.0.0.100 moves from lb1 to lb2.")
        .says("lb1 holds 10.0.0.100 until lb2, preferred then, takes over")
        .says("proven and confirmed")
        .says("10.0.0.100 is on lb2.")
        .never_says("stays put");

    // A new VIP is no problem while it is still missing, and is on its owner when the change is
    // done.
    cluster.edit(
        "  - { address: 10.0.0.100/24 }",
        "  - { address: 10.0.0.100/24 }\n  - { address: 10.0.0.101/24, prefer: lb1 }",
    );
    let ended = cluster.apply().never_says("no node owns");
    assert_eq!(
        cluster.owner_now("10.0.0.101").as_deref(),
        Some("lb1"),
        "{ended}"
    );
    assert_eq!(cluster.owner_now(VIP).as_deref(), Some("lb2"), "{ended}");
}
