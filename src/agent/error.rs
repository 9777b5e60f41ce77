//! What a call of the host's program can end in, besides success.

use super::observation::LockInfo;
use crate::model::NodeName;
use crate::remote::{RemoteError, SudoRefusal};

/// A call failed on one node.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The connection, not the program.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Somebody else holds the lock.
    #[error("{node}: {}", lock.words())]
    Locked {
        /// The node whose lock it is.
        node: NodeName,
        /// The lock.
        lock: Box<LockInfo>,
    },
    /// The program says why it failed.
    #[error("{node}: {message}")]
    Failed {
        /// The node.
        node: NodeName,
        /// The kind, as the program names it, such as `disk` or `nginx-stale`.
        code: String,
        /// One sentence.
        message: String,
        /// What other programs said, several lines.
        detail: String,
    },
    /// `sudo` would not, or the login shell did not let the program run.
    #[error("{node}: cannot become root there: {detail}")]
    NotRoot {
        /// The node.
        node: NodeName,
        /// What sudo would not do.
        refusal: SudoRefusal,
        /// The same in words, or sudo's own.
        detail: String,
    },
    /// The answer is none of the program's.
    #[error("{node}: {label} gave no whole answer: {detail}")]
    Protocol {
        /// The node.
        node: NodeName,
        /// The call.
        label: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl AgentError {
    /// Whose host it was.
    pub fn node(&self) -> &NodeName {
        match self {
            Self::Remote(error) => error.node(),
            Self::Locked { node, .. }
            | Self::Failed { node, .. }
            | Self::NotRoot { node, .. }
            | Self::Protocol { node, .. } => node,
        }
    }

    /// The program's own word for what failed, such as `disk`; empty for every other error.
    pub fn code(&self) -> &str {
        match self {
            Self::Failed { code, .. } => code,
            _ => "",
        }
    }

    /// What other programs said about it, if anything.
    pub fn detail(&self) -> &str {
        match self {
            Self::Failed { detail, .. } => detail,
            _ => "",
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Remote(error) => error.hint(),
            Self::Locked { lock, .. } if lock.pid.is_empty() => {
                "`hactl confirm` keeps it, `hactl cancel` undoes it".to_owned()
            }
            Self::Locked { .. } => "wait for it to end; a lock whose holder died frees itself when its time is over, and `hactl lock break` frees it now".to_owned(),
            Self::NotRoot { refusal, .. } => refusal.hint().to_owned(),
            Self::Protocol { .. } => "run it again with -vvv to see what the host answered; a login script that prints text is the usual cause".to_owned(),
            Self::Failed { code, .. } => code_hint(code).to_owned(),
        }
    }
}

/// One remedy per kind of failure that the program knows.
fn code_hint(code: &str) -> &'static str {
    match code {
        "disk" => "free some space on the host (`df -h /var/lib /etc`), then run it again",
        "read-only" | "write" | "state-unwritable" => {
            "make the file system writable (`mount | grep ' ro[,)]'`, and `dmesg` for why it is not), then run it again"
        }
        "fixed" => {
            "let it be replaced on the host (`chattr -i`, `umount`; `lsattr` and `findmnt` tell which), then run it again"
        }
        "unsafe" => {
            "make root its owner and let nobody else write there (`chown root:root`, `chmod go-w`), look at what others may have put there, then run it again"
        }
        "unsafe-state" => {
            "find out who put it there; if it was you, give it to root alone (`chown -R root:root`, `chmod 700`), then run it again"
        }
        "tampered" => {
            "nothing was changed; find out what wrote there on the host, or whether its disk fails (`dmesg`), then run it again"
        }
        "lacking" => "install the named program on the host, then run it again",
        "sysctl" => "remove or correct that key under `sysctl` in the inventory",
        "nginx-stale" => {
            "look for the port or address that is taken: `ss -ltnp` on the host; the lines above are from nginx's error log"
        }
        "keepalived-stale" => {
            "look at the lines above, and at `journalctl -u keepalived` on the host"
        }
        "service" => "look at the lines above, and at `systemctl status` on the host",
        "no-apt" => {
            "install them with the host's own package manager (`dnf install nginx keepalived`), then run it again"
        }
        "packages" => {
            "run `apt-get update` and `apt-get install nginx keepalived` on the host and mend what it says"
        }
        "called-off" => "look at what is said of the other nodes",
        "moved-on" => "run `hactl plan` again and look at what it says now",
        "lock-lost" => "run `hactl status`, then run it again",
        "busy" => "wait a few seconds, then run it again",
        "not-root" => "log in as root (ssh.user), or set ssh.sudo in the inventory",
        "no-generation" => "`hactl history` lists the generations there are",
        "under-way" => {
            "`hactl confirm` or `hactl cancel` end it; with --force only the lock goes, and the host's timer still undoes what nobody confirms"
        }
        "not-offered" => "wait until the hactl that makes it says that it waits for a confirmation",
        "not-active" => "the host undid the change by itself before it was confirmed; run it again",
        "drilling" => "wait until it has ended: the host undoes the fault by itself",
        "heal" => {
            "the host tries again every 5 s; look at `journalctl -u hactl-heal` there, and mend what it says"
        }
        "unable" => "run that drill on a host where it can be undone",
        "unfinished" => {
            "run `hactl apply` again: it brings such a host back first, once nobody works on it"
        }
        "confirmed" => "run `hactl status`, and `hactl rollback` if it shall not stay",
        "obstacle" => "look at what lies there, and move it away",
        "mount" => {
            "allow mount namespaces on the host (`unshare -m true` as root), then run it again"
        }
        "revert" => {
            "look at the problems above and mend them by hand; the copies are in /var/lib/hactl/tx on the host"
        }
        _ => "run it again with -vvv to see what the host answered",
    }
}
