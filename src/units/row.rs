//! What hactl needs to know of a service to manage it.

use super::template::TemplateSpec;
use crate::model::{FileRole, HostPath, UnitId};

/// A service that hactl manages.
#[derive(Debug, Clone, Copy)]
pub struct ManagedUnit {
    /// The name of its package and of systemd's unit.
    pub id: UnitId,
    /// The program that tests its configuration and tells its version.
    pub program: &'static str,
    /// How its test of a configuration is called.
    pub test_command: &'static str,
    /// The option by which the program tells its version.
    pub version_option: &'static str,
    /// The folder of its configuration, of which its test gets a private copy.
    pub folder: &'static str,
    /// Its configuration.
    pub conf: TemplateSpec,
    /// Its functions in the host's program, each named after the unit:
    /// - `ID_test DIR` tests the configuration of the tree in DIR, which lies in `folder`. It sets `code`
    ///   and `output`, and may set `about`.
    /// - `ID_loaded PORT` sets `loaded_id` to the identity of the configuration that the running service
    ///   has loaded, by its own word; PORT is nginx's status port.
    /// - `ID_before` and `ID_complaints`, where the log of systemd's unit is not enough: the first is called before
    ///   the service is told to change and notes how far its own log is, the second prints what it has said since.
    pub host_functions: &'static str,
}

impl ManagedUnit {
    /// True for a file that the service reads when it loads its configuration.
    pub fn loads(&self, role: FileRole, path: &HostPath) -> bool {
        self.is_in_folder(path) && !role.is_script()
    }

    /// True for a path in the folder of its configuration.
    pub fn is_in_folder(&self, path: &HostPath) -> bool {
        let rest = path.as_str().strip_prefix(self.folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    }
}
