//! What rendering yields: complete files with their place, mode and role.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{FileRole, HostPath, NodeName, UnitId};

/// A hash over what a daemon's files say. nginx serves its own on its status port and keepalived
/// shows its own in its state dump (as `smtp_helo_name`, which nothing else uses), so that "which
/// configuration runs" is asked of the processes and not of the files.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    schemars::JsonSchema,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct ConfigId(String);

impl ConfigId {
    /// The 12 hexadecimal digits `text`, or `None` if it is anything else.
    pub fn new(text: &str) -> Option<Self> {
        let valid =
            text.len() == 12 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One file as it should be on the host. Owner and group are root's.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// What it is for.
    pub role: FileRole,
    /// Where it goes.
    pub path: HostPath,
    /// Its permission bits, such as `0o644`.
    pub mode: u32,
    /// Its content. May hold secrets: see [`FileRole`], and the plan's redaction.
    pub content: Vec<u8>,
}

impl RenderedFile {
    /// True when the content must not be shown: what only root may read holds a secret.
    pub fn is_secret(&self) -> bool {
        // The six lowest bits are the group's and the world's.
        self.mode.trailing_zeros() >= 6
    }
}

impl fmt::Debug for RenderedFile {
    /// Without the content, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedFile")
            .field("role", &self.role)
            .field("path", &self.path)
            .field("mode", &format_args!("{:04o}", self.mode))
            .field("bytes", &self.content.len())
            .finish()
    }
}

/// The identities of the units' configurations. Each covers what its own unit loads, so that a change of one
/// leaves the others alone.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct ConfigIds(BTreeMap<UnitId, ConfigId>);

impl ConfigIds {
    /// The identity of the configuration of `unit`.
    pub fn of(&self, unit: UnitId) -> Option<&ConfigId> {
        self.0.get(&unit)
    }

    /// All of them, by unit.
    pub fn iter(&self) -> impl Iterator<Item = (UnitId, &ConfigId)> {
        self.0.iter().map(|(unit, id)| (*unit, id))
    }
}

impl FromIterator<(UnitId, ConfigId)> for ConfigIds {
    fn from_iter<I: IntoIterator<Item = (UnitId, ConfigId)>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

/// All files of one node.
#[derive(Debug, Clone)]
pub struct RenderedNode {
    /// Whose they are.
    pub node: NodeName,
    /// Their identities.
    pub ids: ConfigIds,
    /// The files, in a fixed order.
    pub files: Vec<RenderedFile>,
    /// The file that keepalived.conf tracks; systemd's units write it, so it is none of `files`.
    /// `None` where the node's keepalived can't track one.
    pub tracked_file: Option<HostPath>,
}
