//! Real keepaliveds of several versions on the machines of a lab.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use hactl::lab::{Image, LabSpec, Release};
use hactl::model::{Cluster, FileRole, NodeFacts, OnNginxFailure, Secrets, Version};
use hactl::render::{Templates, render};

use crate::forecast::Owners;
use crate::lab::{Slots, TestLab, text};
use crate::scenario::Step;

/// Stands in for the check of nginx, which these machines need not run.
const CHECK: &str = "#!/bin/sh\n[ ! -e /run/hactl/dead ]\n";

/// Stops keepalived, and removes all addresses that are not the machine's own.
const RESET: &str = "
systemctl kill -s KILL keepalived 2>/dev/null
systemctl stop keepalived
systemctl reset-failed keepalived 2>/dev/null
mkdir -p /run/hactl
rm -f /run/hactl/dead
for link in lo eth0; do
    ip -o -4 addr show dev $link | while read -r _ _ _ address _; do
        case $address in 127.0.0.1/8 | $1) ;; *) ip addr del $address dev $link ;; esac
    done
done
";

const PREPARE: &str = "
systemctl -q disable --now nginx keepalived 2>/dev/null
mkdir -p /run/systemd/system/keepalived.service.d
printf '[Service]\\nRestart=no\\n' >/run/systemd/system/keepalived.service.d/90-election.conf
systemctl daemon-reload
";

pub(crate) struct Machines {
    lab: TestLab,
    pub(crate) versions: Vec<Version>,
}

impl Machines {
    /// Five machines with these releases, in turn.
    pub(crate) fn up(slots: &Slots, releases: &[Release]) -> Self {
        let mut spec = LabSpec {
            nodes: 5,
            backends: 0,
            release: releases[0],
            image: Image::Installed,
            ..TestLab::spec()
        };
        for (index, release) in (0..5).zip(releases.iter().cycle()) {
            let node = format!("lb{}", index + 1);
            spec.other_releases.insert(node, *release);
        }
        let lab = TestLab::up_in(slots, &spec);
        text(lab.switch("sh").args([
            "-c",
            "ip link add apart type bridge mcast_snooping 0 && ip link set apart up",
        ]));
        let mut machines = Self {
            lab,
            versions: Vec::new(),
        };
        machines.on_all(5, |node| format!("{PREPARE}\nset -- {}{RESET}", own(node)));
        machines.versions = (0..5).map(|node| machines.version(node)).collect();
        machines
    }

    fn version(&self, node: usize) -> Version {
        let said = self.sh(node, "keepalived -v 2>&1 | head -n 1");
        let word = said.split_whitespace().nth(1).unwrap();
        word.trim_start_matches('v').parse().unwrap()
    }

    fn sh(&self, node: usize, script: &str) -> String {
        let mut command = self.lab.node(&name(node), "sh").unwrap();
        text(command.args(["-c", script]))
    }

    /// Runs a script on the first `count` machines at the same time.
    fn on_all(&self, count: usize, script: impl Fn(usize) -> String) {
        thread::scope(|scope| {
            for node in 0..count {
                let script = script(node);
                scope.spawn(move || self.sh(node, &script));
            }
        });
    }

    /// Gives the machines the files that hactl renders for the cluster, and starts keepalived on all of them.
    pub(crate) fn deploy(&self, cluster: &Cluster) {
        self.join();
        for node in 0..5 {
            self.lab.heal(&name(node)).unwrap();
        }
        self.on_all(5, |node| format!("set -- {}{RESET}", own(node)));
        let templates = Templates::embedded().unwrap();
        for (index, node) in cluster.nodes.iter().enumerate() {
            let facts = NodeFacts {
                keepalived: self.versions[index],
                ..NodeFacts::debian_12()
            };
            let rendered = render(cluster, node, &facts, &Secrets::default(), &templates).unwrap();
            for file in rendered.files {
                let content = match file.role {
                    FileRole::KeepalivedConf
                    | FileRole::NotifyScript
                    | FileRole::HandOverScript => file.content,
                    FileRole::CheckScript => CHECK.as_bytes().to_vec(),
                    _ => continue,
                };
                let root = self.lab.node_root(node.name.as_str());
                let path = root.join(file.path.as_str().trim_start_matches('/'));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
            }
        }
        let (up, _) = tracked_values(cluster);
        self.on_all(cluster.nodes.len(), |_| {
            format!("echo {up} >/run/hactl/nginx; systemctl start keepalived")
        });
    }

