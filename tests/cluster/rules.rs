//! Rules about hosts and running daemons: each fault is made on a real node, and both `plan` and
//! `status` report it.

use crate::able::{the_finding, whole};
use crate::cluster::{Cluster, machines};

#[test]
fn plan_and_status_tell_of_each_broken_rule() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    whole(&cluster);
    let conf = "/etc/keepalived/keepalived.conf";

    // A script that others can modify.
    let hook = "/etc/keepalived/notify.sh";
    cluster.on("lb3", &format!("chmod o+w {hook}"));
    let finding = the_finding(&cluster, "KA041", "lb3");
    assert_eq!(finding["path"], "nodes[2]", "{finding}");
    cluster.on("lb3", &format!("chmod o-w {hook}"));
    whole(&cluster);

    // A worker of the running nginx with systemd's default limit.
    let limit = |files: &str| {
        format!(
            "pid=$(systemctl show nginx -p MainPID --value)
            for worker in $(cat /proc/$pid/task/$pid/children); do runuser -u www-data -- prlimit --pid $worker --nofile={files}:; done"
        )
    };
    cluster.on("lb2", &limit("1024"));
    the_finding(&cluster, "NG005", "lb2");
    cluster.on("lb2", &limit("20000"));
    whole(&cluster);

    // A networkd that would remove the VIP. (In these containers it configures links before it
    // looks for their addresses, so it removes none.)
    let network = "/etc/systemd/network/10-lan.network";
    cluster.on(
        "lb2",
        &format!(
            "printf '[Match]\nName=eth0\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >{network}
            systemctl start systemd-networkd"
        ),
    );
    the_finding(&cluster, "KA054", "lb2");
    cluster.on(
        "lb2",
        &format!(
            "mkdir {network}.d; printf '[Network]\nKeepConfiguration=static\n' >{network}.d/keep.conf"
        ),
    );
    assert!(crate::able::findings_of(&crate::able::status(&cluster), "KA054").is_empty());
    cluster.on(
        "lb2",
        &format!(
            "systemctl stop systemd-networkd.socket systemd-networkd; rm -r {network} {network}.d"
        ),
    );
    whole(&cluster);

    // An advertisement interval that differs from the other nodes'.
    cluster.on(
        "lb3",
        &format!(
            "cp -p {conf} /root/; sed -i 's/advert_int .*/advert_int 0.03/' {conf}; systemctl reload keepalived"
        ),
    );
    the_finding(&cluster, "KA020", "lb3");
    cluster.on(
        "lb3",
        &format!("cat /root/keepalived.conf >{conf}; systemctl reload keepalived"),
    );
    whole(&cluster);

    // A leftover VIP on a node whose keepalived is stopped.
    cluster.on(
        "lb2",
        "systemctl stop keepalived; ip addr add 10.0.0.100/24 dev eth0",
    );
    the_finding(&cluster, "DR003", "lb2");
    cluster.on(
        "lb2",
        "ip addr del 10.0.0.100/24 dev eth0; systemctl start keepalived",
    );
    whole(&cluster);

    // An owner whose failed nginx goes unnoticed.
    let owner = cluster.owner(crate::cluster::VIP);
    let check = "/etc/keepalived/check_nginx.sh";
    cluster.on(
        &owner,
        &format!("printf '#!/bin/sh\n' >{check}; systemctl stop nginx; echo 0 >/run/hactl/nginx"),
    );
    the_finding(&cluster, "DR002", &owner);
}
