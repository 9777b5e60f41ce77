//! A lab in which changes are stopped at their steps, broken, and judged.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::{Slots, text, wait_for};
use crate::snapshot::{Detail, Snapshot, differences};
use crate::steps::{Step, steps};

/// The confirmation timeout: enough for three activations on a busy machine.
pub(crate) const CONFIRM_TIMEOUT: &str = "30s";
/// The folder, on a node, of the scripts that stop a change.
const GATE: &str = "opt/gate";
/// The size of a disk that can be filled.
const DISK: &str = "64m";

/// One of the two configurations that changes alternate between.
pub(crate) struct Decision {
    pub(crate) inventory: String,
    /// By daemon, a pattern that only this side's file contains.
    marks: [(&'static str, &'static str); 2],
    etc: BTreeMap<String, Snapshot>,
    runs: BTreeMap<String, String>,
}

/// The configuration of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Is {
    /// Entirely this side's.
    Whole(usize),
    /// Neither side's. Lists the differences from the nearest one.
    Between(String),
    Off,
}

pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) sides: [Decision; 2],
    /// Node names in activation order.
    pub(crate) order: Vec<String>,
    /// The steps of an undisturbed change.
    pub(crate) steps: BTreeMap<Verb, Vec<Step>>,
    keys: Vec<String>,
}

impl Bench {
    /// A lab with both sides recorded and the first one active.
    pub(crate) fn up(slots: &Slots) -> Self {
        let cluster = Cluster::up_in(slots, &machines());
        let base = cluster.inventory();
        thread::scope(|scope| {
            for node in cluster.nodes() {
                let cluster = &cluster;
                scope.spawn(move || {
                    give_own_disk(cluster, &node);
                    install(cluster, &node);
                });
            }
        });
        install_on_controller(&cluster);
        let sides = [
            side(&base, "192.168.1.12:8080", "31", [200, 150, 100]),
            side(&base, "192.168.1.11:8080", "32", [201, 151, 101]),
        ];
        let mut bench = Self {
            cluster,
            sides,
            order: Vec::new(),
            keys: Vec::new(),
            steps: BTreeMap::new(),
        };
        bench.change(Verb::Apply, 0);
        let holder = bench.holder();
        bench.order = bench.cluster.nodes();
        bench.order.retain(|node| *node != holder);
        bench.order.push(holder);
        bench.learn(0);
        // These are the two changes that are broken later.
        for (verb, side) in [(Verb::Apply, 1), (Verb::Rollback, 0)] {
            bench.change(verb, side);
            bench
                .steps
                .insert(verb, steps(bench.taken(&bench.order[0])));
            if verb == Verb::Apply {
                bench.learn(side);
            }
        }
        bench
    }

    /// Changes the cluster to a side, without any fault.
    fn change(&self, verb: Verb, side: usize) {
        let mut command = self.start(verb, side, "2m");
        for node in self.cluster.nodes() {
            // Steps are logged only while a stop is requested.
            self.stop_at(&node, "nothing");
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        self.wait_for_service();
        self.cluster.assert_no_traces();
    }

    /// Records the state of the side that the cluster is on.
    fn learn(&mut self, side: usize) {
        let manifest = self.cluster.on("lb1", "cat /var/lib/hactl/live/manifest");
        let keys = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("sysctl\t"));
        self.keys = keys
            .filter_map(|line| line.split('\t').next().map(str::to_owned))
            .collect();
        self.sides[side].etc = self.cluster.all_etc();
        let nodes = self.cluster.nodes().into_iter();
        self.sides[side].runs = nodes.map(|node| (node.clone(), self.runs(&node))).collect();
    }

    /// The owner of the VIP.
    pub(crate) fn holder(&self) -> String {
        self.cluster.owner(VIP)
    }

    /// A hactl command that will change the cluster to the side.
    pub(crate) fn start(&self, verb: Verb, side: usize, confirm_timeout: &str) -> Command {
        self.cluster.set_inventory(&self.sides[side].inventory);
        for (_, gate) in self.gates() {
            for file in ["log", "want", "at"] {
                let _ = fs::remove_file(gate.join(file));
            }
        }
        let mut command = self.cluster.command(&[
            verb.word(),
            "--yes",
            "--confirm-timeout",
            confirm_timeout,
            "--connect-timeout",
            "3s",
        ]);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env(
                "PATH",
                format!("{}:{path}", self.controller_gate().display()),
            )
            .env("HACTL_TEST_GATE", self.controller_gate());
        command
    }

