//! The ways in which a call of the host's program can fail.

use super::change::LockInfo;
use super::protocol::FailureCode;
use crate::model::NodeName;
use crate::remote::{RemoteError, SudoRefusal};

/// How an earlier change blocks this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Pending {
    /// Its lock was to be broken, but it is in flight.
    #[error("cannot break the lock: it belongs to a change in progress")]
    UnderWay,
    /// It was interrupted, and nobody is working on it.
    #[error("an earlier change ({tx}) is unfinished")]
    Unfinished {
        /// The change's id.
        tx: String,
    },
    /// hactl could not finish it.
    #[error("cannot end the interrupted change {tx}")]
    Stuck {
        tx: String,
        /// What was not restored, one line each.
        detail: String,
    },
}

impl Pending {
    fn hint(&self) -> &'static str {
        match self {
            Self::UnderWay => {
                "end the change with `hactl confirm` or `hactl cancel`; --force breaks only the lock, and the host's timer still rolls an unconfirmed change back"
            }
            Self::Unfinished { .. } => FailureCode::Unfinished.hint(),
            Self::Stuck { .. } => FailureCode::Revert.hint(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The connection failed, not the program.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Another operation holds the lock.
    #[error("{node}: {}", lock.words())]
    Locked {
        node: NodeName,
        /// The lock and its holder.
        lock: Box<LockInfo>,
    },
    /// The program reports a failure.
    #[error("{node}: {message}")]
    Failed {
        node: NodeName,
        code: FailureCode,
        message: String,
        /// Output of other programs, several lines.
        detail: String,
    },
    /// An earlier change is in the way.
    #[error("{node}: {pending}")]
    Pending {
        node: NodeName,
        /// The state of the earlier change.
        pending: Pending,
    },
    /// sudo refused, or the login shell did not run the program.
    #[error("{node}: cannot gain root privileges: {detail}")]
    NotRoot {
        node: NodeName,
        refusal: SudoRefusal,
        /// The refusal in words, hactl's or sudo's.
        detail: String,
    },
    /// The response is not the program's, or is incomplete.
    #[error("{node}: incomplete response to `{label}`: {detail}")]
    Protocol {
        node: NodeName,
        label: String,
        /// The problem with the response.
        detail: String,
    },
}

impl AgentError {
    pub fn node(&self) -> &NodeName {
        match self {
            Self::Remote(error) => error.node(),
            Self::Locked { node, .. }
            | Self::Failed { node, .. }
            | Self::Pending { node, .. }
            | Self::NotRoot { node, .. }
            | Self::Protocol { node, .. } => node,
        }
    }

    /// The program's failure code, if it reported one.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Failed { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Output of other programs about the failure, if any.
    pub fn detail(&self) -> &str {
        match self {
            Self::Failed { detail, .. }
            | Self::Pending {
                pending: Pending::Stuck { detail, .. },
                ..
            } => detail,
            _ => "",
        }
    }

    pub fn hint(&self) -> String {
        match self {
            Self::Remote(error) => error.hint(),
            Self::Locked { lock, .. } if lock.pid.is_empty() => {
                "keep it with `hactl confirm`, or roll it back with `hactl cancel`".to_owned()
            }
            Self::Locked { .. } => "wait for it to end; the lock of a dead holder expires, and `hactl lock break` breaks it now".to_owned(),
            Self::NotRoot { refusal, .. } => refusal.hint().to_owned(),
            Self::Protocol { .. } => "run it again with -vvv to see the host's answer; the usual cause is a login script that prints text".to_owned(),
            Self::Pending { pending, .. } => pending.hint().to_owned(),
            Self::Failed { code, .. } => code.hint().to_owned(),
        }
    }
}
