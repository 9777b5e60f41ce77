//! An in-memory cluster, at the level of the calls that hactl's program on a host accepts. Like the
//! real program it keeps locks, staged trees, journals and files. It fails where a test wants it
//! to, and rejects unknown calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Call, Connector, Host, Output, RemoteError};
use crate::model::{Node, NodeName};

/// The way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The program refuses and does nothing.
    Refused,
    /// The program does its work and then reports a failure, such as a failed verification.
    FailedAfter,
    /// The connection is lost before the program starts.
    LostBefore,
    /// The connection is lost after the program has done its work.
    LostAfter,
    /// The host is gone before this call, and stays gone.
    Gone,
    /// The call is never answered.
    Hangs,
}

/// A fault in one call: the `nth` of `verb` on a node, counted from 0.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) node: usize,
    pub(crate) verb: &'static str,
    pub(crate) nth: usize,
    pub(crate) fault: Fault,
}

/// What a host's firewall lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Firewall {
    /// Everything.
    #[default]
    Open,
    /// Everything but VRRP.
    DropsVrrp,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeHost {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The VIPs on its interfaces.
    pub(crate) holds: Vec<String>,
    /// The change that holds its lock.
    pub(crate) lock: Option<String>,
    /// The change whose lock has no process.
    handed_over: Option<String>,
    /// The change in flight, with its phase.
    pub(crate) journal: Option<(String, &'static str)>,
    /// The change confirmed last.
    pub(crate) confirmed: Option<String>,
    /// Its part in a simultaneous change.
    pub(crate) part: Option<String>,
    /// The armed fault: id and name.
    pub(crate) drill: Option<(String, String)>,
    /// The change rolled back last, and why.
    pub(crate) undone: Option<(String, String)>,
    /// Packages that hactl installed.
    pub(crate) packages: BTreeSet<String>,
    /// By VIP, a wrong MAC address in its neighbour table.
    pub(crate) stale: BTreeMap<String, String>,
    /// Whether it serves nothing until a change is active there.
    pub(crate) opens_with_change: bool,
    /// Whether it misses all announcements.
    pub(crate) is_deaf: bool,
    pub(crate) firewall: Firewall,
    /// The state of its instance, if it does not follow from the VIPs it holds.
    pub(crate) instance: Option<&'static str>,
    /// Additional records in its answer to every observation.
    pub(crate) tells: String,
    /// Its own address with the prefix length.
    pub(crate) address: Option<String>,
    /// The VIPs that it takes once a change is active there.
    pub(crate) takes: Vec<String>,
    /// Listening TCP ports.
    pub(crate) sockets: Vec<u16>,
    /// The manifest of its live generation.
    pub(crate) recorded: Option<String>,
    /// Generations by number: manifest and files.
    generations: BTreeMap<String, (String, BTreeMap<String, Vec<u8>>)>,
    /// The VIPs that it held before the change in flight.
    held: Vec<String>,
    /// Whether it is unreachable.
    pub(crate) is_gone: bool,
    staged: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// By change, the lines of the staged tree's manifest.
    facts: BTreeMap<String, Vec<String>>,
    installed_for: BTreeMap<String, Vec<String>>,
    before: BTreeMap<String, Option<Vec<u8>>>,
    calls: BTreeMap<String, usize>,
}

/// All hosts, and a record of what happened.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) hosts: BTreeMap<NodeName, FakeHost>,
    /// The node and verb of every call, in order.
    pub(crate) log: Vec<(NodeName, String)>,
    pub(crate) faults: Vec<Planned>,
    /// The number of connections opened.
    pub(crate) opened: usize,
    /// The number of connections closed.
    pub(crate) closed: usize,
    /// The number of connections dropped unclosed, together with their work.
    pub(crate) dropped: usize,
}

/// An in-memory cluster. Clones share its state.
#[derive(Clone, Default)]
pub(crate) struct FakeCluster(Arc<Mutex<State>>);

