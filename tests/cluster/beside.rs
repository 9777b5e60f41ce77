//! hactl next to other software on the same nodes: its site and VIP are served before, during and
//! after changes, and its files are left alone.

use crate::clients::Load;
use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

const THEIR_VIP: &str = "10.0.0.50";
const NGINX: &str = "/etc/nginx/nginx.conf";
const KEEPALIVED: &str = "/etc/keepalived/keepalived.conf";

/// The other software: a site, and a VRRP instance in a keepalived.conf without an include.
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
global_defs {
    router_id theirs
}
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
chmod 640 /etc/keepalived/keepalived.conf
systemctl enable -q nginx keepalived && systemctl restart nginx keepalived";

/// Two nodes with the other software, and an inventory that shares both daemons with it. Lost
/// requests are counted.
fn up() -> Option<Cluster> {
    let mut spec = machines();
    spec.nodes = 2;
    let cluster = Cluster::up_quietly(&spec)?;
    for (index, node) in cluster.nodes().iter().enumerate() {
        cluster.on(node, &format!("PRIORITY={}\n{FURNISH}", 100 - index));
    }
    wait_for("their VIP to have its owner", || {
        cluster.owner_now(THEIR_VIP).is_some()
    });
    let shared = "hosts: { nginx: shared, keepalived: shared }\n";
    cluster.set_inventory(&format!("{}{shared}", cluster.inventory()));
    Some(cluster)
}

fn include(cluster: &Cluster) {
    for node in cluster.nodes() {
        cluster.on(
            &node,
            "echo 'include /etc/keepalived/conf.d/*.conf' >>/etc/keepalived/keepalived.conf",
        );
    }
}

fn their_users(cluster: &Cluster) -> Load {
    Load::start(&cluster.netns("ctl"), &format!("{THEIR_VIP}:8088"), 6)
}

fn own_users(cluster: &Cluster) -> Load {
    Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 6)
}

/// The PIDs of each node's daemons, which show whether any was restarted or killed.
fn since(cluster: &Cluster) -> Vec<String> {
    let pids = "systemctl show -p MainPID --value nginx keepalived";
    let nodes = cluster.nodes();
    nodes.iter().map(|node| cluster.on(node, pids)).collect()
}

/// The other software's two files, with mode and owner.
fn theirs(cluster: &Cluster) -> Vec<String> {
    let look = format!("stat -c '%a %U %G %i' {NGINX} {KEEPALIVED}; cat {NGINX} {KEEPALIVED}");
    let nodes = cluster.nodes();
    nodes.iter().map(|node| cluster.on(node, &look)).collect()
}

