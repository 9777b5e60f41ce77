//! What a host was seen to be: facts, files, services, and what the running processes use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::backend::BackendState;
use super::fault::ArmedFault;
use super::keepalived::{Tracked, VrrpState};
use super::manifest::Manifest;
use super::protocol::{Cause, Ending, Phase};
use super::reply::Record;
use super::serving::Serving;
use crate::model::{
    HostPath, NodeFacts, NodeName, OsFamily, OwnAddress, UserName, Version, clipped,
    packaged_versions,
};

/// A program that hactl manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Program {
    /// It is there.
    Installed {
        /// Its version.
        version: Version,
    },
    /// It is not there.
    Missing {
        /// The version that the host's package manager would install, if it knows one.
        candidate: Option<Version>,
    },
}

impl Program {
    /// The version that is there, or would be.
    pub fn version(self) -> Option<Version> {
        match self {
            Self::Installed { version } => Some(version),
            Self::Missing { candidate } => candidate,
        }
    }
}

/// What lies at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum LiveFile {
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Its owner's name.
        owner: String,
        /// Its group's name.
        group: String,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// A symbolic link and where it points.
    Link(String),
    /// A folder or something stranger.
    Other,
    /// Nothing.
    Absent,
}

impl LiveFile {
    /// The content, if it is a regular file.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::File { content, .. } => Some(content),
            _ => None,
        }
    }
}

/// A systemd unit's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Service {
    /// `ActiveState`.
    pub active: String,
    /// `SubState`.
    pub sub: String,
    /// `UnitFileState`: `enabled`, `disabled`, ….
    pub enabled: String,
    /// `LoadState`.
    pub load: String,
    /// `MainPID`, 0 when it does not run.
    pub main_pid: u32,
    /// `NeedDaemonReload`.
    pub needs_daemon_reload: bool,
    /// `PIDFile`; empty where the unit names none.
    pub pid_file: String,
}

impl Service {
    /// True when nobody can start or reload it: `systemctl mask`. systemd may not have read that yet.
    pub fn is_masked(&self) -> bool {
        self.load == "masked" || self.enabled.starts_with("masked")
    }

    /// True when it runs.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }
}

/// When something ends, by a host's own clock since boot: nobody's clock has to be right for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Deadline {
    /// Seconds from when it was seen.
    pub seconds_left: u64,
    /// The time of day then, where hactl runs: `19:42:10`, with its date if that is another day.
    pub local: String,
}

impl Deadline {
    /// So many seconds from now.
    pub fn after(seconds_left: u64) -> Self {
        let now = jiff::Zoned::now();
        let span = jiff::Span::new().try_seconds(i64::try_from(seconds_left).unwrap_or(i64::MAX));
        let then = span.and_then(|span| now.checked_add(span));
        let local = then.map_or_else(
            |_| "the end of time".to_owned(),
            |then| {
                let is_today = then.date() == now.date();
                let format = if is_today {
                    "%H:%M:%S"
                } else {
                    "%Y-%m-%d %H:%M:%S"
                };
                then.strftime(format).to_string()
            },
        );
        Self {
            seconds_left,
            local,
        }
    }
}

impl std::fmt::Display for Deadline {
    /// `19:42:10 (in 9m 40s)`, `2026-03-02 09:30:00 (in 23h 59m)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (minutes, seconds) = (self.seconds_left / 60, self.seconds_left % 60);
        let left = match (minutes, seconds) {
            (0, seconds) => format!("{seconds}s"),
            (60.., _) => format!("{}h {}m", minutes / 60, minutes % 60),
            (minutes, 0) => format!("{minutes}m"),
            (minutes, seconds) => format!("{minutes}m {seconds}s"),
        };
        write!(f, "{} (in {left})", self.local)
    }
}

/// A change that is under way on the host, or was interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Journal {
    /// Its id.
    pub tx: String,
    /// How far it got.
    pub phase: Phase,
    /// The generation that it makes.
    pub generation: Option<u64>,
    /// This node's place in the order of the change's nodes. The one in place 0 decides for all.
    pub position: Option<usize>,
    /// How many nodes it concerns.
    pub nodes: Option<usize>,
    /// True when a person has to confirm it.
    pub is_manual: bool,
    /// When the host undoes it.
    pub deadline: Option<Deadline>,
    /// `user@machine` of who made it.
    pub by: String,
}

