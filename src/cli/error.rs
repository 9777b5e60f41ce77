//! Why a command failed, and with which exit code.

use super::exit::Exit;
use crate::lab::LabError;
use crate::ops::{DemoError, OpsError};
use crate::view::ErrorReport;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum CliError {
    /// The command line makes no sense.
    Usage {
        /// What is wrong.
        message: String,
        /// What to type instead.
        help: String,
    },
    /// The operation failed.
    Ops(OpsError),
    /// The lab failed.
    Lab(LabError),
    /// An operation on the machine that hactl runs on failed.
    Machine {
        /// What failed.
        message: String,
        cause: std::io::Error,
    },
    /// The user stopped a read-only command.
    Interrupted,
    /// The user abandoned a change in progress to the hosts' timers.
    Abandoned,
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        Self::Ops(error)
    }
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Lab(error) => Self::Lab(error),
            DemoError::Io { doing, source } => Self::Machine {
                message: format!("cannot {doing}"),
                cause: source,
            },
        }
    }
}

impl From<LabError> for CliError {
    fn from(error: LabError) -> Self {
        Self::Lab(error)
    }
}

impl CliError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::Ops(error) => Exit::of_error(error),
            Self::Lab(_) | Self::Machine { .. } | Self::Interrupted => Exit::Unchanged,
            Self::Abandoned => Exit::Mixed,
        }
    }

    pub(super) fn complaint(&self) -> ErrorReport {
        match self {
            Self::Usage { message, help } => ErrorReport::new(message).help(help),
            Self::Ops(error) => ErrorReport::of_ops(error),
            Self::Lab(error) => ErrorReport::of_lab(error),
            Self::Machine { message, cause } => ErrorReport::new(message).detail(cause.to_string()),
            Self::Interrupted => ErrorReport::new("stopped on request; nothing was changed"),
            Self::Abandoned => ErrorReport::new("stopped on request while the change was in progress").help(
                "check the outcome with `hactl status`; hosts roll an unconfirmed change back when their timers end",
            ),
        }
    }
}
