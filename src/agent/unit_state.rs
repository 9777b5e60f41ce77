//! A unit on a host: its program, its service, its files.

use crate::model::Version;

/// A program that hactl manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
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
