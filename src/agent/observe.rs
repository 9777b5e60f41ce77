//! Observing a host: the request, and parsing the answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::backend::{BackendState, NoConnection};
use super::change::{Journal, LockInfo, Outcome};
use super::fault::ArmedFault;
use super::hooks::{Hook, HookState, UnsureReload};
use super::keepalived;
use super::manifest::{Manifest, generation_number};
use super::observation::Observation;
use super::peers::{ListensAt, Neighbour, PeerAnswer, PeerDoor, PeerPort};
use super::probe::{PROBES, Probing};
use super::reply::Record;
use super::unit_state::{LiveFile, Program, Service};
use crate::model::{HostPath, NodeName, OsRelease, Version, clipped};
use crate::units;

/// The most units, addresses and VRRP instances read from one host.
const MAX_ITEMS: usize = 10_000;
/// The most characters of a name or word in a table.
const MAX_WORD: usize = 64;
/// The most characters of a path or a message.
const MAX_TEXT: usize = 200;

/// What to observe in addition to the standard set.
#[derive(Debug, Clone, Default)]
pub struct ObserveRequest {
    /// Paths to read.
    pub paths: Vec<HostPath>,
    /// Sysctls to read.
    pub sysctls: Vec<String>,
    /// Addresses to look up in the neighbour table.
    pub neighbours: Vec<IpAddr>,
    /// Upstream servers to connect to, as host and port.
    pub backends: Vec<(String, u16)>,
    /// Names that nginx resolves at startup.
    pub names: Vec<String>,
    /// Programs that hactl's scripts may call.
    pub hooks: Vec<HostPath>,
    /// Programs named in a planned configuration, each with whether script security applies to it.
    pub programs: Vec<(HostPath, bool)>,
    /// Ports of peers to connect to, each at the peer's own address.
    pub peers: Vec<PeerDoor>,
    /// nginx's status port, unless the live generation specifies one.
    pub status_port: u16,
    /// Whether to report the system, the units' programs and what the host lacks.
    pub installed: bool,
    /// Whether to report what the host serves: nginx's sockets, and all files of both daemons.
    pub serving: bool,
    /// The sets of probes to run. None if no rule will be evaluated.
    pub probing: Vec<Probing>,
}

impl ObserveRequest {
    pub(super) fn stream(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "status_port\t{}", self.status_port);
        for address in &self.neighbours {
            let _ = writeln!(text, "neighbour\t{address}");
        }
        for path in &self.paths {
            let _ = writeln!(text, "path\t{path}");
        }
        for key in &self.sysctls {
            let _ = writeln!(text, "sysctl\t{key}");
        }
        for (host, port) in &self.backends {
            let _ = writeln!(text, "backend\t{}\t{port}", host.trim_matches(['[', ']']));
        }
        if self.installed {
            text.push_str("installed\n");
        }
        if self.serving {
            text.push_str("serving\n");
        }
        for probe in PROBES
            .iter()
            .filter(|one| self.probing.contains(&one.probing))
        {
            let _ = writeln!(text, "probe\t{}", probe.name);
        }
        for name in &self.names {
            let _ = writeln!(text, "name\t{name}");
        }
        for hook in &self.hooks {
            let _ = writeln!(text, "hook\t{hook}");
        }
        for (program, is_secured) in &self.programs {
            let word = if *is_secured { "yes" } else { "no" };
            let _ = writeln!(text, "program\t{program}\t{word}");
        }
        for door in &self.peers {
            let what = match door.listens {
                ListensAt::All => "peer",
                ListensAt::Vips => "peer_vip",
            };
            let _ = writeln!(text, "{what}\t{}\t{}", door.address, door.port);
        }
        text.push_str("end\n");
        text
    }
}

/// The version in a program's output: `Keepalived v2.2.7 (…)`, `nginx version: nginx/1.22.1`.
pub(super) fn version_in(text: &str) -> Option<Version> {
    text.split([' ', '/'])
        .find(|word| {
            word.trim_start_matches('v')
                .starts_with(|c: char| c.is_ascii_digit())
        })
        .and_then(|word| word.parse().ok())
}

/// The upstream part of a Debian package version such as `1:2.2.7-1+b2`.
fn version_of_package(text: &str) -> Option<Version> {
    text.rsplit(':').next()?.parse().ok()
}

pub(super) fn observation(node: &NodeName, records: &[Record]) -> Observation {
    let mut seen = Observation::of(node.clone());
    for record in records {
        take(&mut seen, record);
    }
    seen
}