    pub(crate) fn make(&self, cluster: &Cluster, step: &Step) {
        let (up, down) = tracked_values(cluster);
        let unit = |node: &usize, verb: &str| {
            self.sh(*node, &format!("systemctl {verb} keepalived"));
        };
        match step {
            Step::NginxDies(node) => {
                let script = format!("touch /run/hactl/dead; echo {down} >/run/hactl/nginx");
                self.sh(*node, &script);
            }
            Step::NginxReturns(node) => {
                self.sh(
                    *node,
                    &format!("rm /run/hactl/dead; echo {up} >/run/hactl/nginx"),
                );
            }
            Step::Stop(node) => unit(node, "stop"),
            Step::Start(node) => unit(node, "start"),
            // The child first: it would tidy up once its parent is gone.
            Step::Kill(node) => {
                self.sh(*node, "kill -9 $(pgrep -x keepalived | sort -rn)");
            }
            Step::Reload(node) => unit(node, "reload"),
            Step::Cut(node) => self.lab.cut(&name(*node)).unwrap(),
            Step::Plug(node) => self.lab.heal(&name(*node)).unwrap(),
            Step::Split(side) => self.split(side),
            Step::Join => self.join(),
        }
    }

    fn split(&self, side: &BTreeSet<usize>) {
        let ports = side.iter().map(|node| (*node, "apart"));
        self.attach(ports);
    }

    fn join(&self) {
        self.attach((0..5).map(|node| (node, "front")));
    }

    /// Attaches machines' ports to bridges of the switch.
    fn attach(&self, ports: impl Iterator<Item = (usize, &'static str)>) {
        let lines: Vec<String> = ports
            .map(|(node, bridge)| format!("link set {} master {bridge}", name(node)))
            .collect();
        let script = format!("printf '{}\\n' | ip -batch -", lines.join("\\n"));
        text(self.lab.switch("sh").args(["-c", &script]));
    }

    /// Who has the VIPs, by the kernels.
    pub(crate) fn owners(&self, cluster: &Cluster) -> Owners {
        let of_node = |node: usize| {
            let netns = self.lab.netns(&name(node));
            format!("echo = {node}; ip -n {netns} -o -4 addr show dev eth0; ")
        };
        let script: String = (0..cluster.nodes.len()).map(of_node).collect();
        let said = text(Command::new("sh").args(["-c", &script]));
        let vips = cluster.instances.iter().enumerate();
        let vips: Vec<(usize, String)> = vips
            .map(|(number, instance)| (number, format!("{}/", instance.addresses[0].addr())))
            .collect();
        let mut owners: Owners = vips
            .iter()
            .map(|(number, _)| (*number, BTreeSet::new()))
            .collect();
        let mut node = 0;
        for line in said.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[0] == "=" {
                node = words[1].parse().unwrap();
                continue;
            }
            let own = vips
                .iter()
                .find(|(_, vip)| words[3].starts_with(vip.as_str()));
            if let Some((number, _)) = own {
                owners.entry(*number).or_default().insert(node);
            }
        }
        owners
    }

    /// The last that keepalived logged on each machine.
    pub(crate) fn journal(&self, count: usize) -> String {
        let of_node = |node: usize| {
            let log = self.sh(
                node,
                "journalctl -u keepalived -o short-precise -n 25 --no-pager",
            );
            format!("-- lb{}\n{log}", node + 1)
        };
        (0..count).map(of_node).collect()
    }
}

/// What nginx's unit writes to the tracked file when nginx has started, and when it is dead.
fn tracked_values(cluster: &Cluster) -> (i16, i16) {
    match cluster.vrrp.on_nginx_failure {
        OnNginxFailure::Fault => (0, -254),
        OnNginxFailure::Weight { weight } => (weight.get().max(0), weight.get().min(0)),
    }
}

fn name(node: usize) -> String {
    format!("lb{}", node + 1)
}

fn own(node: usize) -> String {
    format!("10.0.0.{}/24", node + 11)
}
