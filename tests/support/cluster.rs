//! A lab with an inventory, and the real `hactl` binary on its controller.
#![expect(clippy::unwrap_used, reason = "this is test code")]
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::ops::Deref;
use std::process::{Child, Command, Output, Stdio};

use hactl::lab::{Image, LabSpec};

use crate::documents;
use crate::lab::{Slots, TestLab, wait_for};
use crate::snapshot::{Detail, Snapshot, assert_same, snapshot};

/// The inventory of the guide.
pub(crate) const GUIDE: &str = include_str!("../../inventories/guide.yml");
/// The cluster's VIP.
pub(crate) const VIP: &str = "10.0.0.100";

pub(crate) struct Cluster {
    lab: TestLab,
}

impl Deref for Cluster {
    type Target = TestLab;

    fn deref(&self) -> &TestLab {
        &self.lab
    }
}

/// The default machines: three nodes with both packages installed, and three backends.
pub(crate) fn machines() -> LabSpec {
    LabSpec {
        image: Image::Installed,
        ..TestLab::spec()
    }
}

impl Cluster {
    /// A lab, or `None` if labs are not possible here.
    pub(crate) fn up(spec: &LabSpec) -> Option<Self> {
        Some(Self {
            lab: TestLab::up(spec)?,
        })
    }

    /// Like [`Self::up`], for tests that measure.
    pub(crate) fn up_quietly(spec: &LabSpec) -> Option<Self> {
        Some(Self {
            lab: TestLab::up_quietly(spec)?,
        })
    }

    /// One of several labs of a test that holds slots for all of them.
    pub(crate) fn up_in(slot: &Slots, spec: &LabSpec) -> Self {
        Self {
            lab: TestLab::up_in(slot, spec),
        }
    }

    /// The current inventory.
    pub(crate) fn inventory(&self) -> String {
        fs::read_to_string(self.inventory_path()).unwrap()
    }

    /// Replaces the inventory.
    pub(crate) fn set_inventory(&self, text: &str) {
        fs::write(self.inventory_path(), text).unwrap();
    }

    /// Replaces text in the inventory.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = self.inventory();
        assert!(text.contains(from), "no {from:?} in\n{text}");
        self.set_inventory(&text.replacen(from, to, 1));
    }

    /// A command that runs hactl on the controller.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_hactl"), arguments)
    }

    /// Like [`Self::command`] with another build of hactl.
    pub(crate) fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.controller(program);
        // State, and temporary files of a killed hactl, go away with the lab.
        command
            .args(arguments)
            .env("USER", "tester")
            .env("TMPDIR", self.dir())
            .env("XDG_STATE_HOME", self.dir());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended::new(arguments, output)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Applies the inventory and expects success.
    #[track_caller]
    pub(crate) fn apply(&self) -> Ended {
        self.run(&["apply", "--yes"]).exits(0)
    }

    /// The output of a shell script on a node. Panics if it fails.
    #[track_caller]
    pub(crate) fn on(&self, node: &str, script: &str) -> String {
        self.on_node(node, "sh", &["-c", script])
    }

    /// Fetches a page from the controller.
    #[track_caller]
    pub(crate) fn get(&self, url: &str) -> String {
        self.on_controller("curl", &["-sS", "--fail", "--max-time", "5", url])
    }

    /// The nodes that have an address on an interface, according to the kernel.
    pub(crate) fn owners(&self, address: &str) -> Vec<String> {
        let address: IpAddr = address.parse().unwrap();
        let has = |node: &String| {
            let mut ip = Command::new("ip");
            ip.args(["-n", &self.netns(node), "-o", "addr", "show", "to"])
                .arg(address.to_string());
            // A booting machine briefly has no network, and thus no address.
            let said = ip.output().unwrap().stdout;
            // During a handover a node keeps the address on its loopback.
            String::from_utf8_lossy(&said)
                .lines()
                .any(|line| !line.contains(": lo "))
        };
        self.nodes().into_iter().filter(has).collect()
    }

    /// The only owner of an address. Panics if there is not exactly one.
    #[track_caller]
    pub(crate) fn owner(&self, address: &str) -> String {
        let owners = self.owners(address);
        assert_eq!(owners.len(), 1, "{owners:?}");
        owners.into_iter().next().unwrap()
    }

    /// The only owner of an address, or `None` if it has none or several.
    pub(crate) fn owner_now(&self, address: &str) -> Option<String> {
        let mut owners = self.owners(address).into_iter();
        owners.next().filter(|_| owners.next().is_none())
    }

    pub(crate) fn etc(&self, node: &str, detail: Detail) -> Snapshot {
        snapshot(&self.node_root(node).join("etc"), detail, &[])
    }

    pub(crate) fn all_etc(&self) -> BTreeMap<String, Snapshot> {
        let nodes = self.nodes().into_iter();
        nodes
            .map(|node| (node.clone(), self.etc(&node, Detail::Content)))
            .collect()
    }

    /// `/etc` of all nodes but the users, of which rpm's packages leave theirs.
    pub(crate) fn etc_without_users(&self) -> BTreeMap<String, Snapshot> {
        let mut all = self.all_etc();
        for etc in all.values_mut() {
            etc.retain(|path, _| {
                let name = path.trim_end_matches('-');
                !["passwd", "shadow", "group", "gshadow", "subuid", "subgid"].contains(&name)
            });
        }
        all
    }

    /// Asserts that `/etc` on every node is unchanged.
    #[track_caller]
    pub(crate) fn assert_etc(&self, before: &BTreeMap<String, Snapshot>) {
        for (node, before) in before {
            assert_same(
                before,
                &self.etc(node, Detail::Content),
                &format!("{node}'s /etc"),
            );
        }
    }

    /// What runs on a node: the daemons' processes and the listening sockets.
    pub(crate) fn running(&self, node: &str) -> String {
        self.on(node, RUNNING)
    }

    pub(crate) fn all_running(&self) -> BTreeMap<String, String> {
        let nodes = self.nodes().into_iter();
        nodes
            .map(|node| (node.clone(), self.running(&node)))
            .collect()
    }

    /// The generation that a node's nginx serves.
    pub(crate) fn served(&self, node: &str) -> String {
        self.on(node, SERVED)
    }

    /// The generation that each node's nginx serves.
    pub(crate) fn all_served(&self) -> Vec<String> {
        self.nodes().iter().map(|node| self.served(node)).collect()
    }

    /// How often keepalived became master, summed over all nodes.
    pub(crate) fn masters(&self) -> usize {
        let count = |node: &String| {
            let log = self.on(node, "journalctl -q -u keepalived -o cat --no-pager");
            log.matches("Entering MASTER STATE").count()
        };
        self.nodes().iter().map(count).sum()
    }

    /// Asserts that no node has leftovers of a change, such as its lock or its revert timer.
    #[track_caller]
    pub(crate) fn assert_no_traces(&self) {
        for node in self.nodes() {
            let left = self.on(
                &node,
                "cd /var/lib/hactl 2>/dev/null && ls -d journal* lock* tx agent* peer-key *.new 2>/dev/null
                 ls -d /etc/systemd/system/hactl-* 2>/dev/null
                 find /etc /usr/sbin -name '.hactl*' -o -name policy-rc.d
                 systemctl list-units --all --plain --no-legend 'hactl-revert*'; :",
            );
            assert!(left.is_empty(), "{node}: {left}");
        }
    }

    /// Waits until a file exists on a node, or no longer exists.
    pub(crate) fn wait_for_file(&self, node: &str, path: &str, there: bool) {
        let path = self.node_root(node).join(path.trim_start_matches('/'));
        let word = if there { "appear" } else { "go" };
        wait_for(&format!("{} to {word}", path.display()), || {
            path.exists() == there
        });
    }
}