fn take(seen: &mut Observation, record: &Record) {
    let field = |index: usize| record.field(index).to_owned();
    match record.tag.as_str() {
        "host" => (seen.hostname, seen.kernel) = (field(0), field(1)),
        "clock" => {
            seen.clock = field(0).parse().unwrap_or_default();
            seen.uptime = field(1).parse().unwrap_or_default();
            seen.boot_id = field(2);
        }
        "os" => {
            seen.os = OsRelease {
                id: field(0),
                version_id: field(1),
                id_like: field(2),
            };
        }
        "installed" | "missing" => take_program(seen, record),
        "module" => seen.nginx_streams |= record.field(0) == "stream",
        "lacking" => seen.lacking.push(field(0)),
        "recorded" => seen.recorded = Some(Manifest::parse(&record.body_text())),
        "highest" => seen.highest_generation = generation_number(record.field(0)).unwrap_or(0),
        "original" => seen.original = Some(Manifest::parse(&record.body_text())),
        "journal" => {
            seen.journal = Some(Journal::read(record));
        }
        "lock" => {
            let text = record.body_text();
            seen.lock = Some(LockInfo::read(&text, seen.uptime, &seen.boot_id));
        }
        "outcome" => {
            seen.outcome = Outcome::read(record);
        }
        "drill" => seen.drill = Some(ArmedFault::from_record(record)),
        "services" => seen.services = services(&record.body_text()),
        "addresses" => seen.addresses = addresses(&record.body_text()),
        "interface" => {
            seen.interfaces.insert(field(0), field(1));
            seen.hardware.push(field(2));
        }
        "neighbour" => {
            if let Ok(address) = field(0).parse() {
                let neighbour = Neighbour {
                    hardware: field(1),
                    is_remembered: record.field(2) == "remembered",
                };
                seen.neighbours.insert(address, neighbour);
            }
        }
        "path" => {
            if let Ok(path) = HostPath::new(field(0)) {
                seen.files.insert(path, live_file(record));
            }
        }
        "sysctl" => {
            let value = field(1);
            seen.sysctls
                .insert(field(0), (!value.is_empty()).then_some(value));
        }
        "backend" => seen.backends.push(BackendState {
            host: field(0),
            port: field(1).parse().unwrap_or_default(),
            up: field(2) == "up",
            cause: (field(2) != "up").then(|| NoConnection::from_word(&field(3))),
        }),
        "sockets" => seen.serving.get_or_insert_default().take_sockets(record),
        "serving" => seen.serving.get_or_insert_default().take_file(record),
        "name" => {
            let addresses = record.field(1).split(' ');
            let addresses = addresses.filter_map(|address| address.parse().ok());
            seen.names.insert(field(0), addresses.collect());
        }
        "loaded" => {
            let unit = units::ids().find(|unit| unit.name() == record.field(0));
            let id = Some(field(1)).filter(|id| !id.is_empty());
            seen.loaded.extend(unit.zip(id));
        }
        "vrrp" => {
            let dump = keepalived::dump(&record.body_text());
            (seen.vrrp, seen.tracked) = (dump.instances, dump.tracked);
        }
        "unsure_reload" => seen.unsure_reload = Some(unsure_reload(record)),
        "script_failed" => seen.script_failures.push((
            clipped(record.field(0), MAX_WORD),
            clipped(record.field(1), MAX_TEXT),
        )),
        "unwatched" => seen.unwatched.push(clipped(record.field(0), MAX_TEXT)),
        "hook" => seen.hooks.extend(hook(record)),
        "overloaded" => seen.is_overloaded = true,
        "program" => seen.programs.extend(hook(record)),
        "peer" => seen.peers.extend(peer_port(record, ListensAt::All)),
        "peer_vip" => seen.peers.extend(peer_port(record, ListensAt::Vips)),
        _ => seen.probed.take(record),
    }
}

fn unsure_reload(record: &Record) -> UnsureReload {
    let text = record.body_text();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    UnsureReload {
        code: record.field(0).parse().unwrap_or(1),
        is_edited: record.field(1) == "yes",
        output: clipped(last.unwrap_or_default().trim(), MAX_TEXT),
    }
}

fn hook(record: &Record) -> Option<Hook> {
    let state = match record.field(1) {
        "ready" => HookState::Ready,
        "missing" => HookState::Missing,
        "not_executable" => HookState::NotExecutable,
        "unsafe" => HookState::Unsafe {
            component: clipped(record.field(2), MAX_TEXT),
        },
        _ => return None,
    };
    Some(Hook {
        path: clipped(record.field(0), MAX_TEXT),
        state,
    })
}