impl FakeCluster {
    pub(crate) fn new(hosts: impl IntoIterator<Item = (NodeName, FakeHost)>) -> Self {
        let state = State {
            hosts: hosts.into_iter().collect(),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The nodes that received `verb`, in order.
    pub(crate) fn order_of(&self, verb: &str) -> Vec<String> {
        let state = self.state();
        let calls = state.log.iter().filter(|(_, own)| own == verb);
        calls.map(|(node, _)| node.to_string()).collect()
    }
}

impl State {
    /// Counts this call, and returns its planned fault, if any.
    fn fault(&mut self, node: &NodeName, verb: &str) -> Option<Fault> {
        let place = self.hosts.keys().position(|own| own == node);
        let host = self.hosts.get_mut(node).unwrap();
        let count = host.calls.entry(verb.to_owned()).or_default();
        let nth = *count;
        *count += 1;
        let is_meant = |planned: &&Planned| {
            Some(planned.node) == place && planned.verb == verb && planned.nth == nth
        };
        let fault = self.faults.iter().find(is_meant).map(|it| it.fault);
        if fault == Some(Fault::Gone) {
            host.is_gone = true;
        }
        if host.is_gone {
            return Some(Fault::Gone);
        }
        fault
    }
}

pub(crate) fn hardware(node: &NodeName) -> String {
    format!("02:00:00:00:00:0{}", node.as_str().trim_start_matches("lb"))
}

impl State {
    /// The owner of each VIP.
    fn owners(&self) -> BTreeMap<String, NodeName> {
        let of = |(node, host): (&NodeName, &FakeHost)| {
            let vips = host.holds.iter();
            let owned = vips.map(|vip| (vip.clone(), node.clone()));
            owned.collect::<Vec<_>>()
        };
        self.hosts.iter().flat_map(of).collect()
    }

    /// Lets the node's neighbours learn the VIPs that it holds.
    fn be_heard(&mut self, node: &NodeName) {
        let own = self.hosts[node].holds.clone();
        for host in self.hosts.values_mut().filter(|host| !host.is_deaf) {
            host.stale.retain(|vip, _| !own.contains(vip));
        }
    }
}

#[async_trait]
impl Connector for FakeCluster {
    async fn connect(&self, node: &Node) -> Result<Box<dyn Host>, RemoteError> {
        let fault = self.state().fault(&node.name, "connect");
        if fault == Some(Fault::Hangs) {
            std::future::pending::<()>().await;
        }
        if fault.is_some() {
            return Err(RemoteError::Unreachable {
                node: node.name.clone(),
                host: node.ssh.host.clone(),
                detail: "Connection timed out".to_owned(),
            });
        }
        self.state().opened += 1;
        Ok(Box::new(Connection {
            node: node.name.clone(),
            cluster: self.clone(),
            is_closed: false,
        }))
    }
}

struct Connection {
    node: NodeName,
    cluster: FakeCluster,
    is_closed: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A test that panicked has poisoned the lock, and has already reported its failure.
        let Ok(mut state) = self.cluster.0.lock() else {
            return;
        };
        if self.is_closed {
            state.closed += 1;
        } else {
            state.dropped += 1;
        }
    }
}

#[async_trait]
impl Host for Connection {
    fn node(&self) -> &NodeName {
        &self.node
    }

