//! What a running keepalived says of itself: its instances, and what they wait for.

use std::net::IpAddr;

use super::wire::{Wire, wires};
use crate::model::clipped;

/// The most lines that are read of a dump, and the most characters of a word in it.
const MAX_LINES: usize = 100_000;
const MAX_WORD: usize = 64;

/// What a virtual router is on a node, by its keepalived's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(from = "String", into = "String")]
pub enum InstanceState {
    /// It has started, and not yet heard or waited enough.
    #[default]
    Init,
    /// It stands by.
    Backup,
    /// It owns its addresses.
    Master,
    /// Something that it waits for is not there, so that it takes no part in the election.
    Fault,
    /// A word that hactl does not know.
    Other(String),
}

impl InstanceState {
    /// keepalived's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
            Self::Other(word) => word,
        }
    }

    /// True where the node owns the addresses, or would take them over.
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

/// One VRRP instance as the running keepalived describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct VrrpState {
    /// Its name.
    pub instance: String,
    /// Its state.
    pub state: InstanceState,
    /// The priority it was configured with.
    pub base_priority: u8,
    /// The priority it stands with now.
    pub effective_priority: u8,
    /// When it came into that state, in seconds since the epoch by the host's clock.
    pub since: Option<u64>,
    /// The address that its adverts have as their source, where the configuration sets it.
    pub source: Option<IpAddr>,
    /// What its peers meet.
    #[serde(skip)]
    pub wire: Wire,
}

/// Something that instances watch, and stop standing for election without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// Its name.
    pub name: String,
    /// What it is, and how it is now.
    pub kind: TrackedKind,
    /// The instances that watch it.
    pub instances: Vec<String>,
}

/// What is watched, and how it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackedKind {
    /// A script.
    Script {
        /// What is run.
        path: String,
        /// Its last result counts as a failure.
        is_failing: bool,
    },
    /// A file with a number in it.
    File {
        /// The file.
        path: String,
        /// The number, times the file's weight.
        value: i64,
    },
    /// An interface.
    Interface {
        /// It is up and has a carrier.
        is_up: bool,
    },
}

/// A whole dump.
#[derive(Debug, Default)]
pub(super) struct Dump {
    pub(super) instances: Vec<VrrpState>,
    pub(super) tracked: Vec<Tracked>,
}

/// Reads keepalived's state dump, as far as versions agree on it: `KEY = VALUE` lines, each item after
/// the line that names it.
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

/// Whether the lines after a heading name the instances that watch something; `None` for a line that is
/// no heading.
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

/// `VI_1, weight 0`: only one without a weight puts an instance into FAULT, but for a file, whose weight
/// counts.
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