fn peer_port(record: &Record, listens: ListensAt) -> Option<PeerPort> {
    let answer = match record.field(2) {
        "open" => PeerAnswer::Open,
        "refused" => PeerAnswer::Refused,
        "silent" => PeerAnswer::Silent,
        _ => return None,
    };
    Some(PeerPort {
        door: PeerDoor {
            address: record.field(0).parse().ok()?,
            port: record.field(1).parse().ok()?,
            listens,
        },
        answer,
    })
}

fn take_program(seen: &mut Observation, record: &Record) {
    let program = match (record.tag.as_str(), version_in(record.field(1))) {
        ("installed", Some(version)) => Program::Installed { version },
        // A program that does not report its version is treated as missing.
        ("installed", None) => Program::Missing { candidate: None },
        _ => Program::Missing {
            candidate: version_of_package(record.field(1)),
        },
    };
    if let Some(unit) = units::ids().find(|unit| unit.name() == record.field(0)) {
        seen.installed.insert(unit, program);
    }
}

fn live_file(record: &Record) -> LiveFile {
    match record.field(1) {
        "file" => {
            let mut owner = record.field(2).split(' ');
            let mode = owner
                .next()
                .and_then(|mode| u32::from_str_radix(mode, 8).ok());
            LiveFile::File {
                mode: mode.unwrap_or_default(),
                owner: owner.next().unwrap_or_default().to_owned(),
                group: owner.next().unwrap_or_default().to_owned(),
                content: record.body.clone().unwrap_or_default(),
            }
        }
        "link" => LiveFile::Link(record.field(3).to_owned()),
        "absent" => LiveFile::Absent,
        _ => LiveFile::Other,
    }
}

/// Parses `systemctl show` of several units: blocks of KEY=VALUE, separated by empty lines.
fn services(text: &str) -> BTreeMap<String, Service> {
    let mut all = BTreeMap::new();
    for block in text.split("\n\n").take(MAX_ITEMS) {
        let get = |key: &str| {
            let line = block
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            clipped(line.unwrap_or_default(), MAX_WORD)
        };
        let service = Service {
            active: get("ActiveState"),
            sub: get("SubState"),
            enabled: get("UnitFileState"),
            load: get("LoadState"),
            main_pid: get("MainPID").parse().unwrap_or_default(),
            needs_daemon_reload: get("NeedDaemonReload") == "yes",
            pid_file: get("PIDFile"),
        };
        if !get("Id").is_empty() {
            all.insert(get("Id"), service);
        }
    }
    all
}

/// Parses `ip -o addr show`: `2: eth0    inet 10.0.0.11/24 brd …`.
fn addresses(text: &str) -> Vec<(String, ipnet::IpNet)> {
    let address = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let interface = words.next()?.to_owned();
        let net = words
            .skip_while(|word| !matches!(*word, "inet" | "inet6"))
            .nth(1)?;
        Some((interface, net.parse().ok()?))
    };
    text.lines().take(MAX_ITEMS).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_and_packages_state_them() {
        let version = Some(Version::new(2, 2, 7));
        assert_eq!(version_in("Keepalived v2.2.7 (01/16,2022)"), version);
        assert_eq!(
            version_in("nginx version: nginx/1.22.1"),
            Some(Version::new(1, 22, 1))
        );
        assert_eq!(version_of_package("1:2.2.7-1+b2"), version);
        assert_eq!(
            version_of_package("1.22.1-9+deb12u3"),
            Some(Version::new(1, 22, 1))
        );
    }

    #[test]
    fn the_pid_file_is_the_one_that_the_unit_names() {
        let text = "Id=nginx.service\nLoadState=loaded\nPIDFile=/run/nginx/nginx.pid\n\nId=keepalived.service\n";
        let read = services(text);
        assert_eq!(read["nginx.service"].pid_file, "/run/nginx/nginx.pid");
        assert_eq!(read["keepalived.service"].pid_file, "");
    }

    #[test]
    fn addresses_as_iproute2_prints_them() {
        let text = "1: lo    inet 127.0.0.1/8 scope host lo\\ valid_lft forever\n\
                    2: eth0    inet 10.0.0.100/24 scope global secondary eth0\n\
                    2: eth0    inet6 fe80::1/64 scope link\n";
        let read = addresses(text);
        assert_eq!(read.len(), 3);
        assert_eq!(read[1].0, "eth0");
        assert_eq!(read[1].1.to_string(), "10.0.0.100/24");
    }
}