    async fn call(&self, call: Call<'_>) -> Result<Output, RemoteError> {
        let (verb, arguments) = (call.arguments[0], &call.arguments[1..]);
        let payload = call.input;
        let lost = || RemoteError::Disconnected {
            node: self.node.clone(),
            label: call.label.to_owned(),
        };
        let fault = {
            let mut state = self.cluster.state();
            state.log.push((self.node.clone(), verb.to_owned()));
            state.fault(&self.node, verb)
        };
        if fault == Some(Fault::Hangs) {
            std::future::pending::<()>().await;
        }
        let mut state = self.cluster.state();
        let owners = state.owners();
        if verb == "announce" && fault.is_none() {
            state.be_heard(&self.node);
        }
        let host = state.hosts.get_mut(&self.node).unwrap();
        let answer = match fault {
            Some(Fault::Gone | Fault::LostBefore) => return Err(lost()),
            Some(Fault::Refused) if verb == "validate-staged" => {
                Ok("tested\tnginx\t1\n".to_owned())
            }
            Some(Fault::Refused) => Err("service\tas the test wants it".to_owned()),
            _ if verb == "reach" => Ok(host.reach(&self.node, &owners, payload)),
            _ => host.answer(verb, arguments, payload),
        };
        if fault == Some(Fault::LostAfter) {
            return Err(lost());
        }
        let answer = match (fault, answer) {
            (Some(Fault::FailedAfter), _) => Err("service\tas the test wants it".to_owned()),
            (_, answer) => answer,
        };
        let (code, records) = match answer {
            Ok(records) => (0, records),
            Err(failure) => (1, format!("fail\t{failure}\n")),
        };
        Ok(Output {
            code: Some(code),
            stdout: format!("hactl-agent\t1\n{records}end\n").into_bytes(),
            stderr: Vec::new(),
        })
    }

    async fn close(mut self: Box<Self>) {
        self.is_closed = true;
    }
}

impl FakeHost {
    pub(crate) fn calls_of(&self, verb: &str) -> usize {
        self.calls.get(verb).copied().unwrap_or_default()
    }

    fn answer(&mut self, verb: &str, arguments: &[&str], payload: &[u8]) -> Result<String, String> {
        match (verb, arguments) {
            ("lock", [tx, _, pid, ..]) => {
                let journal = self.take_lock(tx)?;
                self.handed_over = (*pid == "-").then(|| (*tx).to_owned());
                Ok(journal)
            }
            ("unlock", [tx]) => {
                if self.lock.as_deref() == Some(*tx) {
                    self.lock = None;
                    self.staged.clear();
                }
                Ok(String::new())
            }
            ("break-lock", [tx, "idle"]) if self.journal.is_none() => {
                self.lock.take_if(|own| own == tx);
                Ok(String::new())
            }
            ("prepare", [tx]) => self.prepare(tx, payload),
            ("stage", [tx]) => {
                self.must_hold(tx)?;
                self.staged.insert((*tx).to_owned(), files(payload));
                self.facts.insert((*tx).to_owned(), manifest(payload));
                Ok(String::new())
            }
            ("validate-staged", [tx]) => {
                self.staged.get(*tx).ok_or("protocol\tnothing is staged")?;
                Ok("tested\tnginx\t0\ntested\tkeepalived\t0\n".to_owned())
            }
            ("activate", [tx, _]) => {
                let text = String::from_utf8_lossy(payload).into_owned();
                let part = text.lines().find_map(|line| line.strip_prefix("switch\t"));
                self.part = part.and_then(|part| Some(part.split_once('\t')?.0.to_owned()));
                self.activate(tx)
            }
            ("generation", [number]) => self.generation(number),
            ("history", []) => Ok(self.history()),
            ("validate", []) => Ok("tested\tnginx\t0\ntested\tkeepalived\t0\n".to_owned()),
            ("noted", [_]) | ("ready" | "signal", [_, _]) => Ok(String::new()),
            ("hush", [tx]) => {
                let is_own = self.journal.as_ref().is_some_and(|(own, _)| own == tx);
                let part = self.part.as_deref().filter(|_| is_own);
                Ok(format!("switch\t{}\n", part.unwrap_or("-")))
            }
            ("confirm", [tx]) => self.confirm(tx),
            ("offer", [tx]) => self.offer(tx),
            ("withdraw", [tx]) => Ok(self.withdraw(tx)),
            ("revert", [tx, _, why]) => self.revert(tx, why),
            ("fault", [id, name, _]) => self.arm_fault(id, name),
            ("heal", [id]) => self.heal(id),
            ("fault-state", [_]) => Ok(self.armed()),
            ("observe", []) | ("glance", ["serving"]) => Ok(self.observe(payload)),
            ("announce", []) => Ok(self.announce(payload)),
            ("adverts", [_, _, _, _, _, _, _, _, peers @ ..]) => Ok(self.hear(peers)),
            _ => Err(format!("protocol\tno such call: {verb} {arguments:?}")),
        }
    }