#[test]
fn what_others_serve_is_served_before_meanwhile_and_after() {
    let Some(cluster) = up() else {
        return;
    };
    let bare = cluster.all_etc();
    cluster
        .run(&["apply", "--yes"])
        .exits(1)
        .says("keepalived.conf does not include /etc/keepalived/conf.d/hactl.conf")
        .says("add the line `include /etc/keepalived/conf.d/*.conf`");
    cluster.assert_etc(&bare);
    include(&cluster);
    let (before, files, daemons) = (cluster.all_etc(), theirs(&cluster), since(&cluster));
    let others = cluster.owner(THEIR_VIP);

    let users = their_users(&cluster);
    users.wait_for_answers(20);
    let plan = cluster.run(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(plan["plan"]["losses"], serde_json::json!([]), "{plan:#}");
    assert_eq!(plan["plan"]["strategy"]["kind"], "rolling", "{plan:#}");
    cluster.apply();
    assert_eq!(cluster.owner(VIP), "lb1");
    assert_eq!(cluster.owner(THEIR_VIP), others);
    assert!(!cluster.get(&format!("http://{VIP}/")).contains("shop"));
    assert_eq!(theirs(&cluster), files);
    assert_eq!(since(&cluster), daemons);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);

    // Others may change their own files: that is no drift, and apply does not revert it.
    for node in cluster.nodes() {
        let add = "echo 'server { listen 8089; return 200 more; }' >/etc/nginx/sites-enabled/more
            sed -i 's/# server_tokens off/server_tokens off/' /etc/nginx/nginx.conf
            nginx -t && systemctl reload nginx";
        cluster.on(&node, add);
    }
    wait_for("their new site", || {
        let count = "ss -Hltn sport = :8089 | wc -l";
        let nodes = cluster.nodes();
        nodes
            .iter()
            .all(|node| cluster.on(node, count).trim() == "1")
    });
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);

    // A change to hactl's part, under load.
    let own = own_users(&cluster);
    own.wait_for_answers(20);
    cluster.edit("listen: [80]", "listen: [80, 8080]");
    cluster.apply();
    own.wait_for_answers(20);
    println!("own users: {:?}", own.end_without_failures());
    assert!(!cluster.get(&format!("http://{VIP}:8080/")).contains("shop"));
    assert_eq!(since(&cluster), daemons);
    println!("their users, meanwhile: {:?}", users.end_without_failures());

    // A simultaneous change stops keepalived on all nodes but the keeper, and others' VIPs there
    // move.
    cluster.on(
        "lb2",
        "sed -i 's/priority .*/priority 110/' /etc/keepalived/keepalived.conf && systemctl reload keepalived",
    );
    wait_for("their VIP on lb2", || {
        cluster.owner_now(THEIR_VIP).as_deref() == Some("lb2")
    });
    let plain = cluster.inventory();
    cluster.set_inventory(&format!("{plain}vrrp: {{ advert_interval: 100ms }}\n"));
    let said = "lb2 gives up 10.0.0.50, which is not hactl's: its keepalived is stopped meanwhile";
    cluster.run(&["plan"]).exits(0).says(said);
    let own = own_users(&cluster);
    own.wait_for_answers(20);
    cluster.apply().says(said);
    own.wait_for_answers(20);
    println!("own users, all at once: {:?}", own.end_without_failures());
    wait_for("their VIP back on lb2", || {
        cluster.owner_now(THEIR_VIP).as_deref() == Some("lb2")
    });
    cluster.on(
        "lb2",
        "sed -i 's/priority .*/priority 99/' /etc/keepalived/keepalived.conf && systemctl reload keepalived",
    );
    wait_for("their VIP on lb1", || {
        cluster.owner_now(THEIR_VIP).as_deref() == Some("lb1")
    });

    // nginx serves both, so a drill that kills it affects the other site, too.
    let drill = ["failover-test", "--drill", "nginx-kill", "--yes"];
    println!("{}", cluster.run(&drill).exits(0).stdout);
    wait_for("both VIPs", || {
        cluster.owner_now(VIP).is_some() && cluster.owner_now(THEIR_VIP).is_some()
    });

    for node in cluster.nodes() {
        let remove = "rm /etc/nginx/sites-enabled/more
            sed -i 's/server_tokens off/# server_tokens off/' /etc/nginx/nginx.conf
            nginx -t && systemctl reload nginx";
        cluster.on(&node, remove);
    }
    let (users, daemons) = (their_users(&cluster), since(&cluster));
    users.wait_for_answers(20);
    let back = ["rollback", "--to", "0", "--yes"];
    cluster.run(&back).exits(1);
    cluster
        .run(&[&back[..], &["--stop-serving", "all"]].concat())
        .exits(0);
    users.wait_for_answers(20);
    println!("their users, back: {:?}", users.end_without_failures());
    cluster.assert_etc(&before);
    assert_eq!(since(&cluster), daemons);
    assert!(cluster.owners(VIP).is_empty());
    cluster.owner(THEIR_VIP);
}

