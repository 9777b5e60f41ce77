//! Connection options for all hosts.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::sudo::SudoPassword;

#[derive(Debug, Clone)]
pub struct SshOptions {
    /// `ssh -F`: a configuration to use in place of the user's.
    pub config_file: Option<Utf8PathBuf>,
    /// Timeout for connecting.
    pub connect_timeout: Duration,
    /// The source of sudo's password, if there is one.
    pub sudo_password: Option<SudoPassword>,
    /// Environment variables with secrets, withheld from ssh because it may outlive hactl.
    pub withheld: Vec<String>,
}
