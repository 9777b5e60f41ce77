//! How every host is connected to.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::sudo::SudoPassword;

/// Options that hold for every host.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// `ssh -F`: a configuration to use in place of the user's.
    pub config_file: Option<Utf8PathBuf>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// Where sudo's password comes from, if there is anybody or anything to ask.
    pub sudo_password: Option<SudoPassword>,
    /// Environment variables that hold secrets: ssh, which may outlive hactl, does not get them.
    pub withheld: Vec<String>,
}
