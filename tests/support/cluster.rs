//! A lab with an inventory, and the real `hactl` binary run on its controller.
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

/// The guide's inventory, as it is shipped.
pub(crate) const GUIDE: &str = include_str!("../../inventories/guide.yml");
/// The lab's address for the cluster.
pub(crate) const VIP: &str = "10.0.0.100";

/// A lab, and what is asked of hactl in it.
pub(crate) struct Cluster {
    lab: TestLab,
}

impl Deref for Cluster {
    type Target = TestLab;

    fn deref(&self) -> &TestLab {
        &self.lab
    }
}

/// Which machines a test needs: three that have both packages, and three backends, unless changed.
pub(crate) fn machines() -> LabSpec {
    LabSpec {
        image: Image::Installed,
        ..TestLab::spec()
    }
}

impl Cluster {
    /// A lab, or `None` where labs can't be.
    pub(crate) fn up(spec: &LabSpec) -> Option<Self> {
        Some(Self {
            lab: TestLab::up(spec)?,
        })
    }

    /// The same for a test that measures.
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

    /// The inventory that hactl is given.
    pub(crate) fn inventory(&self) -> String {
        fs::read_to_string(self.inventory_path()).unwrap()
    }

    /// Gives hactl another inventory.
    pub(crate) fn set_inventory(&self, text: &str) {
        fs::write(self.inventory_path(), text).unwrap();
    }

    /// Changes a place in the inventory.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = self.inventory();
        assert!(text.contains(from), "no {from:?} in\n{text}");
        self.set_inventory(&text.replacen(from, to, 1));
    }

    /// hactl, about to be run on the controller.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_hactl"), arguments)
    }

    /// The same of another program that is hactl.
    pub(crate) fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.controller(program);
        // What it keeps, and what a killed one leaves in the folder for temporary files, goes with the lab.
        command
            .args(arguments)
            .env("USER", "tester")
            .env("TMPDIR", self.dir())
            .env("XDG_STATE_HOME", self.dir());
        command
    }

    /// Runs hactl to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended::new(arguments, output)
    }

    /// Starts hactl.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Applies the inventory, which must succeed.
    #[track_caller]
    pub(crate) fn apply(&self) -> Ended {
        self.run(&["apply", "--yes"]).exits(0)
    }

    /// What a shell in a node answers; panics if it fails.
    #[track_caller]
    pub(crate) fn on(&self, node: &str, script: &str) -> String {
        self.on_node(node, "sh", &["-c", script])
    }

    /// A page, fetched from the controller.
    #[track_caller]
    pub(crate) fn get(&self, url: &str) -> String {
        self.on_controller("curl", &["-sS", "--fail", "--max-time", "5", url])
    }

    /// The nodes on whose interfaces an address is, as the kernel tells.
    pub(crate) fn owners(&self, address: &str) -> Vec<String> {
        let address: IpAddr = address.parse().unwrap();
        let has = |node: &String| {
            let mut ip = Command::new("ip");
            ip.args(["-n", &self.netns(node), "-o", "addr", "show", "to"])
                .arg(address.to_string());
            // A machine that is about to boot has no network for a moment, and so no address.
            let said = ip.output().unwrap().stdout;
            // What a node only answers for while it hands it over is on its loopback.
            String::from_utf8_lossy(&said)
                .lines()
                .any(|line| !line.contains(": lo "))
        };
        self.nodes().into_iter().filter(has).collect()
    }

    /// The one owner of an address.
    #[track_caller]
    pub(crate) fn owner(&self, address: &str) -> String {
        let owners = self.owners(address);
        assert_eq!(owners.len(), 1, "{owners:?}");
        owners.into_iter().next().unwrap()
    }

    /// The one owner of an address; `None` while it has none, or several.
    pub(crate) fn owner_now(&self, address: &str) -> Option<String> {
        let mut owners = self.owners(address).into_iter();
        owners.next().filter(|_| owners.next().is_none())
    }

    /// A node's `/etc`.
    pub(crate) fn etc(&self, node: &str, detail: Detail) -> Snapshot {
        snapshot(&self.node_root(node).join("etc"), detail, &[])
    }

    /// The `/etc` of all nodes.
    pub(crate) fn all_etc(&self) -> BTreeMap<String, Snapshot> {
        let nodes = self.nodes().into_iter();
        nodes
            .map(|node| (node.clone(), self.etc(&node, Detail::Content)))
            .collect()
    }

    /// Panics unless the `/etc` of every node is as it was.
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

    /// What runs on a node: the daemons' processes, and the configurations that they say they use.
    pub(crate) fn running(&self, node: &str) -> String {
        self.on(node, RUNNING)
    }

    /// The same for all nodes.
    pub(crate) fn all_running(&self) -> BTreeMap<String, String> {
        let nodes = self.nodes().into_iter();
        nodes
            .map(|node| (node.clone(), self.running(&node)))
            .collect()
    }

    /// The configuration that a node's nginx says it serves.
    pub(crate) fn served(&self, node: &str) -> String {
        self.on(node, SERVED)
    }

    /// The configurations that the nodes' nginx say they serve.
    pub(crate) fn all_served(&self) -> Vec<String> {
        self.nodes().iter().map(|node| self.served(node)).collect()
    }

    /// How often keepalived on any node has become master.
    pub(crate) fn masters(&self) -> usize {
        let count = |node: &String| {
            let log = self.on(node, "journalctl -q -u keepalived -o cat --no-pager");
            log.matches("Entering MASTER STATE").count()
        };
        self.nodes().iter().map(count).sum()
    }

    /// Panics if a change left anything on a node that belongs to its time only.
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

    /// Waits until a file is on a node, or is not.
    pub(crate) fn wait_for_file(&self, node: &str, path: &str, there: bool) {
        let path = self.node_root(node).join(path.trim_start_matches('/'));
        let word = if there { "appear" } else { "go" };
        wait_for(&format!("{} to {word}", path.display()), || {
            path.exists() == there
        });
    }
}

