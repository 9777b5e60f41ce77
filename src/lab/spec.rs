//! What a lab should be like.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::names::{node_name, validate_name};
use super::processes;
use super::release::Release;

/// The most nodes that a lab can have.
pub(super) const MAX_NODES: u8 = 9;
/// The most backends that a lab can have.
pub(super) const MAX_BACKENDS: u8 = 50;
/// What a lab should be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct LabSpec {
    /// The lab's name: lowercase letters, digits and hyphens.
    pub name: String,
    /// How many nodes, 1 to 9; they are called `lb1`, `lb2`, ….
    pub nodes: u8,
    /// How many backends, 0 to 50; they are called `b1`, `b2`, ….
    pub backends: u8,
    /// The release of Debian that the machines run.
    #[serde(default)]
    pub release: Release,
    /// The nodes that run another one, by name.
    #[serde(default)]
    pub other_releases: BTreeMap<String, Release>,
    /// What is installed on the nodes.
    pub image: Image,
    /// Who logs in over SSH.
    pub login: Login,
    /// The process that the lab belongs to. When that process has ended, the next `up` of any lab
    /// removes this one. Without an owner a lab stays until somebody takes it down.
    pub owner: Option<Owner>,
    /// The Debian mirror to build images from; by default the one that this machine's apt uses.
    pub mirror: Option<String>,
}

impl LabSpec {
    /// Three bare nodes and three backends, logged into as root: the twelve-line inventory.
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

    /// The release that a node runs.
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

/// What is installed on a lab's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Image {
    /// Neither nginx nor keepalived; a repository inside the machine lets apt install them.
    Bare,
    /// nginx and keepalived as Debian's packages leave them.
    Installed,
}

/// Who logs in to a lab's nodes over SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// `root`, with a key.
    Root,
    /// `deploy`, with a key and sudo without a password; root can't log in.
    Sudo,
}

impl Login {
    /// The user's name.
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

/// A process that a lab belongs to, told apart from a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Owner {
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since the machine's boot.
    pub start_time: u64,
}

impl Owner {
    /// The process that is asking.
    pub fn this_process() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// The process with this id, if it is running.
    pub fn of(pid: u32) -> Option<Self> {
        let start_time = processes::start_time(pid)?;
        Some(Self { pid, start_time })
    }

    /// Whether this very process is still running.
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
