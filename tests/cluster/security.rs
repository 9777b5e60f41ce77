//! Logging in, gaining root, and obstacles: on real hosts with real sudo and sshd.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use hactl::lab::Login;

use crate::cluster::{Cluster, machines};

const PAGE: &str = include_str!("../../docs/security.md");
const BACKEND: &str = "192.168.1.12:8080";

/// Two nodes with `deploy` as login user, and these lines in sudoers.
fn with_sudoers(lines: &str) -> Option<Cluster> {
    let mut spec = machines();
    spec.nodes = 2;
    spec.login = Login::Sudo;
    let cluster = Cluster::up(&spec)?;
    for node in cluster.nodes() {
        let line = format!("deploy:{}", password(&cluster));
        cluster.on(&node, &format!("echo {line} | chpasswd"));
        sudoers(&cluster, &node, lines);
    }
    Some(cluster)
}

/// Different for each lab, since a test that searches every process must not find its neighbour's
/// password.
fn password(cluster: &Cluster) -> String {
    let lab = cluster.dir();
    let name = lab.file_name().unwrap().to_string_lossy();
    format!("correct-horse-{name}")
}

fn sudoers(cluster: &Cluster, node: &str, lines: &str) {
    let path = cluster.node_root(node).join("etc/sudoers.d/deploy");
    fs::write(path, format!("{lines}\n")).unwrap();
    cluster.on(node, "visudo -c -q");
}