/// Prints the processes of both daemons and what the kernel listens on.
const RUNNING: &str = "for unit in nginx keepalived; do
    pid=$(systemctl show -p MainPID --value $unit)
    echo \"$unit $(systemctl is-active $unit) $(systemctl is-enabled $unit) $pid\"
    [ \"$pid\" = 0 ] || cat /proc/$pid/task/*/children
    echo
done
ss -Hltn | sort";

/// Asks nginx on the port of loopback that its file names.
const SERVED: &str = r"port=$(sed -n 's/.*listen 127.0.0.1:\([0-9]*\);.*/\1/p' /etc/nginx/nginx.conf | head -n 1)
curl -sS --fail --max-time 5 http://127.0.0.1:$port/generation";

/// How a run of hactl ended.
pub(crate) struct Ended {
    what: String,
    code: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

impl Ended {
    /// From what a finished process left.
    pub(crate) fn new(arguments: &[&str], output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let stdout = text(output.stdout);
        let is_for_programs = ["json", "ndjson", "--format=json", "--format=ndjson"];
        // One that was killed may have printed nothing, and wrong usage has no document.
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

    /// Its exit code; `None` when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// Panics unless it ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Panics unless it said this, wherever its lines broke.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.flat().contains(words), "no {words:?} in\n{self}");
        self
    }

    /// Panics if it said this.
    #[track_caller]
    pub(crate) fn never_says(self, words: &str) -> Self {
        assert!(!self.flat().contains(words), "{words:?} in\n{self}");
        self
    }

    /// The document that it wrote with `--format json`.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// The lines that it wrote with `--format ndjson`: its events, and its document.
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

/// What a plan changes on a node, of one kind.
pub(crate) fn changes_of<'a>(
    node: &'a serde_json::Value,
    kind: &'a str,
) -> impl Iterator<Item = &'a serde_json::Value> {
    let changes = node["changes"].as_array().unwrap().iter();
    changes.filter(move |change| change["subject"]["kind"] == kind)
}