impl Journal {
    pub(super) fn read(record: &Record) -> Self {
        let left: Option<u64> = record.field(6).parse().ok();
        Self {
            tx: record.field(0).to_owned(),
            phase: record.field(1).parse().unwrap_or_default(),
            generation: record.field(2).parse().ok(),
            position: record.field(3).parse().ok(),
            nodes: record.field(4).parse().ok(),
            is_manual: record.field(5) == "manual",
            deadline: left.map(Deadline::after),
            by: record.field(7).to_owned(),
        }
    }

    /// The lock that a host would have for a change that waits for a person.
    pub fn as_lock(&self) -> LockInfo {
        LockInfo {
            tx: self.tx.clone(),
            holder: self.by.clone(),
            deadline: self.deadline.clone(),
            ..LockInfo::default()
        }
    }
}

/// How the last change on the host ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// Its id.
    pub tx: String,
    /// How.
    pub result: Ending,
    /// What ended it.
    pub cause: Cause,
    /// Why, in words.
    pub why: String,
    /// When, UTC, by the host's clock.
    pub at: String,
    /// True when an apply has told it to its user.
    pub is_noted: bool,
}

impl Outcome {
    /// `None` where this hactl does not know the words.
    pub(super) fn read(record: &Record) -> Option<Self> {
        let result = record.field(1).parse().ok()?;
        let why = record.field(2).to_owned();
        let cause = match record.field(5) {
            "" | "-" => Cause::of_words(result, &why),
            word => word.parse().ok()?,
        };
        Some(Self {
            tx: record.field(0).to_owned(),
            result,
            cause,
            why,
            at: record.field(3).to_owned(),
            is_noted: record.field(4) == "yes",
        })
    }
}

/// Who works on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct LockInfo {
    /// The change it is for.
    pub tx: String,
    /// `user@machine`.
    pub holder: String,
    /// The process there; empty for a change that waits for its confirmation, which none holds.
    pub pid: String,
    /// Tells that process from any other one, for who runs where it ran.
    pub origin: String,
    /// When it was taken, UTC.
    pub since: String,
    /// When it frees itself.
    pub deadline: Option<Deadline>,
    /// True when its time is over, the host was restarted since, or its holder is known to be dead.
    pub stale: bool,
}

impl LockInfo {
    /// The lock file's text, read on a host that was booted `uptime` seconds ago.
    pub(super) fn read(text: &str, uptime: u64, boot_id: &str) -> Self {
        let kept = Manifest::parse(text);
        let get = |key: &str| clipped(kept.get(key).unwrap_or_default(), 200);
        let left = get("until")
            .parse::<u64>()
            .map_or(0, |until| until.saturating_sub(uptime));
        let pid = get("pid");
        Self {
            tx: get("tx"),
            holder: get("holder"),
            pid: if pid == "-" { String::new() } else { pid },
            origin: get("origin"),
            since: get("since"),
            deadline: Some(Deadline::after(left)),
            stale: left == 0 || get("boot") != boot_id,
        }
    }

    /// Who has it, doing what, until when; the end of a sentence that begins with a node's name.
    pub fn words(&self) -> String {
        let holder = &self.holder;
        let until = match &self.deadline {
            Some(deadline) => format!(", until {deadline} at the latest"),
            None => String::new(),
        };
        if self.pid.is_empty() {
            return format!("a change of {holder}'s waits to be confirmed{until}");
        }
        format!(
            "{holder} (pid {}) is changing this cluster since {}{until}",
            self.pid, self.since
        )
    }
}

/// Who has an address, as a host's kernel has learned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its hardware address.
    pub hardware: String,
    /// The kernel knew it from before, and has not asked it since: it may be gone.
    pub is_remembered: bool,
}

/// What became of a connection to a peer's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerAnswer {
    /// It was accepted.
    Open,
    /// It was refused: nothing listens there, or a firewall rejects it.
    Refused,
    /// Nothing came back: a firewall drops it, or the host is gone.
    Silent,
}