fn password_file(cluster: &Cluster, text: &str) -> PathBuf {
    let path = cluster.dir().join("sudo-password");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn the_line_for_sudoers_in_the_page_is_all_that_hactl_needs() {
    let line = PAGE.lines().find(|line| line.starts_with("deploy ALL="));
    let Some(cluster) = with_sudoers(line.unwrap()) else {
        return;
    };
    cluster.apply().says("generation 1 is live");
    cluster.run(&["status"]).exits(0);
    cluster.edit(BACKEND, "192.168.1.13:8080");
    cluster.apply().says("generation 2 is live");
    cluster.run(&["rollback", "--yes"]).exits(0);
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_no_traces();
    // The line allows nothing else, and a password would not help.
    for command in ["true", "/bin/sh -c id", "-u www-data id", "cat /etc/shadow"] {
        let asked = cluster.ssh("lb1", &format!("sudo -n {command}")).output();
        assert!(!asked.unwrap().status.success(), "{command}");
    }
}

#[test]
fn sudo_gets_its_password_and_nobody_else_does() {
    let Some(cluster) = with_sudoers("deploy ALL=(ALL) ALL") else {
        return;
    };
    let password = password(&cluster);
    let file = password_file(&cluster, &format!("{password}\n"));
    let path = file.to_str().unwrap();
    let apply = ["-vvv", "apply", "--yes", "--sudo-password-file", path];

    cluster
        .run(&["plan"])
        .exits(1)
        .says("cannot gain root privileges: sudo asks for a password")
        .says("give --sudo-password-file FILE");
    let mut run = cluster.start(&apply);
    let mut shown = BTreeSet::new();
    while run.try_wait().unwrap().is_none() {
        shown.extend(processes());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let is_seen = shown.iter().any(|text| text.contains("hactl-agent"));
    assert!(is_seen, "it was looked at in time");
    let leaks = shown.iter().filter(|text| text.contains(&password));
    assert_eq!(leaks.collect::<Vec<_>>(), Vec::<&String>::new());
    for text in [output.stdout, output.stderr] {
        assert!(!String::from_utf8_lossy(&text).contains(&password));
    }

    // A password is sent only if sudo asks for one, with or without a pty.
    sudoers(&cluster, "lb1", "deploy ALL=(ALL) NOPASSWD: ALL");
    sudoers(
        &cluster,
        "lb2",
        "Defaults use_pty, timestamp_type=global\ndeploy ALL=(ALL) ALL",
    );
    cluster.edit(BACKEND, "192.168.1.13:8080");
    cluster.run(&apply).exits(0).never_says(&password);
    sudoers(
        &cluster,
        "lb1",
        "Defaults use_pty\ndeploy ALL=(ALL) NOPASSWD: ALL",
    );
    cluster.edit("192.168.1.13:8080", BACKEND);
    cluster.run(&apply).exits(0).never_says(&password);
    cluster.assert_no_traces();
    for node in cluster.nodes() {
        let look = format!(
            "journalctl -q --no-pager -o cat | grep -c {password}
             grep -rlF {password} /etc /var /run /tmp /home /root 2>/dev/null; :"
        );
        assert_eq!(cluster.on(&node, &look), "0\n", "{node}");
    }
    // sudo keeps no cached credentials, even with a global timestamp.
    let asked = cluster.ssh("lb2", "sudo -n true").output().unwrap();
    assert!(!asked.status.success());
}

/// The arguments and environments of all processes, including those in the nodes.
fn processes() -> Vec<String> {
    let mut shown = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for name in ["cmdline", "environ"] {
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            shown.push(String::from_utf8_lossy(&bytes).replace('\0', " "));
        }
    }
    shown
}

#[test]
fn a_sudo_that_refuses_is_explained() {
    let Some(cluster) = with_sudoers("deploy ALL=(ALL) ALL") else {
        return;
    };
    let password = password(&cluster);
    let file = password_file(&cluster, "wrong\n");
    let path = file.to_str().unwrap().to_owned();
    let plan = ["plan", "--sudo-password-file", &path];
    let before = cluster.all_etc();

    cluster
        .run(&plan)
        .exits(1)
        .says("cannot gain root privileges: sudo rejected the password, which was tried once")
        .says("correct the file of --sudo-password-file");
    for node in cluster.nodes() {
        let tried = cluster.on(
            &node,
            "journalctl -q --no-pager -o cat _COMM=sudo | grep -c 'authentication failure'",
        );
        assert_eq!(tried, "1\n", "{node}");
    }

    fs::write(&file, format!("{password}\nmore\n")).unwrap();
    cluster
        .run(&plan)
        .exits(1)
        .says("it has more than one line");
    fs::write(&file, format!("{password}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    cluster
        .run(&plan)
        .exits(1)
        .says("its permissions are too open (mode 0644)")
        .never_says(&password);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    cluster.assert_etc(&before);

    for (lines, words, remedy) in [
        (
            "# nobody",
            "sudoers does not let the login user run hactl's program",
            "add the login user to sudoers",
        ),
        (
            "deploy ALL=(ALL) /usr/bin/true",
            "sudoers does not let the login user run hactl's program",
            "docs/security.md has the line",
        ),
        (
            "Defaults requiretty\ndeploy ALL=(ALL) ALL",
            "sudoers wants a terminal (requiretty)",
            "Defaults:USER !requiretty",
        ),
        (
            "Defaults requiretty\nDefaults:deploy !requiretty\ndeploy ALL=(ALL) ALL",
            "",
            "",
        ),
    ] {
        sudoers(&cluster, "lb2", lines);
        let ended = cluster.run(&plan);
        if words.is_empty() {
            ended.exits(0);
        } else {
            ended
                .exits(1)
                .says(&format!("error: lb2: cannot gain root privileges: {words}"))
                .says(remedy);
        }
    }
    // The same refusals without a password.
    cluster.on("lb2", "chmod 4711 /usr/bin/sudo");
    sudoers(&cluster, "lb1", "deploy ALL=(ALL) NOPASSWD: ALL");
    sudoers(
        &cluster,
        "lb2",
        "Defaults requiretty\ndeploy ALL=(ALL) NOPASSWD: ALL",
    );
    cluster.run(&["plan"]).exits(1).says("(requiretty)");
    cluster.on("lb2", "chmod 0755 /usr/bin/sudo");
    cluster
        .run(&["plan"])
        .exits(1)
        .says("error: lb2: cannot gain root privileges: sudo: ");
    cluster.on("lb2", "mv /usr/bin/sudo /usr/bin/gone");
    for arguments in [&["plan"][..], &plan] {
        cluster
            .run(arguments)
            .exits(1)
            .says("there is no sudo on the host")
            .says("install sudo there");
    }
}

#[test]
fn a_person_is_asked_once_and_nobody_sees_the_answer() {
    let Some(cluster) = with_sudoers("deploy ALL=(ALL) ALL") else {
        return;
    };
    let plain = cluster.command(&["plan"]);
    let mut terminal = cluster.controller("script");
    terminal.args([
        "-qec",
        &format!("{} plan", env!("CARGO_BIN_EXE_hactl")),
        "/dev/null",
    ]);
    for (key, value) in plain.get_envs() {
        terminal.env(key, value.unwrap_or_default());
    }
    let mut child = terminal
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("sudo's password on the nodes: ") {
        let mut byte = [0];
        assert_eq!(screen.read(&mut byte).unwrap(), 1, "{shown:?}");
        shown.push(byte[0]);
    }
    let password = password(&cluster);
    writeln!(keys, "{password}").unwrap();
    screen.read_to_end(&mut shown).unwrap();
    drop(keys);
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8_lossy(&shown);
    assert_eq!(shown.matches("sudo's password").count(), 1, "{shown}");
    assert!(!shown.contains(&password), "{shown}");
    assert!(shown.contains("hactl apply"), "{shown}");
}

#[test]
fn host_keys_are_strict_whatever_the_ssh_configuration_says() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    let config = cluster.ssh_config_path();
    let lax = fs::read_to_string(&config)
        .unwrap()
        .replace("StrictHostKeyChecking yes", "StrictHostKeyChecking no");
    let own = cluster.dir().join("lax_config");
    fs::write(&own, lax).unwrap();
    let plan = ["plan", "--ssh-config", own.to_str().unwrap()];
    cluster.run(&plan).exits(0);

    let known_hosts = cluster.dir().join("known_hosts");
    let good = fs::read_to_string(&known_hosts).unwrap();
    let lines = |keep: &str| -> String {
        let lines = good.split_inclusive('\n');
        lines.filter(|line| line.starts_with(keep)).collect()
    };
    fs::write(&known_hosts, lines("lb2")).unwrap();
    cluster
        .run(&plan)
        .exits(1)
        .says("error: lb1: ssh does not know the host key of 10.0.0.11, so nothing was sent to it")
        .says("compare the host's fingerprint");
    let other = lines("lb2").replace("lb2,10.0.0.12", "lb1,10.0.0.11");
    fs::write(&known_hosts, format!("{}{other}", lines("lb2"))).unwrap();
    cluster
        .run(&plan)
        .exits(1)
        .says("error: lb1: the host key of 10.0.0.11 has changed")
        .says("the host was reinstalled, or the connection is intercepted");
    // No host key was added.
    assert!(
        !fs::read_to_string(&known_hosts)
            .unwrap()
            .contains(lines("lb1").trim())
    );
}

#[test]
fn links_are_replaced_and_come_back_and_strangers_folders_are_refused() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    cluster.on(
        "lb1",
        "mkdir -p /opt/web && mv /etc/nginx/nginx.conf /opt/web/ && ln -s /opt/web/nginx.conf /etc/nginx/nginx.conf",
    );
    cluster.on(
        "lb2",
        "mv /etc/nginx /opt/nginx && ln -s ../opt/nginx /etc/nginx",
    );
    let before = cluster.all_etc();
    let elsewhere = || {
        let lb1 = cluster.on(
            "lb1",
            "cat /opt/web/nginx.conf; stat -c '%a %U %Y' /opt/web/nginx.conf",
        );
        let lb2 = cluster.on(
            "lb2",
            "cd /opt/nginx; find . -type f -exec sha256sum {} + | sort",
        );
        (lb1, lb2)
    };
    let linked = elsewhere();
    cluster
        .run(&["plan"])
        .exits(0)
        .says("was a link to /opt/web/nginx.conf -> 0644 root:root");
    assert_eq!(elsewhere(), linked, "a plan's tests write nothing");
    cluster.apply();
    assert_eq!(elsewhere().0, linked.0, "what the link pointed to stays");
    cluster.on(
        "lb1",
        "test -f /etc/nginx/nginx.conf -a ! -L /etc/nginx/nginx.conf",
    );
    cluster.on("lb2", "test -L /etc/nginx -a -f /opt/nginx/nginx.conf");
    cluster
        .run(&["rollback", "--to", "0", "--yes", "--stop-serving", "all"])
        .exits(0);
    cluster.assert_etc(&before);
    assert_eq!(elsewhere(), linked);

    cluster.on("lb2", "chown -R www-data /opt/nginx");
    cluster
        .run(&["apply", "--yes"])
        .exits(1)
        .says("lb2: cannot write /etc/nginx/nginx.conf safely: /etc/../opt/nginx belongs to www-data, not to root")
        .says("chown root:root");
    cluster.on(
        "lb2",
        "chown -R root /opt/nginx; chmod g+w /etc/keepalived; chgrp adm /etc/keepalived",
    );
    cluster
        .run(&["apply", "--yes"])
        .exits(1)
        .says("the group adm can write in /etc/keepalived");
    cluster.on(
        "lb2",
        "chgrp root /etc/keepalived; chmod g-w /etc/keepalived",
    );
    cluster.assert_etc(&before);
    cluster.on("lb1", "chown www-data /var/lib/hactl");
    for verb in [&["plan"][..], &["apply", "--yes"]] {
        cluster.run(verb).exits(1).says(
            "lb1: cannot trust what is in /var/lib/hactl: /var/lib/hactl belongs to www-data",
        );
    }
    cluster.on("lb1", "chown root /var/lib/hactl");
    cluster.apply();
}