    fn controller_gate(&self) -> PathBuf {
        self.cluster.dir().join("gate")
    }

    /// A node's two gates: one for connections and one for calls.
    fn gates_of(&self, node: &str) -> [PathBuf; 2] {
        let index: u8 = node.trim_start_matches("lb").parse().unwrap();
        [
            self.controller_gate()
                .join(format!("10.0.0.{}", 10 + index)),
            self.cluster.node_root(node).join(GATE),
        ]
    }

    fn gates(&self) -> Vec<(String, PathBuf)> {
        let nodes = self.cluster.nodes().into_iter();
        nodes
            .flat_map(|node| self.gates_of(&node).map(|gate| (node.clone(), gate)))
            .collect()
    }

    /// The steps that hactl has taken on a node since [`Self::start`], in order.
    pub(crate) fn taken(&self, node: &str) -> Vec<String> {
        let mut lines: Vec<(u128, String)> = Vec::new();
        for gate in self.gates_of(node) {
            let log = fs::read_to_string(gate.join("log")).unwrap_or_default();
            lines.extend(log.lines().filter_map(|line| {
                let (at, step) = line.split_once(' ')?;
                Some((at.parse().ok()?, step.to_owned()))
            }));
        }
        lines.sort();
        lines.into_iter().map(|(_, step)| step).collect()
    }

    /// Requests a stop at a step on a node.
    pub(crate) fn stop_at(&self, node: &str, step: &str) {
        for gate in self.gates_of(node) {
            fs::write(gate.join("want"), format!("{step}\n")).unwrap();
        }
    }

    pub(crate) fn is_stopped(&self, node: &str) -> bool {
        self.gates_of(node)
            .iter()
            .any(|gate| gate.join("at").exists())
    }

    /// Lets hactl continue.
    pub(crate) fn release(&self) {
        for (_, gate) in self.gates() {
            let _ = fs::remove_file(gate.join("want"));
        }
    }