    fn announce(&self, payload: &[u8]) -> String {
        let text = String::from_utf8_lossy(payload);
        let asked = text.lines().filter_map(|line| line.strip_prefix("vip\t"));
        let own = asked.filter(|vip| self.holds.iter().any(|own| own == vip));
        own.fold(String::new(), |answer, vip| {
            answer + &format!("announced\t{vip}\teth0\tperl\n")
        })
    }

    fn hear(&self, peers: &[&str]) -> String {
        let mut answer = "sent\t10\t100\n".to_owned();
        for peer in peers.iter().filter(|_| self.firewall == Firewall::Open) {
            // Writing to a String cannot fail.
            let _ = writeln!(answer, "heard\t{peer}\tm\t10\t0\t9\t21000");
            let _ = writeln!(answer, "heard\t{peer}\tu\t10\t0\t9\t21000");
        }
        answer
    }

    /// An owner serves every requested port to any client that finds it.
    fn reach(
        &self,
        node: &NodeName,
        owners: &BTreeMap<String, NodeName>,
        payload: &[u8],
    ) -> String {
        let mut answer = format!("hardware\teth0\t{}\n", hardware(node));
        for line in String::from_utf8_lossy(payload).lines() {
            // Writing to a String cannot fail.
            let _ = match line.split('\t').collect::<Vec<_>>()[..] {
                ["vip", vip] if self.holds.iter().any(|own| own == vip) => {
                    writeln!(answer, "has\t{vip}\teth0")
                }
                ["vip", vip] => {
                    let owner = owners.get(vip).map(hardware);
                    let learned = self.stale.get(vip).cloned().or(owner);
                    writeln!(answer, "learned\t{vip}\t{}", learned.unwrap_or_default())
                }
                ["listener", vip, port, _] => {
                    let is_shut = self.opens_with_change && self.journal.is_none();
                    let is_found =
                        owners.contains_key(vip) && !self.stale.contains_key(vip) && !is_shut;
                    let word = if is_found { "open" } else { "closed" };
                    writeln!(answer, "answer\t{vip}\t{port}\t{word}")
                }
                _ => Ok(()),
            };
        }
        answer
    }

    fn armed(&self) -> String {
        match &self.drill {
            Some((id, name)) => format!("drill\t{id}\t{name}\t2026-01-01T00:00:00Z\t9\n"),
            None => String::new(),
        }
    }

    fn refuse_drilling(&self, own: &str) -> Result<(), String> {
        match &self.drill {
            Some((id, name)) if id != own => Err(format!(
                "drilling\tthe drill {name} ({id}) has been running here"
            )),
            _ => Ok(()),
        }
    }

    fn arm_fault(&mut self, id: &str, name: &str) -> Result<String, String> {
        self.refuse_drilling("")?;
        if self.journal.is_some() {
            return Err("unfinished\tan earlier change is not finished here".to_owned());
        }
        if self.lock.as_deref().is_some_and(|tx| tx != id) {
            return Err(locked_answer());
        }
        self.drill = Some((id.to_owned(), name.to_owned()));
        Ok(self.armed())
    }

    fn heal(&mut self, id: &str) -> Result<String, String> {
        self.refuse_drilling(id)?;
        let healed = self.drill.take();
        Ok(healed.map_or_else(String::new, |(_, name)| {
            format!("drill-event\t1.5\thealed\t{name}\t-\n")
        }))
    }

    fn take_lock(&mut self, tx: &str) -> Result<String, String> {
        self.refuse_drilling(tx)?;
        match &self.lock {
            Some(own) if own != tx => return Err(locked_answer()),
            _ => self.lock = Some(tx.to_owned()),
        }
        Ok(match &self.journal {
            Some((tx, phase)) => format!("journal\t{tx}\t{phase}\n"),
            None => String::new(),
        })
    }