#[test]
fn what_stands_in_the_others_way_is_named_and_nothing_is_changed() {
    let Some(cluster) = up() else {
        return;
    };
    include(&cluster);
    let refuses = |what: &str, undo: &str, words: &[&str]| {
        cluster.on("lb2", what);
        let before = cluster.all_etc();
        for verb in [&["apply", "--yes"][..], &["apply", "--check-only"]] {
            let ended = cluster.run(verb).exits(1);
            words.iter().fold(ended, |ended, words| ended.says(words));
            cluster.assert_etc(&before);
        }
        cluster.on("lb2", undo);
    };
    refuses(
        "sed -i.own 's/VI_50/VI_1/' /etc/keepalived/keepalived.conf",
        "mv /etc/keepalived/keepalived.conf.own /etc/keepalived/keepalived.conf",
        &["lb2: /etc/keepalived/keepalived.conf already has a vrrp_instance VI_1"],
    );
    refuses(
        "sed -i.own 's/10.0.0.50/10.0.0.100/' /etc/keepalived/keepalived.conf",
        "mv /etc/keepalived/keepalived.conf.own /etc/keepalived/keepalived.conf",
        &["already has 10.0.0.100"],
    );
    refuses(
        "cp -p /etc/keepalived/keepalived.conf /root
        printf 'vrrp_script s {\\n script /bin/true\\n}\\n' >>/etc/keepalived/keepalived.conf",
        "mv /root/keepalived.conf /etc/keepalived",
        &["runs scripts without enable_script_security"],
    );
    refuses(
        "sed -i.own '/conf.d/d' /etc/nginx/nginx.conf",
        "mv /etc/nginx/nginx.conf.own /etc/nginx/nginx.conf",
        &[
            "lb2: /etc/nginx/nginx.conf does not include /etc/nginx/conf.d/hactl.conf",
            "add `include /etc/nginx/conf.d/*.conf;` to the http block",
        ],
    );
    // Conflicts that nginx itself finds, in its own words.
    refuses(
        "echo 'upstream backend { server 10.9.9.9; }' >/etc/nginx/conf.d/theirs.conf",
        "rm /etc/nginx/conf.d/theirs.conf",
        &["duplicate upstream \"backend\" in /etc/nginx/conf.d/theirs.conf:1"],
    );
    refuses(
        "echo 'log_format hactl x;' >/etc/nginx/conf.d/theirs.conf",
        "rm /etc/nginx/conf.d/theirs.conf",
        &["duplicate \"log_format\" name \"hactl\""],
    );
    refuses(
        "echo 'server { listen 10.0.0.100:80 default_server; }' >/etc/nginx/conf.d/theirs.conf",
        "rm /etc/nginx/conf.d/theirs.conf",
        &["a duplicate default server for 10.0.0.100:80"],
    );
    cluster.run(&["apply", "--check-only"]).exits(0);
}

#[test]
fn from_shared_to_owned_loses_no_request_and_back_only_over_the_hosts_own_files() {
    let Some(cluster) = up() else {
        return;
    };
    include(&cluster);
    let before = cluster.all_etc();
    cluster.apply();
    let users = own_users(&cluster);
    users.wait_for_answers(20);
    cluster.edit("nginx: shared", "nginx: owned");
    // Owning the file would stop the others' site, so hactl requires `--stop-serving` for it.
    cluster.run(&["apply", "--yes"]).exits(1);
    cluster
        .run(&["apply", "--yes", "--stop-serving", ":8088"])
        .exits(0);
    users.wait_for_answers(20);
    println!("to owned: {:?}", users.end_without_failures());
    cluster.on("lb1", "! ls /etc/nginx/conf.d/hactl.conf 2>/dev/null");
    cluster.owner(THEIR_VIP);
    let good = cluster.all_etc();
    cluster.edit("nginx: owned", "nginx: shared");
    for refused in [&["apply", "--yes"][..], &["rollback", "--yes"]] {
        cluster
            .run(refused)
            .exits(1)
            .says("lb1: /etc/nginx/nginx.conf is hactl's own since generation 2")
            .says("hactl rollback --to 0");
        cluster.assert_etc(&good);
    }
    let back = ["rollback", "--to", "0", "--yes", "--stop-serving", "all"];
    cluster.run(&back).exits(0);
    cluster.assert_etc(&before);
    cluster.apply();
    cluster.owner(VIP);
    cluster.owner(THEIR_VIP);
}