/// A port to ask a peer for at its own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerDoor {
    /// The peer's own address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Where nginx listens on it.
    pub listens: ListensAt,
}

/// Where nginx listens on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListensAt {
    /// At all addresses, the node's own with them.
    All,
    /// At VIPs alone: at its own address the kernel of a node refuses a connection.
    Vips,
}

/// A port of a peer, asked from one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPort {
    /// What was asked for.
    pub door: PeerDoor,
    /// What became of the connection.
    pub answer: PeerAnswer,
}

/// A script that the live keepalived.conf names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where it should be.
    pub path: String,
    /// What lies there.
    pub state: HookState,
}

/// What lies at a script's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookState {
    /// A program that keepalived can run.
    Ready,
    /// Nothing.
    Missing,
    /// Something that is not executable.
    NotExecutable,
    /// keepalived's script security refuses it, since others than root can change this part of its path.
    Unsafe {
        /// The part of the path.
        component: String,
    },
}

/// A keepalived that runs a file without `reload_check_config`: an error that it met in a file since it
/// started would end it at a reload to one with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnsureReload {
    /// The exit code of its test of the live file.
    pub code: i32,
    /// The file was changed after keepalived had started.
    pub is_edited: bool,
    /// The last that its test said.
    pub output: String,
}

/// Everything that was seen of one host, at one moment.
#[derive(Clone)]
pub struct Observation {
    /// Whose it is.
    pub node: NodeName,
    /// `uname -n`.
    pub hostname: String,
    /// `uname -r`.
    pub kernel: String,
    /// Seconds since the epoch by the host's clock.
    pub clock: f64,
    /// Seconds since it was started.
    pub uptime: u64,
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// `ID`, `VERSION_ID` and `ID_LIKE` of os-release(5).
    pub os: (String, String, String),
    /// keepalived there.
    pub keepalived: Program,
    /// nginx there.
    pub nginx: Program,
    /// That nginx knows `stream { … }`: it is built in, or its module is there.
    pub nginx_streams: bool,
    /// Programs that hactl needs and the host lacks.
    pub lacking: Vec<String>,
    /// The live generation's manifest.
    pub recorded: Option<Manifest>,
    /// The highest number that a generation on the host has, live or not.
    pub highest_generation: u64,
    /// Generation 0's manifest: the host before hactl, as far as it was touched since.
    pub original: Option<Manifest>,
    /// A change under way.
    pub journal: Option<Journal>,
    /// The lock, if it is taken.
    pub lock: Option<LockInfo>,
    /// How the last change ended.
    pub outcome: Option<Outcome>,
    /// A drill's fault that is armed there.
    pub drill: Option<ArmedFault>,
    /// nginx.service and keepalived.service.
    pub services: BTreeMap<String, Service>,
    /// Interfaces and the addresses on them.
    pub addresses: Vec<(String, IpNet)>,
    /// Its interfaces, with their state.
    pub interfaces: BTreeMap<String, String>,
    /// Its interfaces' hardware addresses.
    pub hardware: Vec<String>,
    /// Those of the addresses asked about that the host knows a neighbour for.
    pub neighbours: BTreeMap<IpAddr, Neighbour>,
    /// The paths that were asked about.
    pub files: BTreeMap<HostPath, LiveFile>,
    /// The kernel settings that were asked about; `None` where the kernel has no such key.
    pub sysctls: BTreeMap<String, Option<String>>,
    /// The servers that were asked about.
    pub backends: Vec<BackendState>,
    /// The names that were asked about, each with the addresses that the host resolves it to.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// The configuration that the running nginx serves, by its own word.
    pub serves: Option<String>,
    /// The configuration that the running keepalived loaded, by its own word.
    pub loaded: Option<String>,
    /// What speaks for and against a reload of a keepalived that would not test the file first.
    pub unsure_reload: Option<UnsureReload>,
    /// Its VRRP instances.
    pub vrrp: Vec<VrrpState>,
    /// What it serves, where that was asked.
    pub serving: Option<Serving>,
    /// What they watch.
    pub tracked: Vec<Tracked>,
    /// Tracked files that keepalived would not see a change of.
    pub unwatched: Vec<String>,
    /// How the scripts failed that keepalived runs, by their names there; the newest last.
    pub script_failures: Vec<(String, String)>,
    /// The scripts that the live keepalived.conf names.
    pub hooks: Vec<Hook>,
    /// The check's last word is that nginx is overloaded.
    pub is_overloaded: bool,
    /// The programs that were asked for since a configuration to come names them.
    pub programs: Vec<Hook>,
    /// The peers' listeners that were asked for.
    pub peers: Vec<PeerPort>,
}

