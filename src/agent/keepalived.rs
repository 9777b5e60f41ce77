//! The state that a running keepalived reports: instances, and the things that they track.

use std::net::IpAddr;

use super::wire::{Wire, wires};
use crate::model::clipped;

/// Limits on the lines of a dump, and on the characters of a word in it.
const MAX_LINES: usize = 100_000;
const MAX_WORD: usize = 64;

/// A VRRP instance's state on a node, as keepalived reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(from = "String", into = "String")]
pub enum InstanceState {
    /// Just started: no advert received, and the down timer still running.
    #[default]
    Init,
    /// Backup.
    Backup,
    /// Master: it owns the VIPs.
    Master,
    /// Something that it tracks has failed, so it takes no part in the election.
    Fault,
    /// A state unknown to hactl.
    Other(String),
}

impl InstanceState {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
            Self::Other(word) => word,
        }
    }

    /// Whether the node is master or could become it.
    pub fn is_electable(&self) -> bool {
        matches!(self, Self::Master | Self::Backup)
    }
}

impl From<&str> for InstanceState {
    fn from(word: &str) -> Self {
        match word {
            "INIT" => Self::Init,
            "BACKUP" => Self::Backup,
            "MASTER" => Self::Master,
            "FAULT" => Self::Fault,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl std::fmt::Display for InstanceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for InstanceState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A VRRP instance as the running keepalived reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct VrrpState {
    /// The instance's name.
    pub instance: String,
    /// Its state.
    pub state: InstanceState,
    /// The configured priority.
    pub base_priority: u8,
    /// The current priority, after weights of scripts and files.
    pub effective_priority: u8,
    /// The time of the last transition, in seconds since the epoch by the host's clock.
    pub since: Option<u64>,
    /// The source address of its adverts, if the configuration sets it.
    pub source: Option<IpAddr>,
    /// The fields that have to agree with its peers'.
    #[serde(skip)]
    pub wire: Wire,
}

/// Something that instances track. While it fails, they are in FAULT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    pub name: String,
    /// Its kind and current state.
    pub kind: TrackedKind,
    /// The instances that track it.
    pub instances: Vec<String>,
}

/// A tracked script, file or interface, with its current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackedKind {
    /// A `vrrp_script`.
    Script {
        /// The program that it runs.
        path: String,
        /// Whether its state is BAD.
        is_failing: bool,
    },
    /// A `track_file`.
    File {
        /// The file's path.
        path: String,
        /// The number in the file, times the weight.
        value: i64,
    },
    /// An interface.
    Interface {
        /// Whether it is up and has a carrier.
        is_up: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Dump {
    pub(super) instances: Vec<VrrpState>,
    pub(super) tracked: Vec<Tracked>,
}

/// Parses keepalived's state dump (`keepalived.data`), limited to what its versions have in common:
/// `KEY = VALUE` lines, with each item's lines after the line that names it.
pub(super) fn dump(text: &str) -> Dump {
    let mut read = Dump::default();
    let mut is_instance = false;
    let mut lists_watchers = false;
    for line in text.lines().take(MAX_LINES) {
        if line.starts_with("------<") {
            (is_instance, lists_watchers) = (false, false);
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else {
            lists_watchers = begins_watchers(line).unwrap_or(lists_watchers);
            if let (true, Some(tracked)) = (lists_watchers, read.tracked.last_mut()) {
                take_watcher(tracked, line);
            }
            continue;
        };
        let (key, value) = (key.trim(), clipped(value.trim(), 200));
        lists_watchers = false;
        let item = |kind| Tracked {
            name: clipped(&value, MAX_WORD),
            kind,
            instances: Vec::new(),
        };
        let started = match key {
            "VRRP Instance" => {
                is_instance = true;
                read.instances.push(VrrpState {
                    instance: clipped(&value, MAX_WORD),
                    ..VrrpState::default()
                });
                continue;
            }
            "VRRP Script" => Some(item(TrackedKind::Script {
                path: String::new(),
                is_failing: false,
            })),
            "Track file" => Some(item(TrackedKind::File {
                path: String::new(),
                value: 0,
            })),
            "Name" if !is_instance => Some(item(TrackedKind::Interface { is_up: true })),
            _ => None,
        };
        if let Some(started) = started {
            is_instance = false;
            read.tracked.push(started);
        } else if is_instance {
            if let Some(instance) = read.instances.last_mut() {
                take_of_instance(instance, key, &value);
            }
        } else if let Some(tracked) = read.tracked.last_mut() {
            take_of_tracked(&mut tracked.kind, key, &value);
        }
    }
    for (instance, wire) in read.instances.iter_mut().zip(wires(text)) {
        instance.wire = wire;
    }
    read
}

/// Whether the lines after a heading name the instances that track something. `None` if the line is
/// not a heading.
fn begins_watchers(line: &str) -> Option<bool> {
    let line = line.trim();
    if line.starts_with("Tracking ") && line.contains("nstances") {
        Some(true)
    } else if line.ends_with(':') || line.contains(" :") {
        Some(false)
    } else {
        None
    }
}

/// A line such as `VI_1, weight 0`. A weight of 0 puts the instance into FAULT on failure. For a
/// file the weight is already part of the value.
fn take_watcher(tracked: &mut Tracked, line: &str) {
    let Some((name, weight)) = line.trim().split_once(", weight ") else {
        return;
    };
    if weight.starts_with('0') || matches!(tracked.kind, TrackedKind::File { .. }) {
        tracked.instances.push(clipped(name, MAX_WORD));
    }
}

fn take_of_instance(instance: &mut VrrpState, key: &str, value: &str) {
    let first = value.split(' ').next().unwrap_or_default();
    match key {
        "State" => instance.state = InstanceState::from(clipped(value, MAX_WORD).as_str()),
        "Priority" => instance.base_priority = value.parse().unwrap_or_default(),
        "Effective priority" => instance.effective_priority = value.parse().unwrap_or_default(),
        "Last transition" => {
            let seconds = first.split('.').next().unwrap_or_default();
            instance.since = seconds.parse().ok().filter(|since| *since > 0);
        }
        "Using src_ip" if value.contains("from configuration") => {
            instance.source = first.parse().ok();
        }
        _ => {}
    }
}

fn take_of_tracked(kind: &mut TrackedKind, key: &str, value: &str) {
    match (kind, key) {
        (TrackedKind::Script { path, .. }, "Command") => {
            let command = value.trim_start_matches('\'');
            let end = command.find(['\'', ' ']).unwrap_or(command.len());
            command.get(..end).unwrap_or_default().clone_into(path);
        }
        (TrackedKind::Script { is_failing, .. }, "Status") => *is_failing = value == "BAD",
        (TrackedKind::File { path, .. }, "File") => value.clone_into(path),
        (TrackedKind::File { value: now, .. }, "Status") => *now = value.parse().unwrap_or(0),
        (TrackedKind::File { value: now, .. }, "Weight") => {
            *now *= value.parse::<i64>().unwrap_or(1);
        }
        (TrackedKind::Interface { is_up }, "State") => *is_up = value.starts_with("UP, RUNNING"),
        _ => {}
    }
}

#[cfg(test)]
#[path = "keepalived_tests.rs"]
mod tests;
