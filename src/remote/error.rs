//! What can go wrong between here and a host, and what to do about it.

use std::time::Duration;

use crate::model::NodeName;

/// A host could not be reached, or a program on it not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// ssh does not know the host's key.
    #[error("{node}: ssh does not know the key of {host}, so nothing was sent to it")]
    HostKeyUnknown {
        /// The node.
        node: NodeName,
        /// The host as ssh was told.
        host: String,
    },
    /// The host shows another key than the one that ssh knows.
    #[error(
        "{node}: the key of {host} is not the one that ssh knows: a reinstalled host, or somebody in between"
    )]
    HostKeyChanged {
        /// The node.
        node: NodeName,
        /// The host as ssh was told.
        host: String,
    },
    /// No offered key was accepted.
    #[error("{node}: {host} accepts none of the keys offered: {detail}")]
    PermissionDenied {
        /// The node.
        node: NodeName,
        /// The host as ssh was told.
        host: String,
        /// ssh's words.
        detail: String,
    },
    /// No connection came about.
    #[error("{node}: cannot reach {host} by ssh: {detail}")]
    Unreachable {
        /// The node.
        node: NodeName,
        /// The host as ssh was told.
        host: String,
        /// ssh's words.
        detail: String,
    },
    /// ssh itself is missing or could not start.
    #[error("{node}: cannot start ssh: {detail}")]
    NoSsh {
        /// The node.
        node: NodeName,
        /// The system's words.
        detail: String,
    },
    /// An open connection ended.
    #[error("{node}: the connection ended during {label}")]
    Disconnected {
        /// The node.
        node: NodeName,
        /// What was being done.
        label: String,
    },
    /// sshd opens no session for it, although the connection stands.
    #[error("{node}: sshd opens no session for {label}")]
    NoSession {
        /// The node.
        node: NodeName,
        /// What was to be done.
        label: String,
    },
    /// sudo's password cannot be had.
    #[error("{node}: sudo asks for a password, which cannot be had: {reason}")]
    SudoPassword {
        /// The node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// A program took too long.
    #[error("{node}: {label} did not end within {}s", timeout.as_secs())]
    TimedOut {
        /// The node.
        node: NodeName,
        /// What was being done.
        label: String,
        /// The bound that it missed.
        timeout: Duration,
    },
    /// A program answered more than anything honest would.
    #[error("{node}: the answer to {label} exceeds {} MiB and was cut off", limit >> 20)]
    TooMuch {
        /// The node.
        node: NodeName,
        /// What was being done.
        label: String,
        /// The bound, in bytes.
        limit: usize,
    },
}

impl RemoteError {
    /// Whose host it was.
    pub fn node(&self) -> &NodeName {
        match self {
            Self::HostKeyUnknown { node, .. }
            | Self::HostKeyChanged { node, .. }
            | Self::PermissionDenied { node, .. }
            | Self::Unreachable { node, .. }
            | Self::NoSsh { node, .. }
            | Self::Disconnected { node, .. }
            | Self::NoSession { node, .. }
            | Self::SudoPassword { node, .. }
            | Self::TimedOut { node, .. }
            | Self::TooMuch { node, .. } => node,
        }
    }

    /// The host as ssh was told, where the message names it.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::HostKeyUnknown { host, .. }
            | Self::HostKeyChanged { host, .. }
            | Self::PermissionDenied { host, .. }
            | Self::Unreachable { host, .. } => Some(host),
            Self::NoSsh { .. }
            | Self::Disconnected { .. }
            | Self::NoSession { .. }
            | Self::SudoPassword { .. }
            | Self::TimedOut { .. }
            | Self::TooMuch { .. } => None,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::HostKeyUnknown { host, .. } => format!(
                "compare the host's fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console, \
                 then accept it once: ssh {host}"
            ),
            Self::HostKeyChanged { host, .. } => format!(
                "if the host was reinstalled, remove the old key with `ssh-keygen -R {host}` and accept the new one: ssh {host}"
            ),
            Self::PermissionDenied { host, .. } => format!(
                "check that `ssh {host} true` works; the inventory's ssh.user, ssh.identity_file and your agent (`ssh-add -l`) decide which keys are offered"
            ),
            Self::Unreachable { host, .. } => format!(
                "check that the host is up and `ssh {host} true` works from here; ssh.host, ssh.port and ssh.jump in the inventory say where it is"
            ),
            Self::NoSsh { .. } => "install OpenSSH's client (openssh-client)".to_owned(),
            Self::Disconnected { .. } | Self::TimedOut { .. } => {
                "see the host's state with `hactl status`; an unconfirmed change rolls back on its own".to_owned()
            }
            Self::NoSession { .. } => {
                "raise `MaxSessions` in the host's sshd_config (10 is sshd's own default), then run it again".to_owned()
            }
            Self::SudoPassword { .. } => {
                "save it alone in a file that only you can read (chmod 600), and pass that with --sudo-password-file FILE".to_owned()
            }
            Self::TooMuch { .. } => "look at the host: something else answers in place of hactl's program".to_owned(),
        }
    }
}
