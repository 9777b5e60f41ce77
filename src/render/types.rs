//! The result of rendering: complete files with path, mode and role.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{FileRole, HostPath, NodeName, UnitId};

/// A hash over the files of a daemon. nginx serves its own on its status port, and keepalived shows its own in its
/// state dump (as `smtp_helo_name`, which nothing else uses), so that the processes themselves tell which
/// configuration they run.
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

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A file as it should be on the host. Owner and group are root.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedFile {
    pub role: FileRole,
    pub path: HostPath,
    /// Permission bits, such as `0o644`.
    pub mode: u32,
    /// May contain secrets: see [`FileRole`], and how the plan redacts them.
    pub content: Vec<u8>,
}

impl RenderedFile {
    /// True when the content must not be shown: files that only root can read contain secrets.
    pub fn is_secret(&self) -> bool {
        // The six lowest bits are the group's and the world's.
        self.mode.trailing_zeros() >= 6
    }
}

impl fmt::Debug for RenderedFile {
    /// Omits the content, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedFile")
            .field("role", &self.role)
            .field("path", &self.path)
            .field("mode", &format_args!("{:04o}", self.mode))
            .field("bytes", &self.content.len())
            .finish()
    }
}

/// The identities of the units' configurations. Each covers the files that its unit loads, so that a change for one
/// unit leaves the others alone.
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

    /// All identities, ordered by unit.
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
    pub node: NodeName,
    /// The identities of the units' configurations.
    pub ids: ConfigIds,
    /// The files, in a fixed order.
    pub files: Vec<RenderedFile>,
    /// The file that keepalived.conf tracks. The systemd units write it, so it is not among `files`. `None` if the
    /// node's keepalived cannot track files.
    pub tracked_file: Option<HostPath>,
}
