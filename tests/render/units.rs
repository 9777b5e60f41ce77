//! The drop-ins under a real systemd: what happens to the VIP when a daemon dies or is stopped.

use crate::cluster::cluster;
use crate::lab::TestLab;
use hactl::lab::{Image, LabSpec};
use hactl::model::{NodeFacts, Secrets};
use hactl::render::{Templates, render};

/// Functions for scripts on the node. Times are in milliseconds.
const TOOLS: &str = r#"
set -eu
now() { echo $(( $(date +%s%N) / 1000000 )); }
vip() { ip -brief address show dev eth0 | grep -q 10.0.0.100/; }
# Waits until "$@" holds, for at most "$limit", and says how long it took.
until_true() {
    start=$(now)
    while ! "$@"; do
        if [ $(( $(now) - start )) -gt "$limit" ]; then echo "not in $limit ms: $*"; return 1; fi
        sleep 0.005
    done
    took=$(( $(now) - start ))
}
no_vip() { ! vip; }
tracked() { [ "$(cat /run/hactl/nginx)" = "$1" ]; }
limit=15000
"#;

#[test]
fn the_vip_leaves_with_nginx_and_comes_back_with_it() {
    let spec = LabSpec {
        nodes: 1,
        backends: 0,
        image: Image::Installed,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let mut cluster = cluster();
    cluster.nodes.truncate(1);
    cluster.instances[0].priority_order.truncate(1);
    let (facts, templates) = (NodeFacts::debian_12(), Templates::embedded().unwrap());
    let secrets = Secrets::default();
    let node = render(&cluster, &cluster.nodes[0], &facts, &secrets, &templates).unwrap();
    for file in &node.files {
        let parent = file.path.as_path().parent().unwrap().as_str();
        lab.on_node("lb1", "mkdir", &["-p", parent]);
        let text = String::from_utf8(file.content.clone()).unwrap();
        let script = "printf %s \"$1\" >\"$2\" && chmod \"$3\" \"$2\"";
        let mode = format!("{:o}", file.mode);
        let args = ["-c", script, "sh", &text, file.path.as_str(), &mode];
        lab.on_node("lb1", "sh", &args);
    }
    let run = |script: &str| lab.on_node("lb1", "sh", &["-c", &format!("{TOOLS}{script}")]);

    // nginx was already running before the drop-ins existed, so keepalived has to detect it without
    // them.
    run("systemctl is-active --quiet nginx || systemctl start nginx
        rm -rf /run/hactl
        systemctl daemon-reload
        systemd-analyze verify nginx.service keepalived.service 2>&1 | grep -i hactl && exit 1
        systemctl reload nginx
        systemctl restart keepalived
        until_true vip; tracked 0");
    println!(
        "{}",
        run("systemctl restart nginx; until_true vip; tracked 0
        limit=1000
        kill -9 $(cat /run/nginx.pid)
        until_true no_vip; echo \"nginx killed: VIP gone after $took ms\"
        limit=15000
        until_true vip; tracked 0; echo \"nginx restarted by systemd: VIP back after $took ms\"")
    );
    println!(
        "{}",
        run("limit=1000
        systemctl stop nginx &
        until_true no_vip; gone=$took
        [ -e /run/nginx.pid ] && timeout 1 /etc/keepalived/check_nginx.sh || { echo 'nginx stopped before the VIP left'; exit 1; }
        wait
        ! systemctl is-active --quiet nginx; tracked -254
        echo \"nginx stopped: VIP gone after $gone ms, with nginx still serving\"
        limit=15000
        systemctl start nginx
        until_true vip; tracked 0")
    );
    println!(
        "{}",
        run("limit=1000
        systemctl reload keepalived; sleep 0.5; vip; tracked 0
        [ \"$(cat /run/hactl/vrrp.VI_1)\" = MASTER ]
        pkill -9 keepalived
        until_true no_vip; echo \"keepalived killed: VIP released after $took ms\"
        limit=15000
        until_true vip; echo \"keepalived restarted by systemd: VIP back after $took ms\"
        systemctl stop keepalived; no_vip
        systemctl stop nginx
        systemctl start keepalived; sleep 1; no_vip; tracked -254")
    );
}
