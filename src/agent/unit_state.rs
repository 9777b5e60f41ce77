//! A unit on a host: program, service, files.

use crate::model::Version;

/// A program that hactl manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Program {
    /// It is installed.
    Installed {
        /// The installed version.
        version: Version,
    },
    /// It is not installed.
    Missing {
        /// The version that the host's package manager would install, if it offers one.
        candidate: Option<Version>,
    },
}

impl Program {
    /// The installed version, or else the one that would be installed.
    pub fn version(self) -> Option<Version> {
        match self {
            Self::Installed { version } => Some(version),
            Self::Missing { candidate } => candidate,
        }
    }
}

/// What is found at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum LiveFile {
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        owner: String,
        group: String,
        content: Vec<u8>,
    },
    /// A symbolic link, with its target.
    Link(String),
    /// A directory or special file.
    Other,
    /// No file.
    Absent,
}

impl LiveFile {
    /// The content of a regular file.
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
    /// `MainPID`, 0 if the unit is not running.
    pub main_pid: u32,
    /// `NeedDaemonReload`.
    pub needs_daemon_reload: bool,
    /// `PIDFile`, empty if the unit sets none.
    pub pid_file: String,
}

impl Service {
    /// Whether the unit is masked (`systemctl mask`). The files may be masked before systemd has
    /// reloaded them, so both states count.
    pub fn is_masked(&self) -> bool {
        self.load == "masked" || self.enabled.starts_with("masked")
    }

    /// Whether it is running.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }
}
