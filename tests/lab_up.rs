//! Labs of real machines: their properties, their faults, and their complete removal.

#![expect(clippy::unwrap_used, reason = "this is test code")]

#[path = "support/lab.rs"]
mod support;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hactl::lab::{Image, Lab, LabError, LabSpec, Login, NodeState, Release};
use support::{TestLab, text, wait_for};

#[test]
fn three_nodes_answer_ssh_with_checked_host_keys() {
    let Some(lab) = TestLab::up(&TestLab::spec()) else {
        return;
    };
    for node in lab.nodes() {
        let said = text(&mut lab.ssh(&node, "id -un; hostname"));
        assert_eq!(said, format!("root\n{node}\n"));
    }
    assert_eq!(text(&mut lab.ssh("10.0.0.12", "hostname")), "lb2\n");

    // ssh refuses both a wrong host key and an unknown one.
    let known_hosts = lab.dir().join("known_hosts");
    let good = fs::read_to_string(&known_hosts).unwrap();
    let swapped = good
        .replace("lb1,10.0.0.11", "x")
        .replace("lb2,10.0.0.12", "lb1,10.0.0.11");
    for bad in [swapped.as_str(), ""] {
        fs::write(&known_hosts, bad).unwrap();
        let refused = lab.ssh("lb1", "true").output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && said.contains("Host key verification failed"),
            "{said}"
        );
    }
}

