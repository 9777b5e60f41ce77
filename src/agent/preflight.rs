//! What only preflight asks of a host.

use std::collections::BTreeMap;

use super::adverts::AdvertTest;
use super::reply::Record;
use crate::model::{Socket, clipped};

/// The most sockets and units read.
const MAX_ITEMS: usize = 10_000;
/// The most characters of a name or a path.
const MAX_WORD: usize = 64;

/// The answers to preflight's questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preflight {
    /// Free space, by folder.
    pub space: BTreeMap<String, Space>,
    /// Whether the kernel's clock is synchronised. `None` if the host cannot tell.
    pub clock_is_synchronised: Option<bool>,
    /// The difference between the host's clock and this machine's.
    pub clock: Option<ClockOffset>,
    /// All listening sockets.
    pub listeners: Vec<Listener>,
    /// The services and timers that run, as systemd names them.
    pub active_units: Vec<String>,
    pub ufw_is_enabled: bool,
    /// The mode of `SELinux`: `Enforcing`, `Permissive` or `Disabled`. `None` without it.
    pub selinux: Option<String>,
    /// Booleans of the policy of `SELinux`, and whether they are on.
    pub selinux_booleans: BTreeMap<String, bool>,
    /// What arrived of the peers' test packets.
    pub adverts: Option<AdvertTest>,
}

/// Free space in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub kib: u64,
    /// Free inodes. `None` if the file system creates them as needed.
    pub inodes: Option<u64>,
    pub is_writable: bool,
}

/// The difference between two clocks, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockOffset {
    /// How far the host is ahead.
    pub ahead: f64,
    /// Upper bound of the estimate's error.
    pub error: f64,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub socket: Socket,
    /// The programs that own it. Empty if the kernel does not tell.
    pub programs: Vec<String>,
}

impl Preflight {
    pub fn runs(&self, unit: &str) -> bool {
        self.running(unit).is_some()
    }

    /// The name of `unit`, if it runs there. A unit that ends with `@` stands for its instances.
    pub fn running(&self, unit: &str) -> Option<&str> {
        let is_it = |own: &&String| match unit.strip_suffix('@') {
            Some(_) => own.starts_with(unit),
            None => *own == unit,
        };
        self.active_units.iter().find(is_it).map(String::as_str)
    }
}

pub(super) fn space(record: &Record, preflight: &mut Preflight) {
    let (Ok(kib), inodes) = (record.field(1).parse(), record.field(2).parse().ok()) else {
        return;
    };
    let space = Space {
        kib,
        inodes,
        is_writable: record.field(3) != "read-only",
    };
    let folder = clipped(record.field(0), MAX_WORD);
    preflight.space.insert(folder, space);
}

pub(super) fn clock_sync(record: &Record, preflight: &mut Preflight) {
    preflight.clock_is_synchronised = match record.field(0) {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
}

/// Parses `ss -Hltnup`: `tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=7,fd=6))`.
pub(super) fn listeners(record: &Record, preflight: &mut Preflight) {
    let text = record.body_text();
    let listeners = text.lines().take(MAX_ITEMS).flat_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let sockets = match (words.first(), words.get(4)) {
            (Some(netid), Some(local)) => Socket::local(netid, local).unwrap_or_default(),
            _ => Vec::new(),
        };
        let programs = programs(words.get(6..).unwrap_or_default());
        sockets.into_iter().map(move |socket| Listener {
            socket,
            programs: programs.clone(),
        })
    });
    preflight.listeners = listeners.collect();
}

/// The names in `users:(("nginx",pid=7,fd=6),("nginx",pid=8,fd=6))`, each once.
fn programs(words: &[&str]) -> Vec<String> {
    let text = words.join(" ");
    let mut names: Vec<String> = Vec::new();
    for (at, part) in text.split('"').enumerate() {
        let name = clipped(part, MAX_WORD);
        if at % 2 == 1 && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(super) fn active_units(record: &Record, preflight: &mut Preflight) {
    let text = record.body_text();
    let units = text.lines().filter_map(|line| {
        // systemd marks some units with a dot in front.
        let mut words = line.split_whitespace();
        words.find(|word| word.contains('.'))
    });
    let units = units.take(MAX_ITEMS).map(|unit| clipped(unit, MAX_WORD));
    preflight.active_units = units.collect();
}

pub(super) fn ufw(_: &Record, preflight: &mut Preflight) {
    preflight.ufw_is_enabled = true;
}

pub(super) fn selinux(record: &Record, preflight: &mut Preflight) {
    let word = clipped(record.field(0), MAX_WORD);
    preflight.selinux = (!word.is_empty()).then_some(word);
}

pub(super) fn selinux_boolean(record: &Record, preflight: &mut Preflight) {
    if preflight.selinux_booleans.len() < MAX_ITEMS {
        let name = clipped(record.field(0), MAX_WORD);
        let is_on = record.field(1) == "on";
        preflight.selinux_booleans.insert(name, is_on);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[&str], body: Option<&str>) -> Record {
        Record {
            tag: "any".to_owned(),
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            body: body.map(|text| text.as_bytes().to_vec()),
        }
    }

    #[test]
    fn listening_sockets_name_their_programs_once() {
        let text = "tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:((\"nginx\",pid=7,fd=6),(\"nginx\",pid=8,fd=6))\n\
                    tcp LISTEN 0 128 *:443 *:* users:((\"apache2\",pid=9,fd=4))\n\
                    udp UNCONN 0 0 127.0.0.1:323 0.0.0.0:*\n\
                    what is this\n";
        let mut preflight = Preflight::default();
        listeners(&record(&[], Some(text)), &mut preflight);
        let read = preflight.listeners.iter();
        let read = read.map(|one| format!("{} {}", one.socket, one.programs.join("+")));
        let read: Vec<String> = read.collect();
        assert_eq!(
            read,
            [
                ":80 nginx",
                ":443 apache2",
                "[::]:443 apache2",
                "127.0.0.1:323/udp "
            ]
        );
    }

    #[test]
    fn units_are_found_behind_systemds_marks_and_by_template() {
        let text = "nginx.service loaded active running A web server\n\
                    ● keepalived@one.service loaded active running x\n";
        let mut preflight = Preflight::default();
        active_units(&record(&[], Some(text)), &mut preflight);
        assert!(preflight.runs("nginx.service"));
        assert!(preflight.runs("keepalived@"));
        assert!(!preflight.runs("keepalived.service"));
    }

    #[test]
    fn free_space_may_have_no_count_of_inodes() {
        let mut preflight = Preflight::default();
        space(&record(&["/etc", "2048", "77"], None), &mut preflight);
        space(&record(&["/var/lib", "1024", "-"], None), &mut preflight);
        space(&record(&["/x", "many", "-"], None), &mut preflight);
        assert_eq!(preflight.space["/etc"].inodes, Some(77));
        assert_eq!(preflight.space["/var/lib"].inodes, None);
        assert_eq!(preflight.space.len(), 2);
    }
}