    fn must_hold(&self, tx: &str) -> Result<(), String> {
        if self.lock.as_deref() == Some(tx) {
            return Ok(());
        }
        Err("lock-lost\tthe lock on this host is no longer ours".to_owned())
    }

    fn prepare(&mut self, tx: &str, payload: &[u8]) -> Result<String, String> {
        self.must_hold(tx)?;
        let text = String::from_utf8_lossy(payload);
        let wanted = text
            .lines()
            .filter_map(|line| line.strip_prefix("package\t"));
        let new: Vec<String> = wanted
            .filter(|name| self.packages.insert((*name).to_owned()))
            .map(str::to_owned)
            .collect();
        let records = new.iter().map(|name| format!("package\t{name}\n"));
        let records = records.collect();
        self.installed_for.insert(tx.to_owned(), new);
        Ok(records)
    }

    fn activate(&mut self, tx: &str) -> Result<String, String> {
        self.must_hold(tx)?;
        if self.journal.is_some() {
            return Err("unfinished\tan earlier change is not finished here".to_owned());
        }
        let new = self.staged.get(tx).ok_or("protocol\tnothing is staged")?;
        for (path, content) in new.clone() {
            let old = self.files.insert(path.clone(), content);
            self.before.insert(path, old);
        }
        self.journal = Some((tx.to_owned(), "activated"));
        self.held.clone_from(&self.holds);
        if let Some(vips) = self.fact(tx, "vips") {
            let own = |own: &&String| vips.split(' ').any(|vip| vip == *own);
            self.holds = self.takes.iter().filter(own).cloned().collect();
        }
        Ok(String::new())
    }

    fn confirm(&mut self, tx: &str) -> Result<String, String> {
        if self.confirmed.as_deref() == Some(tx) {
            return Ok(String::new());
        }
        if self.journal.as_ref().is_none_or(|(own, _)| own != tx) {
            return Err("not-active\tthe change is not active here".to_owned());
        }
        match self.phase() {
            "asking" => return Err("not-active\tthe time to confirm is over".to_owned()),
            "activated" if self.guards(tx) => {
                return Err("not-offered\thactl has not verified this change yet".to_owned());
            }
            _ => {}
        }
        self.journal = None;
        self.before.clear();
        self.confirmed = Some(tx.to_owned());
        self.recorded = self.facts.get(tx).map(|lines| lines.join("\n"));
        if let Some(recorded) = &self.recorded {
            let number = self.live_fact("generation").to_owned();
            let whole = (recorded.clone(), self.files.clone());
            self.generations.insert(number, whole);
        }
        Ok(String::new())
    }

    fn phase(&self) -> &'static str {
        self.journal.as_ref().map_or("", |(_, phase)| phase)
    }

    fn fact(&self, tx: &str, key: &str) -> Option<&str> {
        let facts = self.facts.get(tx)?;
        facts
            .iter()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'))
    }

    /// A fact of the change in flight, or else of the live generation.
    fn live_fact(&self, key: &str) -> &str {
        let of_change = self.journal.as_ref().and_then(|(tx, _)| self.fact(tx, key));
        let recorded = || {
            let mut lines = self.recorded.as_deref()?.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'))
        };
        of_change.or_else(recorded).unwrap_or_default()
    }

    fn history(&self) -> String {
        let one =
            |(manifest, _): &(String, _)| format!("generation\n {}\n", STANDARD.encode(manifest));
        let all: Vec<String> = self.generations.values().map(one).collect();
        format!("{}live\t{}\n", all.concat(), self.live_fact("generation"))
    }

    fn generation(&self, number: &str) -> Result<String, String> {
        let missing = || format!("no-generation\tthere is no generation {number} here");
        let (recorded, files) = self.generations.get(number).ok_or_else(missing)?;
        let mut answer = format!("generation\n {}\n", STANDARD.encode(recorded));
        for (path, content) in files {
            if recorded.lines().any(|line| line.ends_with(path)) {
                // Writing to a String cannot fail.
                let _ = writeln!(answer, "content\t{path}\n {}", STANDARD.encode(content));
            }
        }
        Ok(answer)
    }