#[test]
fn a_sudo_login_is_deploy_and_not_root() {
    let spec = LabSpec {
        nodes: 1,
        backends: 0,
        login: Login::Sudo,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    assert_eq!(
        text(&mut lab.ssh("lb1", "id -un; sudo -n id -un")),
        "deploy\nroot\n"
    );
    let mut as_root = lab.ssh("lb1", "true");
    as_root.args(["-l", "root"]);
    let mut ssh = lab.controller("ssh");
    ssh.arg("-F")
        .arg(lab.ssh_config_path())
        .args(["-o", "BatchMode=yes", "root@lb1", "true"]);
    assert!(
        !ssh.status().unwrap().success(),
        "root must not be able to log in"
    );
    let inventory = fs::read_to_string(lab.inventory_path()).unwrap();
    assert!(inventory.contains("ssh: { user: deploy }"), "{inventory}");
}

#[test]
fn a_node_is_a_real_machine() {
    let spec = LabSpec {
        nodes: 2,
        backends: 1,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let on = |node: &str, script: &str| lab.on_node(node, "sh", &["-c", script]);

    assert_eq!(on("lb1", "systemctl is-system-running"), "running\n");
    assert_eq!(on("lb1", "hostname; cat /etc/hostname"), "lb1\nlb1\n");
    assert_ne!(
        on("lb1", "cat /etc/machine-id"),
        on("lb2", "cat /etc/machine-id")
    );
    assert_eq!(on("lb1", "wc -c </etc/machine-id"), "33\n");

    // Sysctls can be set, per node.
    on(
        "lb1",
        "sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.core.somaxconn=1234",
    );
    let read = "cat /proc/sys/net/ipv4/ip_nonlocal_bind /proc/sys/net/core/somaxconn";
    assert_eq!(on("lb1", read), "1\n1234\n");
    assert_ne!(on("lb2", read), "1\n1234\n");

    // Services, timers, logs, limits.
    on(
        "lb1",
        "systemd-run --unit=soon --on-active=0.1 --timer-property=AccuracySec=1ms \
               touch /tmp/fired",
    );
    wait_for("a timer", || {
        lab.node_root("lb1").exists() && on("lb1", "ls /tmp").contains("fired")
    });
    on(
        "lb1",
        "systemd-run --quiet --wait -p LimitNOFILE=9999 \
               sh -c 'ulimit -n >/tmp/limit; logger -t hello world'",
    );
    assert_eq!(on("lb1", "cat /tmp/limit"), "9999\n");
    wait_for("the journal", || {
        on("lb1", "journalctl -q -t hello -o cat") == "world\n"
    });

    // Two service managers in one control group would stop each other's services.
    for node in ["lb1", "lb2"] {
        on(node, "systemd-run --quiet --unit=same sleep 1000");
    }
    on(
        "lb1",
        "systemctl kill -s KILL same; systemctl reset-failed same || :",
    );
    wait_for("the end of it", || {
        on("lb1", "pgrep -c sleep || :") == "0\n"
    });
    assert_eq!(on("lb2", "systemctl is-active same"), "active\n");

    // Private namespaces, as validation uses them.
    let private = "mount -t tmpfs none /etc && echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind && \
                   ip link show lo >/dev/null && ls /etc | wc -l";
    assert_eq!(
        lab.on_node("lb1", "unshare", &["-mn", "sh", "-c", private]),
        "0\n"
    );
    assert_ne!(on("lb1", "ls /etc | wc -l"), "0\n");

    // Firewall rules and link state.
    on(
        "lb1",
        "nft add table ip t && nft 'add chain ip t in { type filter hook input priority 0; }' \
               && nft add rule ip t in tcp dport 22 drop",
    );
    let mut blocked = lab.controller("curl");
    blocked.args(["--silent", "--max-time", "0.3", "http://10.0.0.11:22"]);
    assert_eq!(
        blocked.status().unwrap().code(),
        Some(28),
        "curl should time out"
    );
    on("lb1", "nft delete table ip t; ip link set eth0 down");
    assert!(on("lb1", "cat /sys/class/net/eth0/operstate").starts_with("down"));
}

#[test]
fn the_networks_join_nodes_backends_and_controller() {
    let spec = LabSpec {
        nodes: 2,
        backends: 2,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let curl = |url: &str| lab.on_controller("curl", &["-sSf", "--max-time", "5", url]);
    assert_eq!(curl("http://192.168.1.10:8080/"), "b1\n");
    assert_eq!(curl("http://192.168.1.11:8080/"), "b2\n");
    assert_eq!(curl("http://192.168.1.10:8080/health"), "ok\n");
    assert_eq!(lab.backend_requests("b1"), 2);
    let from_node = ["-sSf", "--max-time", "5", "http://192.168.1.10:8080/"];
    assert_eq!(lab.on_node("lb2", "curl", &from_node), "b1\n");
    assert_eq!(lab.backend_requests("b1"), 3);
    let big = lab.on_controller(
        "curl",
        &[
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{size_download}",
            "http://192.168.1.11:8080/big",
        ],
    );
    assert_eq!(big, (50 << 20).to_string());
    let started = Instant::now();
    curl("http://192.168.1.11:8080/slow");
    assert!(
        started.elapsed() > Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );

    lab.backend_stop("b1").unwrap();
    let mut refused = lab.controller("curl");
    refused.args(["-s", "http://192.168.1.10:8080/"]);
    assert_eq!(
        refused.status().unwrap().code(),
        Some(7),
        "the connection should be refused"
    );
    lab.backend_start("b1").unwrap();
    assert_eq!(curl("http://192.168.1.10:8080/"), "b1\n");

    // IPv6 works, too, across the router.
    assert_eq!(curl("http://[fd00:192:168:1::10]:8080/"), "b1\n");
    assert!(answers(&lab, "fd00:10::11"));
    // Nodes reach each other on layer 2.
    lab.on_node("lb1", "arping", &["-c1", "-w2", "-I", "eth0", "10.0.0.12"]);
}

#[test]
fn a_bare_node_installs_its_packages_with_no_way_out() {
    let spec = LabSpec {
        nodes: 1,
        backends: 0,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let on = |script: &str| lab.on_node("lb1", "sh", &["-c", script]);
    assert_eq!(on("command -v nginx keepalived || echo none"), "none\n");
    on("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y nginx keepalived");
    assert_eq!(on("systemctl is-active nginx"), "active\n");
    assert_eq!(on("systemctl is-enabled keepalived"), "enabled\n");
    on("curl -sSf http://127.0.0.1/ | grep -q 'Welcome to nginx'");
}

#[test]
fn an_installed_node_is_as_debian_leaves_it() {
    let spec = LabSpec {
        nodes: 1,
        backends: 0,
        image: Image::Installed,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let on = |script: &str| lab.on_node("lb1", "sh", &["-c", script]);
    assert_eq!(
        on("systemctl is-active nginx; systemctl is-enabled nginx"),
        "active\nenabled\n"
    );
    assert_eq!(on("systemctl is-active keepalived || :"), "inactive\n");
    assert_eq!(on("systemctl is-enabled keepalived"), "enabled\n");
    assert_eq!(
        on("ls /etc/keepalived/keepalived.conf /usr/sbin/policy-rc.d 2>/dev/null || :"),
        ""
    );
    assert_eq!(on("systemctl is-system-running"), "running\n");
}

#[test]
fn a_node_that_lost_its_power_keeps_its_disk_and_nothing_else() {
    let spec = LabSpec {
        nodes: 2,
        backends: 0,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let on = |script: &str| lab.on_node("lb1", "sh", &["-c", script]);
    let mac = on("cat /sys/class/net/eth0/address");
    on(
        "echo kept >/root/kept; ip address add 10.0.0.100/24 dev eth0; \
        sysctl -qw net.ipv4.ip_nonlocal_bind=1",
    );
    assert_eq!(lab.status().unwrap().vip_holders, ["lb1"]);

    lab.power_off("lb1").unwrap();
    let status = lab.status().unwrap();
    assert_eq!(status.nodes[0].state, NodeState::Off);
    assert!(status.vip_holders.is_empty());
    assert!(matches!(
        lab.node("lb1", "true"),
        Err(LabError::NodeOff { .. })
    ));
    assert!(
        !answers(&lab, "10.0.0.100") && !answers(&lab, "10.0.0.11") && answers(&lab, "10.0.0.12")
    );
    assert!(
        lab.node_root("lb1").join("root/kept").exists(),
        "the disk is there without power"
    );

    let took = lab.boot("lb1").unwrap();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(matches!(lab.boot("lb1"), Err(LabError::NodeOn { .. })));
    assert_eq!(text(&mut lab.ssh("lb1", "cat /root/kept")), "kept\n");
    assert_eq!(on("cat /sys/class/net/eth0/address"), mac);
    assert_eq!(on("cat /proc/sys/net/ipv4/ip_nonlocal_bind"), "0\n");
    assert!(!answers(&lab, "10.0.0.100"));
}

#[test]
fn a_node_reboots_and_powers_off_by_itself() {
    let spec = LabSpec {
        nodes: 1,
        backends: 0,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let leader = lab.leader("lb1").unwrap();
    lab.on_node(
        "lb1",
        "sh",
        &["-c", "sysctl -qw net.core.somaxconn=1234; touch /root/kept"],
    );
    lab.on_node("lb1", "systemctl", &["reboot"]);
    wait_for("another boot", || {
        lab.leader("lb1").is_ok_and(|now| now != leader)
            && lab
                .ssh("lb1", "test -e /root/kept")
                .status()
                .unwrap()
                .success()
    });
    let read = ["-c", "cat /proc/sys/net/core/somaxconn"];
    assert_ne!(lab.on_node("lb1", "sh", &read), "1234\n");

    lab.on_node("lb1", "systemctl", &["poweroff"]);
    wait_for("the end", || {
        lab.status().unwrap().nodes[0].state == NodeState::Off
    });
    lab.boot("lb1").unwrap();
    text(&mut lab.ssh("lb1", "test -e /root/kept"));
}

#[test]
fn a_cut_cable_takes_the_link_away_until_it_is_fixed() {
    let spec = LabSpec {
        nodes: 2,
        backends: 0,
        ..TestLab::spec()
    };
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let carrier = || lab.on_node("lb1", "cat", &["/sys/class/net/eth0/carrier"]);
    assert!(answers(&lab, "10.0.0.11"));
    lab.cut("lb1").unwrap();
    assert_eq!(carrier(), "0\n");
    assert!(!answers(&lab, "10.0.0.11") && answers(&lab, "10.0.0.12"));
    assert_eq!(lab.status().unwrap().nodes[0].state, NodeState::Cut);
    // A reboot does not reconnect it.
    lab.power_off("lb1").unwrap();
    lab.boot("lb1").unwrap();
    assert_eq!(carrier(), "0\n");
    lab.heal("lb1").unwrap();
    wait_for("the link", || answers(&lab, "10.0.0.11"));
    assert_eq!(lab.status().unwrap().nodes[0].state, NodeState::On);
}

/// Whether the address accepts connections on sshd's port.
fn answers(lab: &Lab, address: &str) -> bool {
    let mut connect = lab.controller("timeout");
    connect.args(["0.5", "bash", "-c", &format!(": </dev/tcp/{address}/22")]);
    connect.stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn nodes_of_several_releases_are_one_lab_and_each_reboots_alone() {
    let mut spec = LabSpec {
        nodes: 2,
        backends: 0,
        image: Image::Installed,
        ..TestLab::spec()
    };
    spec.other_releases
        .insert("lb2".to_owned(), Release::Debian13);
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    let on = |node: &str, script: &str| lab.on_node(node, "sh", &["-c", script]);
    let version = ". /etc/os-release; echo $VERSION_ID";
    assert_eq!(
        (on("lb1", version), on("lb2", version)),
        ("12\n".to_owned(), "13\n".to_owned())
    );
    let keepalived = "keepalived -v 2>&1 | head -n 1 | cut -d ' ' -f 2";
    assert_eq!(
        (on("lb1", keepalived), on("lb2", keepalived)),
        ("v2.2.7\n".to_owned(), "v2.3.3\n".to_owned())
    );
    // Two service managers in one control group would stop each other's services.
    let (one, two) = (lab.leader("lb1").unwrap(), lab.leader("lb2").unwrap());
    let group = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_ne!(group(one), group(two));
    on("lb2", "systemctl reboot");
    wait_for("another boot", || {
        lab.leader("lb2").is_ok_and(|now| now != two)
            && lab.ssh("lb2", "true").status().unwrap().success()
    });
    assert_eq!(lab.leader("lb1").unwrap(), one);
    assert_eq!(on("lb1", "systemctl is-active nginx"), "active\n");

    let mut wrong = TestLab::spec();
    wrong
        .other_releases
        .insert("lb9".to_owned(), Release::Debian13);
    let error = Lab::up(&wrong, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("lb9"), "{error}");
}