    pub(crate) fn fill_disk(&self, node: &str) {
        let mut ballast = File::create(disk(&self.cluster, node).join("ballast")).unwrap();
        for size in [64 * 1024, 512, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    pub(crate) fn empty_disk(&self, node: &str) {
        fs::remove_file(disk(&self.cluster, node).join("ballast")).unwrap();
    }

    /// Makes a daemon of the node reject or ignore a side's configuration.
    pub(crate) fn mind(&self, node: &str, what: &str, side: usize) {
        let (_, daemon) = what.split_once('-').unwrap();
        let mark = self.sides[side]
            .marks
            .iter()
            .find(|(own, _)| *own == daemon);
        let gate = self.cluster.node_root(node).join(GATE);
        fs::write(gate.join(what), format!("{}\n", mark.unwrap().1)).unwrap();
    }

    pub(crate) fn mind_nothing(&self, node: &str) {
        let gate = self.cluster.node_root(node).join(GATE);
        for what in [
            "refuse-nginx",
            "refuse-keepalived",
            "ignore-nginx",
            "ignore-keepalived",
        ] {
            let _ = fs::remove_file(gate.join(what));
        }
    }

    /// Changes the time of day for everything that hactl runs on the node, and for every service
    /// that starts there. The machine's own clock stays the same.
    pub(crate) fn jump(&self, node: &str, by: &str) {
        fs::write(
            self.cluster.node_root(node).join(GATE).join("clock"),
            format!("{by}\n"),
        )
        .unwrap();
        self.cluster.on(
            node,
            &format!(
                "/usr/bin/systemctl set-environment LD_PRELOAD=/opt/gate/libfaketime.so.1 \
                 FAKETIME={by} FAKETIME_DONT_FAKE_MONOTONIC=1"
            ),
        );
    }

    pub(crate) fn set_clock_right(&self, node: &str) {
        fs::remove_file(self.cluster.node_root(node).join(GATE).join("clock")).unwrap();
        self.cluster.on(
            node,
            "/usr/bin/systemctl unset-environment LD_PRELOAD FAKETIME FAKETIME_DONT_FAKE_MONOTONIC",
        );
    }

    /// The sysctls in effect and the configurations that the daemons run.
    fn runs(&self, node: &str) -> String {
        let mut arguments = vec!["/opt/gate/runs"];
        arguments.extend(self.keys.iter().map(String::as_str));
        self.cluster.on_node(node, "/bin/sh", &arguments)
    }

    /// The side that a node is on.
    fn is(&self, node: &str) -> Is {
        if self.cluster.leader(node).is_err() {
            return Is::Off;
        }
        let etc = self.cluster.etc(node, Detail::Content);
        let runs = self.runs(node);
        let mut nearest: Option<Vec<String>> = None;
        for (index, side) in self.sides.iter().enumerate() {
            let mut found = differences(&side.etc[node], &etc);
            // The timer's units are covered by `left`. An unfinished temporary file is never read.
            found.retain(|line| {
                let is_unit = line.starts_with("systemd/system/") && line.contains("/hactl-");
                !is_unit && !line.contains("/.hactl.")
            });
            let wanted: Vec<&str> = side.runs[node].lines().collect();
            let other = runs.lines().filter(|line| !wanted.contains(line));
            found.extend(other.map(|line| format!("runs {line}")));
            if found.is_empty() {
                return Is::Whole(index);
            }
            if nearest.as_ref().is_none_or(|best| found.len() < best.len()) {
                nearest = Some(
                    found
                        .into_iter()
                        .map(|line| format!("not as side {index}: {line}"))
                        .collect(),
                );
            }
        }
        Is::Between(nearest.unwrap_or_default().join("\n"))
    }

    /// The side of every node, in activation order.
    pub(crate) fn look(&self) -> Vec<Is> {
        self.order.iter().map(|node| self.is(node)).collect()
    }

    /// Whether a node is undecided.
    pub(crate) fn is_under_way(&self, node: &str) -> bool {
        self.cluster
            .node_root(node)
            .join("var/lib/hactl/journal")
            .exists()
    }

    /// Whether a node's timer is still going to act.
    pub(crate) fn has_timer(&self, node: &str) -> bool {
        let asked = "/usr/bin/systemctl is-active hactl-revert.timer hactl-revert.service";
        let said = self.cluster.on(node, &format!("{asked}; :"));
        said.lines()
            .any(|line| line == "active" || line == "activating")
    }

    /// Remains of a change on a node that should not outlive the change.
    pub(crate) fn left(&self, node: &str) -> Vec<String> {
        if self.cluster.leader(node).is_err() {
            return vec!["the node is off".to_owned()];
        }
        let root = self.cluster.node_root(node);
        let mut found = Vec::new();
        let is_of_a_change = |name: &str| {
            ["journal", "lock", "tx", "agent", "peer-key"]
                .iter()
                .any(|own| name.starts_with(own))
                || name.contains(".new")
        };
        names(
            &root.join("var/lib/hactl"),
            false,
            &is_of_a_change,
            &mut found,
        );
        let is_ours = |name: &str| {
            name.starts_with(".hactl")
                || name.starts_with("hactl-") && !name.starts_with("hactl-lab")
        };
        names(&root.join("etc"), true, &is_ours, &mut found);
        names(
            &root.join("usr/sbin"),
            false,
            &|name| name == "policy-rc.d",
            &mut found,
        );
        if found.is_empty() {
            // Units that systemd still has loaded.
            let units = "/usr/bin/systemctl list-units --all --plain --no-legend 'hactl-*'";
            found.extend(self.cluster.on(node, units).lines().map(str::to_owned));
        }
        found
    }

    /// Expires all locks. The lock of a dead holder is free once its time is up.
    pub(crate) fn let_locks_end(&self) {
        for node in self.cluster.nodes() {
            self.cluster.on(
                &node,
                "if [ -f /var/lib/hactl/lock ]; then sed -i 's/^until.*/until\\t0/' /var/lib/hactl/lock; fi",
            );
        }
    }

    /// Waits until the VIP has one owner and serves.
    pub(crate) fn wait_for_service(&self) {
        wait_for("one owner of the VIP that serves", || self.serves().is_ok());
    }

    /// The clients' view, independent of hactl: one owner, an answer from it, and hosts that send
    /// to it.
    pub(crate) fn serves(&self) -> Result<(), Unserved> {
        let owners = self.cluster.owners(VIP);
        let [owner] = owners.as_slice() else {
            return Err(Unserved::Other(format!("owners of the VIP: {owners:?}")));
        };
        self.are_led_to(owner)?;
        let url = format!("http://{VIP}/");
        let page = self
            .cluster
            .controller("curl")
            .args(["-sS", "--fail", "--max-time", "3", &url])
            .output()
            .unwrap();
        if page.status.success() {
            // The client has resolved the address by now, in case it had no entry.
            return self.are_led_to(owner);
        }
        Err(Unserved::Other(format!(
            "the VIP does not serve: {}",
            String::from_utf8_lossy(&page.stderr)
        )))
    }

    /// Checks that the controller, where clients are, and all other nodes have the owner's MAC
    /// address in their neighbour tables, if they have an entry at all.
    fn are_led_to(&self, owner: &str) -> Result<(), Unserved> {
        let ip = |netns: &str, arguments: &[&str]| {
            let output = Command::new("ip")
                .args(["-n", netns])
                .args(arguments)
                .output();
            String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
        };
        let link = ip(&self.cluster.netns(owner), &["-o", "link", "show", "eth0"]);
        let right = word_after(&link, "link/ether");
        let nodes = self
            .cluster
            .nodes()
            .into_iter()
            .filter(|node| node != owner);
        for node in nodes {
            let known = ip(&self.cluster.netns(&node), &["neigh", "show", "to", VIP]);
            misled(&node, owner, right, word_after(&known, "lladdr"))?;
        }
        let known = self
            .cluster
            .controller("ip")
            .args(["neigh", "show", "to", VIP])
            .output();
        let known = String::from_utf8_lossy(&known.unwrap().stdout).into_owned();
        misled("the client", owner, right, word_after(&known, "lladdr"))
    }
}

fn word_after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.split_whitespace()
        .skip_while(|own| *own != word)
        .nth(1)
}

fn misled(
    who: &str,
    owner: &str,
    right: Option<&str>,
    known: Option<&str>,
) -> Result<(), Unserved> {
    if known.is_none() || known == right {
        return Ok(());
    }
    Err(Unserved::Misled {
        owner: owner.to_owned(),
        what: format!("{who} sends to the VIP at {known:?}, and {owner} has {right:?}"),
    })
}

/// Why clients get no service.
pub(crate) enum Unserved {
    /// A host sends to a MAC address other than the owner's.
    Misled { owner: String, what: String },
    /// No owner, several owners, or no answer.
    Other(String),
}

impl std::fmt::Display for Unserved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Misled { what, .. } | Self::Other(what)) = self;
        f.write_str(what)
    }
}