    /// The mode of the file at `path`.
    fn mode(&self, path: &str) -> &str {
        let recorded = self.recorded.as_deref().unwrap_or_default();
        let own = |line: &&str| line.starts_with("file\t") && line.ends_with(path);
        let line = recorded.lines().find(own);
        line.and_then(|line| line.split('\t').nth(2))
            .unwrap_or("0644")
    }

    /// Whether this node decides for all, and the operator has to confirm.
    fn guards(&self, tx: &str) -> bool {
        self.fact(tx, "confirm") == Some("manual") && self.fact(tx, "position") == Some("0")
    }

    fn offer(&mut self, tx: &str) -> Result<String, String> {
        if self.journal.as_ref().is_none_or(|(own, _)| own != tx) || self.phase() == "asking" {
            return Err("not-active\tthe change is not active here".to_owned());
        }
        self.journal = Some((tx.to_owned(), "offered"));
        Ok("offered\t240\n".to_owned())
    }

    fn withdraw(&mut self, tx: &str) -> String {
        if self.confirmed.as_deref() == Some(tx) {
            return "settled\tnew\n".to_owned();
        }
        if self.journal.as_ref().is_some_and(|(own, _)| own == tx) {
            self.journal = Some((tx.to_owned(), "asking"));
        } else {
            self.staged.remove(tx);
        }
        "settled\told\n".to_owned()
    }

    fn revert(&mut self, tx: &str, why: &str) -> Result<String, String> {
        if self.confirmed.as_deref() == Some(tx) {
            return Err("confirmed\tthe change is confirmed on this node".to_owned());
        }
        for name in self.installed_for.remove(tx).unwrap_or_default() {
            self.packages.remove(&name);
        }
        if self.journal.as_ref().is_some_and(|(own, _)| own == tx) {
            for (path, old) in std::mem::take(&mut self.before) {
                match old {
                    Some(content) => self.files.insert(path, content),
                    None => self.files.remove(&path),
                };
            }
            self.holds = std::mem::take(&mut self.held);
            self.journal = None;
            self.undone = Some((tx.to_owned(), why.to_owned()));
        }
        Ok(String::new())
    }

