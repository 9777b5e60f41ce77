//! The row of a managed service.

use super::template::TemplateSpec;
use crate::model::{FileRole, HostPath, UnitId};

/// A service that hactl manages.
#[derive(Debug, Clone, Copy)]
pub struct ManagedUnit {
    /// The name of its package and its systemd unit.
    pub id: UnitId,
    /// The program that tests its configuration and reports its version.
    pub program: &'static str,
    /// The command of its configuration test, for messages.
    pub test_command: &'static str,
    /// The option that makes the program print its version.
    pub version_option: &'static str,
    /// The folder of its configuration. A test runs with a private copy of it.
    pub folder: &'static str,
    /// The template of its configuration.
    pub conf: TemplateSpec,
    /// Its functions in the host's program, each named after the unit:
    /// - `ID_test DIR` tests the configuration of the tree in DIR, which lies in `folder`. It sets
    ///   `code` and `output`, and may set `about`.
    /// - `ID_loaded PORT` sets `loaded_id` to the id of the configuration that the running service
    ///   reports. PORT is nginx's status port.
    /// - `ID_before` and `ID_complaints`, if the unit's journal is not enough: the first is called
    ///   before the service changes and records the position in its own log, the second prints
    ///   everything logged since.
    /// - `ID_version`, if `version_option` is too slow: it sets `version` to what the program prints for it.
    pub host_functions: &'static str,
}

impl ManagedUnit {
    /// Whether the service reads the file when it loads its configuration.
    pub fn loads(&self, role: FileRole, path: &HostPath) -> bool {
        self.is_in_folder(path) && !role.is_script()
    }

    /// Whether the path is in the folder of its configuration.
    pub fn is_in_folder(&self, path: &HostPath) -> bool {
        let rest = path.as_str().strip_prefix(self.folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    }
}