/// Collects matching names in a folder and, with `below`, its subfolders.
fn names(folder: &Path, below: bool, is_meant: &dyn Fn(&str) -> bool, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_meant(&name) {
            found.push(name);
        } else if below && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names(&entry.path(), true, is_meant, found);
        }
    }
}

/// The verb under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verb {
    Apply,
    Rollback,
}

impl Verb {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
        }
    }
}

/// A side whose inventory differs from the other one in settings of nginx, keepalived and the
/// kernel.
fn side(base: &str, second: &str, timeout: &str, priorities: [u8; 3]) -> Decision {
    let mut inventory = base.replace(
        "192.168.1.10:8080, 192.168.1.11:8080, 192.168.1.12:8080",
        &format!("192.168.1.10:8080, {second}"),
    );
    for (index, priority) in priorities.iter().enumerate() {
        let node = format!("name: lb{}, ", index + 1);
        inventory = inventory.replace(&node, &format!("{node}priority: {priority}, "));
    }
    let _ = writeln!(
        inventory,
        "sysctl: {{ net.ipv4.tcp_fin_timeout: {timeout} }}"
    );
    let is_first = priorities[0] == 200;
    Decision {
        inventory,
        marks: [
            (
                "nginx",
                if is_first {
                    "192.168.1.12:8080"
                } else {
                    "192.168.1.11:8080"
                },
            ),
            (
                "keepalived",
                if is_first {
                    "priority (200|150|100)$"
                } else {
                    "priority (201|151|101)$"
                },
            ),
        ],
        etc: BTreeMap::new(),
        runs: BTreeMap::new(),
    }
}

