//! The specification of a lab.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::names::{node_name, validate_name};
use super::processes;
use super::release::Release;

pub(super) const MAX_NODES: u8 = 9;
pub(super) const MAX_BACKENDS: u8 = 50;
/// The specification of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct LabSpec {
    /// The lab's name: lowercase letters, digits and hyphens.
    pub name: String,
    /// The number of nodes, 1 to 9. They are named `lb1`, `lb2`, ….
    pub nodes: u8,
    /// The number of backends, 0 to 50. They are named `b1`, `b2`, ….
    pub backends: u8,
    /// The Debian release that the machines run.
    #[serde(default)]
    pub release: Release,
    /// The nodes that run a different release, by name.
    #[serde(default)]
    pub other_releases: BTreeMap<String, Release>,
    /// The software on the nodes.
    pub image: Image,
    /// The user that logs in over SSH.
    pub login: Login,
    /// The process that the lab belongs to. Once it has exited, the next `up` of any lab removes
    /// this one. A lab without an owner stays until it is taken down.
    pub owner: Option<Owner>,
    /// The Debian mirror to build images from. By default, the mirror of this host's apt.
    pub mirror: Option<String>,
}

impl LabSpec {
    /// A lab of three bare nodes and three backends, with root logins.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            nodes: 3,
            backends: 3,
            release: Release::default(),
            other_releases: BTreeMap::new(),
            image: Image::Bare,
            login: Login::Root,
            owner: None,
            mirror: None,
        }
    }

    pub fn release_of(&self, node: &str) -> Release {
        let other = self.other_releases.get(node);
        other.copied().unwrap_or(self.release)
    }

    pub(super) fn validate(&self) -> Result<(), LabError> {
        validate_name(&self.name)?;
        if self.nodes == 0 || self.nodes > MAX_NODES {
            return Err(LabError::Spec {
                field: "nodes",
                value: self.nodes.to_string(),
                rule: "it must be 1 to 9",
            });
        }
        if self.backends > MAX_BACKENDS {
            return Err(LabError::Spec {
                field: "backends",
                value: self.backends.to_string(),
                rule: "it must be at most 50",
            });
        }
        let is_node = |name: &String| (0..self.nodes).any(|index| node_name(index) == *name);
        if let Some(name) = self.other_releases.keys().find(|name| !is_node(name)) {
            return Err(LabError::Spec {
                field: "image",
                value: name.clone(),
                rule: "it must be for one of the lab's nodes",
            });
        }
        Ok(())
    }
}

/// The software on a lab's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Image {
    /// Neither nginx nor keepalived. A repository inside the machine lets apt install them.
    Bare,
    /// nginx and keepalived, freshly installed from Debian's packages.
    Installed,
}

/// The user that logs in to a lab's nodes over SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// `root`, by key.
    Root,
    /// `deploy`, by key, with passwordless sudo. Root cannot log in.
    Sudo,
}

impl Login {
    pub fn user(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Sudo => "deploy",
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user())
    }
}

/// A process that a lab belongs to. The start time tells it from a later process with the same PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Owner {
    /// The process id.
    pub pid: u32,
    /// Its start time, in clock ticks since the host's boot.
    pub start_time: u64,
}

impl Owner {
    pub fn this_process() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// The running process with this PID.
    pub fn of(pid: u32) -> Option<Self> {
        let start_time = processes::start_time(pid)?;
        Some(Self { pid, start_time })
    }

    /// Whether this very process still runs.
    pub fn is_alive(self) -> bool {
        processes::start_time(self.pid) == Some(self.start_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_told_from_a_later_process_with_its_id() {
        let owner = Owner::this_process().unwrap();
        assert!(owner.is_alive());
        let later = Owner {
            start_time: owner.start_time + 1,
            ..owner
        };
        assert!(!later.is_alive());
    }
}