    fn observe(&self, payload: &[u8]) -> String {
        let mut answer = "host\tfake\t6.1\t0\nservices\n".to_owned();
        let services = ["nginx", "keepalived"].map(|daemon| {
            format!("Id={daemon}.service\nActiveState=active\nUnitFileState=enabled\nMainPID=1\n")
        });
        let state = match (self.instance, self.holds.is_empty()) {
            (Some(state), _) => state,
            (None, true) => "BACKUP",
            (None, false) => "MASTER",
        };
        let dump =
            format!("------< VRRP Topology >------\n VRRP Instance = VI_1\n   State = {state}\n");
        let _ = writeln!(
            answer,
            " {}\nloaded\tnginx\t{}\nloaded\tkeepalived\t{}\nvrrp\n {}\naddresses",
            STANDARD.encode(services.join("\n")),
            self.live_fact("nginx_id"),
            self.live_fact("keepalived_id"),
            STANDARD.encode(dump),
        );
        let mut addresses = String::new();
        if let Some(own) = &self.address {
            // Writing to a String cannot fail.
            let _ = writeln!(addresses, "2: eth0    inet {own} scope global eth0");
        }
        for vip in &self.holds {
            // Writing to a String cannot fail.
            let _ = writeln!(addresses, "2: eth0    inet {vip}/24 scope global eth0");
        }
        let _ = writeln!(answer, " {}", STANDARD.encode(addresses));
        answer.push_str(&self.armed());
        answer.push_str(&self.tells);
        if let Some(recorded) = &self.recorded {
            let number = self.live_fact("generation");
            let body = STANDARD.encode(recorded);
            let _ = writeln!(answer, "recorded\n {body}\nhighest\t{number}");
        }
        if let Some(tx) = &self.lock {
            let boot = self
                .tells
                .lines()
                .find_map(|line| line.strip_prefix("clock\t"));
            let boot = boot.and_then(|clock| clock.rsplit('\t').next());
            let is_handed_over = self.handed_over.as_ref() == Some(tx);
            let pid = if is_handed_over { "" } else { "42" };
            let lock = lock_text(tx, boot.unwrap_or("b"), pid);
            let _ = writeln!(answer, "lock\n {}", STANDARD.encode(lock));
        }
        if let Some((tx, phase)) = &self.journal {
            let fact = |key| self.fact(tx, key).unwrap_or("-");
            let (position, nodes, confirm) = (fact("position"), fact("nodes"), fact("confirm"));
            let _ = writeln!(
                answer,
                "journal\t{tx}\t{phase}\t2\t{position}\t{nodes}\t{confirm}\t240\tada@desk"
            );
        }
        if let Some(tx) = &self.confirmed {
            let _ = writeln!(answer, "outcome\t{tx}\tconfirmed\tby hactl");
        }
        let text = String::from_utf8_lossy(payload);
        if text.lines().any(|line| line == "probe\tspace") {
            answer.push_str("space\t/etc\t52428800\t-\n");
        }
        for key in text
            .lines()
            .filter_map(|line| line.strip_prefix("sysctl\t"))
        {
            let value = self.live_fact(&format!("sysctl\t{key}"));
            let _ = writeln!(answer, "sysctl\t{key}\t{value}");
        }
        if text.lines().any(|line| line == "serving") {
            let mut ports = String::new();
            for port in &self.sockets {
                let _ = writeln!(ports, "tcp LISTEN 0 511 0.0.0.0:{port} 0.0.0.0:*");
            }
            let _ = writeln!(answer, "sockets\n {}", STANDARD.encode(ports));
            let confs = self.files.iter().filter(|(path, _)| is_conf(path));
            for (path, content) in confs {
                let body = STANDARD.encode(content);
                let _ = writeln!(answer, "serving\t{path}\tadmin\n {body}");
            }
        }
        for path in text.lines().filter_map(|line| line.strip_prefix("path\t")) {
            let _ = match self.files.get(path) {
                Some(content) => {
                    let (mode, body) = (self.mode(path), STANDARD.encode(content));
                    writeln!(answer, "path\t{path}\tfile\t{mode} root root\n {body}")
                }
                None => writeln!(answer, "path\t{path}\tabsent"),
            };
        }
        answer
    }
}

/// The answer for a lock held by another change.
fn locked_answer() -> String {
    format!(
        "locked\t100\tb\n {}",
        STANDARD.encode(lock_text("other", "b", "42"))
    )
}

fn lock_text(tx: &str, boot: &str, pid: &str) -> String {
    format!("tx\t{tx}\nholder\tada@desk\npid\t{pid}\nsince\tnow\nboot\t{boot}\nuntil\t4000\n")
}

fn is_conf(path: &str) -> bool {
    std::path::Path::new(path).extension() == Some("conf".as_ref())
}

/// The manifest's lines in a tree's stream.
fn manifest(mut stream: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = take_line(&mut stream);
        if line == "end" {
            return lines;
        }
        if line.starts_with("file\t") {
            let length: usize = take_line(&mut stream).parse().unwrap();
            stream = &stream[length..];
        }
        lines.push(line.clone());
    }
}

/// The files in a tree's stream.
fn files(mut stream: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    loop {
        let line = take_line(&mut stream);
        if line == "end" {
            return found;
        }
        if let Some(path) = line
            .strip_prefix("file\t")
            .and_then(|it| it.rsplit('\t').next())
        {
            let size: usize = take_line(&mut stream).parse().unwrap();
            let (content, rest) = stream.split_at(size);
            found.insert(path.to_owned(), content.to_vec());
            stream = rest;
        }
    }
}

fn take_line(stream: &mut &[u8]) -> String {
    let end = stream.iter().position(|byte| *byte == b'\n').unwrap();
    let line = String::from_utf8(stream[..end].to_vec()).unwrap();
    *stream = &stream[end + 1..];
    line
}
