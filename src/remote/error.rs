//! Errors between this machine and a host, with hints.

use std::time::Duration;

use crate::model::NodeName;

/// A host could not be reached, or a program on it did not finish.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// ssh does not know the host's key.
    #[error("{node}: ssh does not know the host key of {host}, so nothing was sent to it")]
    HostKeyUnknown {
        node: NodeName,
        /// The host as given to ssh.
        host: String,
    },
    /// The host's key differs from the known one.
    #[error(
        "{node}: the host key of {host} has changed: the host was reinstalled, or the connection is intercepted"
    )]
    HostKeyChanged {
        node: NodeName,
        /// The host as given to ssh.
        host: String,
    },
    /// None of the offered keys was accepted.
    #[error("{node}: {host} accepts none of the keys offered: {detail}")]
    PermissionDenied {
        node: NodeName,
        /// The host as given to ssh.
        host: String,
        /// ssh's message.
        detail: String,
    },
    /// The connection failed.
    #[error("{node}: cannot reach {host} by ssh: {detail}")]
    Unreachable {
        node: NodeName,
        /// The host as given to ssh.
        host: String,
        /// ssh's message.
        detail: String,
    },
    /// ssh is missing or could not be started.
    #[error("{node}: cannot start ssh: {detail}")]
    NoSsh {
        node: NodeName,
        /// The system's error message.
        detail: String,
    },
    /// An open connection was lost.
    #[error("{node}: the connection ended during {label}")]
    Disconnected {
        node: NodeName,
        /// The call that was running.
        label: String,
    },
    /// The connection is open, but sshd refuses a new session.
    #[error("{node}: sshd refused to open a session for {label}")]
    NoSession {
        node: NodeName,
        /// The call that needed the session.
        label: String,
    },
    /// sudo needs a password that is not available.
    #[error("{node}: cannot get the password that sudo asks for: {reason}")]
    SudoPassword {
        node: NodeName,
        /// Why no password is available.
        reason: String,
    },
    /// A program timed out.
    #[error("{node}: {label} did not end within {}s", timeout.as_secs())]
    TimedOut {
        node: NodeName,
        /// The call that was running.
        label: String,
        timeout: Duration,
    },
    /// A program answered with implausibly much data.
    #[error("{node}: the answer to {label} exceeds {} MiB and was cut off", limit >> 20)]
    TooMuch {
        node: NodeName,
        /// The call that was running.
        label: String,
        /// The limit in bytes.
        limit: usize,
    },
}

impl RemoteError {
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

    /// The host as given to ssh, if the message names it.
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
            Self::TooMuch { .. } => "check the host: another program answers in place of hactl's".to_owned(),
        }
    }
}
