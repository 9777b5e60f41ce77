//! The commands that preflight proposes to open a firewall, given to the real firewalls.
#![expect(clippy::unwrap_used, reason = "this is test code")]

use std::path::Path;
use std::process::Command;
use std::sync::Once;

use hactl::agent::{AdvertTest, ListensAt, Observation, PeerAnswer, PeerDoor, PeerPort, Preflight};
use hactl::check::{ClusterEvidence, of_hosts};
use hactl::inventory;

#[path = "support/skip.rs"]
mod skip;

const INVENTORY: &str = "
cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { name: lb2, address: 10.0.0.12, interface: eth0 }
  - { name: lb3, address: 10.0.0.13, interface: eth0 }
vips:
  - { address: 10.0.0.100/24, virtual_router_id: 61 }
upstreams:
  backend: { servers: [192.168.1.10:8080, 192.168.1.11:8080] }
sites:
  - { listen: [80], proxy: backend }
";

static INSTALLED: Once = Once::new();

/// False with a printed reason where the firewalls cannot be had.
fn can_run() -> bool {
    if !cfg!(target_os = "linux") || !nix::unistd::Uid::effective().is_root() {
        skip::skip("the firewalls' programs need Linux and root");
        return false;
    }
    INSTALLED.call_once(install);
    true
}

fn install() {
    let is_missing = |program: &str| {
        let folders = ["/usr/sbin", "/usr/bin"];
        !folders
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    };
    let programs = [("ufw", "ufw"), ("firewall-offline-cmd", "firewalld")];
    let missing = programs.iter().filter(|(program, _)| is_missing(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        let mut install = Command::new("apt-get");
        install.args(["install", "-y", "--no-install-recommends"]);
        assert!(install.args(packages).status().unwrap().success());
    }
}

/// The commands between backticks that preflight proposes where nothing reaches lb2.
fn proposed(firewall: impl Fn(&mut Preflight)) -> Vec<String> {
    let cluster = inventory::load("hactl.yml", INVENTORY).unwrap().cluster;
    let mut seen = Vec::new();
    for node in &cluster.nodes {
        let mut host = Observation::of(node.name.clone());
        let own = format!("{}/24", node.address).parse().unwrap();
        host.addresses.push(("eth0".to_owned(), own));
        let mut preflight = Preflight {
            adverts: Some(AdvertTest::default()),
            ..Preflight::default()
        };
        firewall(&mut preflight);
        host.probed.preflight = Some(preflight);
        host.peers.push(PeerPort {
            door: PeerDoor {
                address: cluster.nodes[1].address,
                port: 80,
                listens: ListensAt::All,
            },
            answer: PeerAnswer::Silent,
        });
        seen.push(host);
    }
    let found = of_hosts(&ClusterEvidence {
        cluster: &cluster,
        seen: &seen,
        problems: &[],
        strangers: &[],
    });
    let of_lb2 = found.iter().filter(|finding| {
        let node = finding.node.as_ref().map(ToString::to_string);
        node.as_deref() == Some("lb2")
    });
    let mut commands = Vec::new();
    for finding in of_lb2 {
        let parts = finding.fix.split('`').skip(1).step_by(2);
        commands.extend(parts.map(str::to_owned));
    }
    assert!(commands.len() >= 2, "{found:?}");
    commands
}

fn accepts(script: &str) -> bool {
    let output = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", script])
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn ufw_takes_what_is_proposed() {
    if !can_run() {
        return;
    }
    let commands = proposed(|preflight| preflight.ufw_is_enabled = true);
    for command in &commands {
        let command = command.replacen("ufw ", "ufw --dry-run ", 1);
        assert!(accepts(&command), "{command}");
    }
    // The guide's own line.
    assert!(!accepts("ufw --dry-run allow in proto vrrp"));
}

#[test]
fn firewalld_takes_what_is_proposed() {
    if !can_run() {
        return;
    }
    let unit = "firewalld.service".to_owned();
    let commands = proposed(|preflight| preflight.active_units.push(unit.clone()));
    // Its daemon is not running here: the same arguments, written to its files.
    let offline = |arguments: &str| {
        accepts(&format!(
            "mount -t tmpfs tmpfs /etc/firewalld && firewall-offline-cmd {arguments}"
        ))
    };
    for command in &commands {
        let (first, last) = command.split_once(" && ").unwrap();
        assert_eq!(last, "firewall-cmd --reload");
        let arguments = first.strip_prefix("firewall-cmd --permanent ").unwrap();
        assert!(offline(arguments), "{command}");
    }
    // The guide's own line.
    assert!(!offline("--add-rich-rule='rule protocol=\"vrrp\" accept'"));
}
