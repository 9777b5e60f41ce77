//! The guide's cluster, from bare machines to a serving cluster and back.

use std::collections::BTreeSet;

use hactl::lab::{Image, LabSpec, Release};

use crate::cluster::{Cluster, GUIDE, VIP, machines};
use crate::snapshot::{Detail, assert_same, snapshot};

/// The files that hactl installs, with their modes.
const FILES: [(&str, &str); 9] = [
    ("keepalived/check_nginx.sh", "file 755 0:0"),
    ("keepalived/keepalived.conf", "file 644 0:0"),
    ("keepalived/notify.sh", "file 755 0:0"),
    ("keepalived/release_vips.sh", "file 755 0:0"),
    ("nginx/nginx.conf", "file 644 0:0"),
    ("sysctl.d/90-hactl.conf", "file 644 0:0"),
    (
        "systemd/system/keepalived.service.d/50-hactl.conf",
        "file 644 0:0",
    ),
    (
        "systemd/system/nginx.service.d/50-hactl.conf",
        "file 644 0:0",
    ),
    ("tmpfiles.d/hactl.conf", "file 644 0:0"),
];

#[test]
fn the_guides_cluster_from_bare_machines_to_one_that_serves_and_back() {
    from_bare_and_back(Release::Debian12);
}

#[test]
fn the_guides_cluster_on_what_calls_itself_rocky_linux() {
    from_bare_and_back(Release::RhelLike);
}

fn from_bare_and_back(release: Release) {
    let spec = LabSpec {
        image: Image::Bare,
        release,
        ..machines()
    };
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    cluster.set_inventory(GUIDE);
    let bare = cluster.etc_without_users();
    cluster
        .run(&["rollback", "--yes"])
        .exits(1)
        .says("hactl has applied nothing to these nodes yet");
    cluster
        .run(&["plan"])
        .exits(0)
        .says("nginx and keepalived and dependencies");

    cluster.apply().says("generation 1 is live");
    serves_through_all_backends(&cluster);
    for node in cluster.nodes() {
        looks_right_from_outside(&cluster, &node);
    }
    cluster.assert_no_traces();
    a_second_apply_touches_nothing(&cluster);
    cluster.run(&["status"]).exits(0);

    cluster
        .run(&["rollback", "--to", "7", "--yes"])
        .exits(1)
        .says("there is no generation 7; there are 0, 1");
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    for (node, after) in cluster.etc_without_users() {
        assert_same(&bare[&node], &after, &format!("{node}'s /etc"));
    }
    cluster.assert_no_traces();
    let packages = match release {
        Release::RhelLike => "rpm -qa | grep -E 'nginx|keepalived'",
        _ => "dpkg --audit",
    };
    for node in cluster.nodes() {
        let left = cluster.on(
            &node,
            &format!(
                "command -v nginx keepalived; ls -d /run/hactl /etc/nginx /etc/keepalived /var/lib/nginx \
                 /usr/share/nginx 2>/dev/null; pgrep -l 'nginx|keepalived'; \
                 cat /proc/sys/net/ipv4/tcp_fin_timeout /proc/sys/net/ipv4/ip_local_reserved_ports; {packages}; :"
            ),
        );
        assert_eq!(left.trim(), "60", "{node}");
    }
    assert!(cluster.owners(VIP).is_empty());
}

fn serves_through_all_backends(cluster: &Cluster) {
    assert_eq!(cluster.owner(VIP), "lb1");
    let pages: BTreeSet<String> = (0..9)
        .map(|_| cluster.get(&format!("http://{VIP}/")).trim().to_owned())
        .collect();
    assert_eq!(pages, BTreeSet::from(["b1", "b2", "b3"].map(str::to_owned)));
    assert_eq!(cluster.get(&format!("http://{VIP}/health")), "ok\n");
}

fn looks_right_from_outside(cluster: &Cluster, node: &str) {
    let etc = cluster.etc(node, Detail::Content);
    for (path, expected) in FILES {
        let found = etc.get(path).unwrap_or_else(|| panic!("{node}: no {path}"));
        assert!(found.starts_with(expected), "{node}: {path}: {found}");
    }
    let state = cluster.on(node, "stat -c '%a %U:%G' /var/lib/hactl");
    assert_eq!(state, "700 root:root\n", "{node}");
    let units = cluster.on(
        node,
        "systemctl is-enabled nginx keepalived; systemctl is-active nginx keepalived; \
         systemctl is-system-running",
    );
    assert_eq!(
        units, "enabled\nenabled\nactive\nactive\nrunning\n",
        "{node}"
    );
    let whole = cluster.on(node, "nginx -T 2>/dev/null");
    for line in [
        "least_conn;",
        "keepalive 32;",
        "server 192.168.1.12:8080 max_fails=3 fail_timeout=30s;",
        "worker_connections 10000;",
        "client_max_body_size 100m;",
    ] {
        assert!(whole.contains(line), "{node}: no {line} in\n{whole}");
    }
    let kernel = cluster.on(
        node,
        "cd /proc/sys/net && cat core/somaxconn ipv4/tcp_fin_timeout ipv4/ip_local_port_range",
    );
    assert_eq!(kernel, "65535\n30\n1024\t65535\n", "{node}");
    let open = cluster.on(
        node,
        "grep 'open files' /proc/$(systemctl show -p MainPID --value nginx)/limits",
    );
    assert!(open.contains("20000"), "{node}: {open}");
    let priority = match node {
        "lb1" => "priority 100",
        "lb2" => "priority 90",
        _ => "priority 80",
    };
    let conf = cluster.on(node, "cat /etc/keepalived/keepalived.conf");
    assert!(conf.contains(priority), "{node}: {conf}");
}

fn a_second_apply_touches_nothing(cluster: &Cluster) {
    let look = |node: &String| {
        (
            cluster.etc(node, Detail::Identity),
            snapshot(
                &cluster.node_root(node).join("var/lib/hactl"),
                Detail::Identity,
                &[],
            ),
            cluster.running(node),
        )
    };
    let before: Vec<_> = cluster.nodes().iter().map(look).collect();
    cluster.apply().says("nothing to change");
    for (node, before) in cluster.nodes().iter().zip(before) {
        let after = look(node);
        assert_same(&before.0, &after.0, &format!("{node}'s /etc"));
        assert_same(&before.1, &after.1, &format!("{node}'s /var/lib/hactl"));
        assert_eq!(before.2, after.2, "{node}");
    }
}