fn disk(cluster: &Cluster, node: &str) -> PathBuf {
    cluster.node_root(node).parent().unwrap().join("disk")
}

/// Moves a node's writable layer to a file system of its own, small enough to fill. It survives
/// reboots like a disk.
fn give_own_disk(cluster: &Cluster, node: &str) {
    let (root, disk) = (cluster.node_root(node), disk(cluster, node));
    cluster.power_off(node).unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let own = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == root.to_str());
    let lower = own
        .and_then(|line| line.split("lowerdir=").nth(1)?.split(',').next())
        .unwrap()
        .to_owned();
    let script = r#"set -e
        umount "$1"
        mkdir "$2"
        mount -n -t tmpfs -o "size=$4" hactl-test "$2"
        cp -a "${1%/root}/upper" "$2/upper"
        mkdir "$2/work"
        mount -n -t overlay -o "lowerdir=$3,upperdir=$2/upper,workdir=$2/work" hactl-test "$1""#;
    text(
        Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&root)
            .arg(&disk)
            .args([&lower, DISK]),
    );
    cluster.boot(node).unwrap();
}

fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Installs the scripts that stop a change on a node.
fn install(cluster: &Cluster, node: &str) {
    let root = cluster.node_root(node);
    let gate = root.join(GATE);
    put(&gate, "stop", include_str!("node/stop.sh"));
    put(&gate, "session", include_str!("node/session.sh"));
    put(&gate, "runs", include_str!("node/runs.sh"));
    put(&gate, "libfaketime.so.1", faketime());
    // This folder comes first in the host program's `PATH`.
    let first = root.join("usr/local/sbin");
    put(&first, "mv", include_str!("node/mv.sh"));
    put(&first, "systemctl", include_str!("node/systemctl.sh"));
    put(&first, "nginx", include_str!("node/daemon.sh"));
    put(&first, "keepalived", include_str!("node/daemon.sh"));
    put(
        &root.join("etc/ssh/sshd_config.d"),
        "gate.conf",
        "ForceCommand /opt/gate/session\n",
    );
    cluster.on(node, "/usr/bin/systemctl reload ssh.service");
}

fn install_on_controller(cluster: &Cluster) {
    let gate = cluster.dir().join("gate");
    put(&gate, "stop", include_str!("node/stop.sh"));
    put(&gate, "ssh", include_str!("node/ssh.sh"));
    for index in 1..=cluster.nodes().len() {
        fs::create_dir_all(gate.join(format!("10.0.0.{}", 10 + index))).unwrap();
    }
}

/// Debian's libfaketime: the installed one, or else one unpacked just for the test.
fn faketime() -> Vec<u8> {
    static FOUND: OnceLock<Vec<u8>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faketime");
            if library(Path::new("/")).is_none() && library(&own).is_none() {
                fs::create_dir_all(&own).unwrap();
                let script = "apt-get -q update && apt-get -q download libfaketime &&
                    dpkg-deb -x libfaketime_*.deb .";
                text(Command::new("sh").args(["-c", script]).current_dir(&own));
            }
            let path = library(Path::new("/")).or_else(|| library(&own));
            fs::read(path.expect("the package has the library")).unwrap()
        })
        .clone()
}

fn library(root: &Path) -> Option<PathBuf> {
    let found = fs::read_dir(root.join("usr/lib"))
        .into_iter()
        .flatten()
        .flatten();
    found
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
}

/// Waits up to `patience` for a condition. Returns whether it became true.
pub(crate) fn patiently(patience: Duration, condition: impl FnMut() -> bool) -> bool {
    wait(patience, Duration::from_millis(100), condition)
}

/// The same with a longer interval, for expensive conditions.
pub(crate) fn now_and_then(patience: Duration, condition: impl FnMut() -> bool) -> bool {
    wait(patience, Duration::from_millis(500), condition)
}

fn wait(patience: Duration, pause: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > patience {
            return false;
        }
        thread::sleep(pause);
    }
    true
}