/// keepalived's configuration, where every distribution has it.
const KEEPALIVED_CONF: &str = "/etc/keepalived/keepalived.conf";

/// The addresses in the `virtual_ipaddress` blocks of a keepalived.conf.
fn virtual_addresses(conf: &str) -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in conf.lines() {
        let line = line.split(['#', '!']).next().unwrap_or_default();
        // A line's first word is the address; what follows it may be one, too, such as a broadcast address.
        let mut is_first = true;
        for word in line
            .replace('{', " { ")
            .replace('}', " } ")
            .split_whitespace()
        {
            match word {
                "virtual_ipaddress" | "virtual_ipaddress_excluded" => in_block = true,
                "{" => is_first = true,
                "}" => in_block = false,
                address if in_block && is_first => {
                    let address = address.split('/').next().unwrap_or_default();
                    found.extend(address.parse::<IpAddr>());
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// hactl has no idea how to manage this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedHost {
    /// Neither Debian's family nor Red Hat's.
    #[error("{node}: '{os_id}' is no distribution that hactl knows")]
    Distribution {
        /// The node.
        node: NodeName,
        /// `ID` of os-release(5).
        os_id: String,
    },
    /// A program is neither installed nor installable.
    #[error(
        "{node}: {program} is not installed, and its package manager knows no package of that name"
    )]
    NoProgram {
        /// The node.
        node: NodeName,
        /// The program.
        program: &'static str,
        /// Whose package manager it is.
        family: OsFamily,
    },
    /// Something that the host's program needs is missing.
    #[error("{node}: hactl needs {} there", programs.join(", "))]
    Lacking {
        /// The node.
        node: NodeName,
        /// What is missing.
        programs: Vec<String>,
    },
}

impl Observation {
    /// Nothing known of `node` yet.
    pub fn of(node: NodeName) -> Self {
        Self {
            node,
            hostname: String::new(),
            kernel: String::new(),
            clock: 0.0,
            uptime: 0,
            boot_id: String::new(),
            os: (String::new(), String::new(), String::new()),
            keepalived: Program::Missing { candidate: None },
            nginx: Program::Missing { candidate: None },
            nginx_streams: false,
            lacking: Vec::new(),
            recorded: None,
            highest_generation: 0,
            original: None,
            journal: None,
            lock: None,
            outcome: None,
            drill: None,
            services: BTreeMap::new(),
            addresses: Vec::new(),
            interfaces: BTreeMap::new(),
            hardware: Vec::new(),
            neighbours: BTreeMap::new(),
            files: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            backends: Vec::new(),
            names: BTreeMap::new(),
            serves: None,
            loaded: None,
            unsure_reload: None,
            vrrp: Vec::new(),
            serving: None,
            tracked: Vec::new(),
            unwatched: Vec::new(),
            script_failures: Vec::new(),
            hooks: Vec::new(),
            is_overloaded: false,
            programs: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// The facts that rendering needs.
    pub fn facts(&self) -> Result<NodeFacts, UnsupportedHost> {
        let node = || self.node.clone();
        if !self.lacking.is_empty() {
            return Err(UnsupportedHost::Lacking {
                node: node(),
                programs: self.lacking.clone(),
            });
        }
        let (os_id, os_version, like) = &self.os;
        let is_like = |ids: &[&str]| {
            std::iter::once(os_id.as_str())
                .chain(like.split(' '))
                .any(|id| ids.contains(&id))
        };
        let family = if is_like(&["debian", "ubuntu"]) {
            OsFamily::Debian
        } else if is_like(&["rhel", "fedora", "centos"]) {
            OsFamily::Redhat
        } else {
            return Err(UnsupportedHost::Distribution {
                node: node(),
                os_id: os_id.clone(),
            });
        };
        let packaged = packaged_versions(os_id, os_version);
        let version = |program: Program, packaged: Option<Version>, name| {
            let missing = UnsupportedHost::NoProgram {
                node: node(),
                program: name,
                family,
            };
            program.version().or(packaged).ok_or(missing)
        };
        let user = match family {
            OsFamily::Debian => "www-data",
            OsFamily::Redhat => "nginx",
        };
        let debian = NodeFacts::debian_12();
        Ok(NodeFacts {
            os_id: os_id.clone(),
            os_version: os_version.clone(),
            family,
            keepalived: version(self.keepalived, packaged.map(|it| it.0), "keepalived")?,
            nginx: version(self.nginx, packaged.map(|it| it.1), "nginx")?,
            nginx_user: UserName::new(user).unwrap_or(debian.nginx_user),
            // The packages of both families name the same one, for a host without nginx.
            nginx_pid_file: HostPath::new(&self.service("nginx").pid_file)
                .unwrap_or(debian.nginx_pid_file),
            addresses: Some(self.own_addresses()),
        })
    }

    /// The addresses that are the host's own: not those on its loopback, nor those that its
    /// keepalived.conf, whoever wrote it, has keepalived put on an interface.
    fn own_addresses(&self) -> Vec<OwnAddress> {
        let conf = HostPath::new(KEEPALIVED_CONF).ok();
        let conf = conf.and_then(|path| self.files.get(&path)?.content());
        let virtual_ones = virtual_addresses(&String::from_utf8_lossy(conf.unwrap_or_default()));
        let is_own = |(interface, net): &&(String, IpNet)| {
            interface != "lo" && !virtual_ones.contains(&net.addr())
        };
        let own = self.addresses.iter().filter(is_own);
        own.map(|(interface, net)| OwnAddress {
            interface: interface.clone(),
            net: *net,
        })
        .collect()
    }

    /// True when `address` is on one of the host's interfaces: what it only answers for on its loopback,
    /// while it hands an address over, it does not have.
    pub fn holds(&self, address: IpAddr) -> bool {
        let is_it =
            |(interface, net): &(String, ipnet::IpNet)| interface != "lo" && net.addr() == address;
        self.addresses.iter().any(is_it)
    }

    /// How many seconds ago `since` was, by the host's own clock.
    pub fn seconds_since(&self, since: u64) -> u64 {
        let since = std::time::Duration::from_secs(since);
        let now = std::time::Duration::try_from_secs_f64(self.clock).unwrap_or_default();
        now.saturating_sub(since).as_secs()
    }

    /// A service by its program's name.
    pub fn service(&self, program: &str) -> Service {
        self.services
            .get(&format!("{program}.service"))
            .cloned()
            .unwrap_or_default()
    }

    /// The names that it cannot resolve.
    pub fn unresolved(&self) -> Vec<String> {
        let names = self.names.iter().filter(|(_, found)| found.is_empty());
        names.map(|(name, _)| name.clone()).collect()
    }

    /// The live generation's number; `None` where hactl has never applied anything.
    pub fn generation(&self) -> Option<u64> {
        self.recorded.as_ref().and_then(Manifest::generation)
    }
}

#[cfg(test)]
mod tests {
    use super::virtual_addresses;

    #[test]
    fn only_what_keepalived_puts_on_an_interface_is_virtual() {
        let conf = "vrrp_instance a {\n  unicast_src_ip 10.0.0.11\n  unicast_peer { 10.0.0.12 }\n  \
                    virtual_ipaddress {\n    10.0.0.100/24 brd 10.0.0.255 dev eth0\n    # 10.0.0.7\n  }\n}\n\
                    vrrp_instance b { virtual_ipaddress { fd00::100/64 }\n\
                    virtual_ipaddress_excluded{ 10.0.0.101 } }\n";
        let found: Vec<String> = virtual_addresses(conf)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["10.0.0.100", "10.0.0.101", "fd00::100"]);
    }
}
