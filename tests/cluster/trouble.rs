//! Hosts in trouble: one clear error that names the host and says what to do, a truthful exit code,
//! and an unchanged cluster.

use std::fs;

use hactl::lab::Login;

use crate::cluster::{Cluster, Ended, VIP, machines};

const BACKEND: &str = "192.168.1.12:8080";

/// A cluster with a change that is ready to be applied.
fn with_a_change() -> Option<Cluster> {
    let cluster = Cluster::up(&machines())?;
    cluster.apply();
    cluster.edit(BACKEND, "192.168.1.13:8080");
    Some(cluster)
}

/// Applies, which has to fail and leave everything unchanged.
#[track_caller]
fn fails(cluster: &Cluster, code: i32) -> Ended {
    let before = cluster.all_etc();
    let served = cluster.all_served();
    let ended = cluster
        .run(&["apply", "--yes", "--connect-timeout", "3s"])
        .exits(code);
    cluster.assert_etc(&before);
    assert_eq!(served, cluster.all_served());
    ended
}

#[test]
fn a_host_that_cannot_be_logged_in_to_is_named_with_what_to_do() {
    let Some(cluster) = with_a_change() else {
        return;
    };

    cluster.cut("lb3").unwrap();
    fails(&cluster, 1)
        .says("error: lb3: cannot reach 10.0.0.13 by ssh")
        .says("help: check that the host is up");
    cluster.heal("lb3").unwrap();

    cluster.on("lb2", "mv /root/.ssh/authorized_keys /root/keys");
    fails(&cluster, 1)
        .says("error: lb2: 10.0.0.12 accepts none of the keys offered")
        .says("help: check that `ssh 10.0.0.12 true` works");
    cluster.on("lb2", "mv /root/keys /root/.ssh/authorized_keys");

    let known_hosts = cluster.dir().join("known_hosts");
    let good = fs::read_to_string(&known_hosts).unwrap();
    let without = |node: &str| -> String {
        let lines = good.split_inclusive('\n');
        lines.filter(|line| !line.starts_with(node)).collect()
    };
    fs::write(&known_hosts, without("lb1")).unwrap();
    fails(&cluster, 1)
        .says("error: lb1: ssh does not know the host key of 10.0.0.11")
        .says("accept it once: ssh 10.0.0.11");
    let of_lb2 = good.lines().find(|line| line.starts_with("lb2")).unwrap();
    let wrong = of_lb2.replace("lb2,10.0.0.12", "lb1,10.0.0.11");
    fs::write(&known_hosts, format!("{}{wrong}\n", without("lb1"))).unwrap();
    fails(&cluster, 1)
        .says("error: lb1: the host key of 10.0.0.11 has changed")
        .says("ssh-keygen -R 10.0.0.11");
    fs::write(&known_hosts, good).unwrap();

    cluster.edit(
        "lb2, address: 10.0.0.12, interface: eth0",
        "lb2, address: 10.0.0.12, interface: eth7",
    );
    fails(&cluster, 1)
        .says("lb2: the host has no interface eth7; it has eth0")
        .says("help: correct `interface`");
    cluster.edit("eth7", "eth0");
    cluster.apply();
}

#[test]
fn a_host_that_cannot_be_written_to_is_named_with_what_to_do() {
    let Some(cluster) = with_a_change() else {
        return;
    };

    cluster.on(
        "lb2",
        "mkdir /root/state && cp -a /var/lib/hactl/. /root/state
         mount -t tmpfs -o size=128k,mode=700 full /var/lib/hactl && cp -a /root/state/. /var/lib/hactl
         cat /dev/zero >/var/lib/hactl/ballast 2>/dev/null; :",
    );
    fails(&cluster, 1)
        .says("error: lb2:")
        .says("help: free some space on the host");
    cluster.on("lb2", "umount /var/lib/hactl");

    cluster.on(
        "lb3",
        "mount --bind /etc /etc && mount -o remount,bind,ro /etc",
    );
    fails(&cluster, 1)
        .says("error: lb3: cannot write in /etc")
        .says("Read-only file system")
        .says("help: make the file system writable");
    cluster.on("lb3", "until umount /etc; do sleep 0.1; done");

    // Another operator's lock, on one host.
    cluster.on(
        "lb2",
        "read -r up _ </proc/uptime
         printf 'tx\\tsome-tx\\nholder\\talice@desk\\npid\\t4711\\nsince\\t2026-01-02T03:04:05Z\\nboot\\t%s\\nuntil\\t%s\\n' \
             \"$(cat /proc/sys/kernel/random/boot_id)\" $((${up%%.*} + 600)) >/var/lib/hactl/lock",
    );
    fails(&cluster, 6)
        .says(
            "lb2: alice@desk (pid 4711) is changing this cluster since 2026-01-02T03:04:05Z, until",
        )
        .says("help: wait for it to end");
    cluster.run(&["plan"]).exits(0).says("alice@desk");
    // A lock from before the machine's boot is stale.
    cluster.on(
        "lb2",
        "sed -i '/^boot/s/\t.*/\tanother/' /var/lib/hactl/lock",
    );
    cluster.apply().says("generation 2 is live");
    cluster.assert_no_traces();
}

#[test]
fn a_vip_that_somebody_else_has_is_refused_before_anything_is_touched() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    let address = |verb: &str| {
        let mut ip = cluster.switch("ip");
        ip.args(["addr", verb, &format!("{VIP}/24"), "dev", "front"]);
        crate::lab::text(&mut ip);
    };
    address("add");
    let before = cluster.all_etc();
    for arguments in [&["plan"][..], &["apply", "--yes"]] {
        cluster
            .run(arguments)
            .exits(1)
            .says("10.0.0.100 is already in use")
            .says("choose another VIP");
    }
    cluster.assert_etc(&before);
    // Once the address is gone, the hosts' stale neighbour entries for it do not count.
    address("del");
    cluster.apply();
}

#[test]
fn a_login_with_sudo_works_and_one_without_is_explained() {
    let mut spec = machines();
    spec.nodes = 2;
    spec.login = Login::Sudo;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    cluster.apply().says("generation 1 is live");
    cluster.run(&["status"]).exits(0);
    cluster.edit(BACKEND, "192.168.1.13:8080");

    cluster.on("lb2", "mv /etc/sudoers.d/deploy /root/");
    fails(&cluster, 1)
        .says("error: lb2: cannot gain root privileges")
        .says("let the login user run sudo without a password");
    cluster.on(
        "lb2",
        "mv /root/deploy /etc/sudoers.d/; mv /usr/bin/sudo /usr/bin/sudo.gone",
    );
    fails(&cluster, 1)
        .says("error: lb2: cannot gain root privileges")
        .says("sudo");
    cluster.on("lb2", "mv /usr/bin/sudo.gone /usr/bin/sudo");
    cluster.apply().says("generation 2 is live");
}
