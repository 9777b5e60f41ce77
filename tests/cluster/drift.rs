//! Changes made outside of hactl: each difference is named, and apply corrects it.

use crate::cluster::{Cluster, VIP, machines};

#[test]
fn every_difference_between_file_kernel_and_process_is_named_and_corrected() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.set_inventory(&format!(
        "{}sysctl: {{ net.ipv4.tcp_fin_timeout: 30 }}\n",
        cluster.inventory()
    ));
    cluster.apply();
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);
    let good = cluster.all_etc();

    // lb1: a file and the kernel. lb2: processes older than their files. lb3: units.
    cluster.on(
        "lb1",
        "echo '# by hand' >>/etc/nginx/nginx.conf; chmod 600 /etc/keepalived/notify.sh
         sysctl -qw net.ipv4.tcp_fin_timeout=60",
    );
    cluster.on(
        "lb2",
        "cd /etc && cp -a nginx/nginx.conf keepalived/keepalived.conf /root/
         sed -i 's/return 200 \"[0-9a-f]\\{12\\}/return 200 \"0123456789ab/' nginx/nginx.conf
         sed -i 's/hactl-[0-9a-f]\\{12\\}/hactl-ba9876543210/' keepalived/keepalived.conf
         systemctl reload nginx keepalived
         sleep 0.5
         cp -a /root/nginx.conf nginx/; cp -a /root/keepalived.conf keepalived/",
    );
    cluster.on(
        "lb3",
        "systemctl disable -q keepalived; systemctl stop nginx
         echo '# by hand' >>/etc/systemd/system/keepalived.service.d/50-hactl.conf",
    );
    for arguments in [&["plan", "--detailed-exitcode"][..], &["status"]] {
        let code = if arguments.len() == 2 { 2 } else { 1 };
        cluster
            .run(arguments)
            .exits(code)
            .says("/etc/nginx/nginx.conf")
            .says("/etc/keepalived/notify.sh")
            .says("the kernel uses net.ipv4.tcp_fin_timeout = 60, though 30 was applied")
            .says("nginx runs another configuration than the one that was applied")
            .says("keepalived runs another configuration than the one that was applied")
            .says("nginx.service is not running (inactive)")
            .says("keepalived.service would not start at boot")
            .says("/etc/systemd/system/keepalived.service.d/50-hactl.conf");
    }
    assert_eq!(
        cluster.run(&["plan"]).exits(0).says("by hand").code(),
        Some(0)
    );

    cluster.apply();
    cluster.assert_etc(&good);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);
    for node in cluster.nodes() {
        let state = cluster.on(
            &node,
            "cat /proc/sys/net/ipv4/tcp_fin_timeout; systemctl is-active nginx keepalived; \
             systemctl is-enabled nginx keepalived; systemctl show -p NeedDaemonReload --value nginx keepalived",
        );
        assert_eq!(
            state, "30\nactive\nactive\nenabled\nenabled\nno\n\nno\n",
            "{node}"
        );
    }
    assert_eq!(cluster.owners(VIP).len(), 1);
}
