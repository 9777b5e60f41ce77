//! What a call of the host's program can end in, besides success.

use super::change::LockInfo;
use super::protocol::FailureCode;
use crate::model::NodeName;
use crate::remote::{RemoteError, SudoRefusal};

/// How a change that was made before is in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Pending {
    /// Its lock is to be broken.
    #[error("a change is under way there, and its lock is part of it")]
    UnderWay,
    /// Nobody works on it any more.
    #[error("an earlier change ({tx}) is not finished there")]
    Unfinished {
        /// Its id.
        tx: String,
    },
    /// hactl could not end it.
    #[error("the interrupted change {tx} could not be ended")]
    Stuck {
        /// Its id.
        tx: String,
        /// What is not as it was, several lines.
        detail: String,
    },
}

impl Pending {
    fn hint(&self) -> &'static str {
        match self {
            Self::UnderWay => {
                "`hactl confirm` or `hactl cancel` end it; with --force only the lock goes, and the host's timer still undoes what nobody confirms"
            }
            Self::Unfinished { .. } => FailureCode::Unfinished.hint(),
            Self::Stuck { .. } => FailureCode::Revert.hint(),
        }
    }
}

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
        /// The kind.
        code: FailureCode,
        /// One sentence.
        message: String,
        /// What other programs said, several lines.
        detail: String,
    },
    /// A change that was made before is in the way.
    #[error("{node}: {pending}")]
    Pending {
        /// The node.
        node: NodeName,
        /// How.
        pending: Pending,
    },
    /// `sudo` would not, or the login shell did not let the program run.
    #[error("{node}: cannot gain root privileges: {detail}")]
    NotRoot {
        /// The node.
        node: NodeName,
        /// What sudo would not do.
        refusal: SudoRefusal,
        /// The same in words, or sudo's own.
        detail: String,
    },
    /// The answer is none of the program's.
    #[error("{node}: incomplete response to `{label}`: {detail}")]
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
            | Self::Pending { node, .. }
            | Self::NotRoot { node, .. }
            | Self::Protocol { node, .. } => node,
        }
    }

    /// What failed, where the program says so.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Failed { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What other programs said about it, if anything.
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

    /// What the user can do.
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