/// Prints the processes of both daemons and the listening sockets.
const RUNNING: &str = "for unit in nginx keepalived; do
    pid=$(systemctl show -p MainPID --value $unit)
    echo \"$unit $(systemctl is-active $unit) $(systemctl is-enabled $unit) $pid\"
    [ \"$pid\" = 0 ] || cat /proc/$pid/task/*/children
    echo
done
ss -Hltn | sort";

/// Queries nginx on the loopback port in its configuration.
const SERVED: &str = r"port=$(sed -n 's/.*listen 127.0.0.1:\([0-9]*\);.*/\1/p' /etc/nginx/nginx.conf | head -n 1)
curl -sS --fail --max-time 5 http://127.0.0.1:$port/generation";

/// The result of a run of hactl.
pub(crate) struct Ended {
    what: String,
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn new(arguments: &[&str], output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let stdout = text(output.stdout);
        let is_for_programs = ["json", "ndjson", "--format=json", "--format=ndjson"];
        // A killed run may have printed nothing, and usage errors have no document.
        let is_whole = !matches!(output.status.code(), None | Some(64)) || !stdout.is_empty();
        if is_whole && arguments.iter().any(|word| is_for_programs.contains(word)) {
            documents::assert_valid(hactl::report::schema, &stdout);
        }
        Self {
            what: format!("hactl {}", arguments.join(" ")),
            code: output.status.code(),
            stdout,
            stderr: text(output.stderr),
        }
    }

    /// The exit code, or `None` if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts that the output contains `words`, regardless of line breaks.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.flat().contains(words), "no {words:?} in\n{self}");
        self
    }

    /// Asserts that the output does not contain `words`.
    #[track_caller]
    pub(crate) fn never_says(self, words: &str) -> Self {
        assert!(!self.flat().contains(words), "{words:?} in\n{self}");
        self
    }

    /// The document written with `--format json`.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// The lines written with `--format ndjson`: the events and the document.
    #[track_caller]
    pub(crate) fn lines(&self) -> (Vec<serde_json::Value>, serde_json::Value) {
        let lines = self.stdout.lines();
        let mut events: Vec<serde_json::Value> = lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{self}"))
            })
            .collect();
        let mut last = events.pop().unwrap_or_else(|| panic!("no line\n{self}"));
        assert_eq!(last["event"], "report", "{self}");
        for (place, event) in events.iter().enumerate() {
            assert_eq!(event["index"], place + 1, "{self}");
        }
        (events, last["report"].take())
    }

    fn flat(&self) -> String {
        let all = format!("{} {}", self.stdout, self.stderr);
        all.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            what,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{what}: {code:?}\n-- stdout\n{stdout}\n-- stderr\n{stderr}"
        )
    }
}

/// A node's changes of one kind in a plan.
pub(crate) fn changes_of<'a>(
    node: &'a serde_json::Value,
    kind: &'a str,
) -> impl Iterator<Item = &'a serde_json::Value> {
    let changes = node["changes"].as_array().unwrap().iter();
    changes.filter(move |change| change["subject"]["kind"] == kind)
}
