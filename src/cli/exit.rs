//! The exit codes in one table. Scripts rely on them.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::agent::{AgentError, Ending, FailureCode, Outcome};
use crate::apply::{ApplyOutcome, ApplyResult, Failure, FailureCause, PendingAction};
use crate::ops::{OpsError, SettleEnd, SettleRefusal, SettleReport};

/// The outcome of a command, as observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed. The cluster is unchanged.
    Unchanged = 1,
    /// `plan --detailed-exitcode` found changes.
    ChangesPending = 2,
    /// The inventory is at fault.
    BadInventory = 3,
    /// Failed. The cluster was rolled back.
    RolledBack = 4,
    /// Manual intervention is required.
    Mixed = 5,
    /// Another operation holds the cluster lock.
    Locked = 6,
    /// A drill exceeded its budget or violated an invariant.
    OverBudget = 7,
    /// The command line is at fault.
    Usage = 64,
}

impl Exit {
    /// All exit codes, in numerical order.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Unchanged,
        Self::ChangesPending,
        Self::BadInventory,
        Self::RolledBack,
        Self::Mixed,
        Self::Locked,
        Self::OverBudget,
        Self::Usage,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }

    /// Its meaning, for `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Unchanged => "failed; the cluster is unchanged",
            Self::ChangesPending => "plan --detailed-exitcode: changes are pending",
            Self::BadInventory => "the inventory is not valid",
            Self::RolledBack => "failed; the cluster was rolled back",
            Self::Mixed => "the cluster is in a mixed or unknown state: look at it",
            Self::Locked => "the cluster is locked by another operation",
            Self::OverBudget => "a drill exceeded its budget or violated an invariant",
            Self::Usage => "wrong usage",
        }
    }

    /// What to do about it, for `explain` and `docs/exit-codes.md`.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Done => {
                "Nothing. `apply` also exits with 0 when the cluster already matches the inventory, and with \
                 `--confirm manual` once all nodes have the change and it works: it is pending confirmation then."
            }
            Self::Unchanged => {
                "Read the message: it names the host and what to do. Nothing live was changed, or the \
                 verb only reads. `preflight` exits with 1 when the hosts are not fit, `status` when the cluster is \
                 not healthy, `plan` when a daemon refuses the new files, and `apply` when you did not agree to it. `confirm` and `cancel` exit \
                 with 1 when they came too late, or when no decision was made and the change is still pending."
            }
            Self::ChangesPending => "`hactl apply`.",
            Self::BadInventory => {
                "Correct the inventory: each error names its line. A secret that cannot be fetched exits with 3, too."
            }
            Self::RolledBack => {
                "Read the message: it says what made the change fail. Every node was verified to be in its former state."
            }
            Self::Mixed => {
                "`hactl status` now. The message lists what is not as it should be. A host rolls an unconfirmed \
                 change back when its timer ends."
            }
            Self::Locked => {
                "Wait: the message names the holder. The lock of a dead holder expires. End a pending change with \
                 `hactl confirm` or `hactl cancel`."
            }
            Self::OverBudget => {
                "Look at the drill's report: `hactl failover-test --show --html FILE`."
            }
            Self::Usage => "`hactl VERB --help`.",
        }
    }

    /// The exit code of an operation that failed before it changed anything.
    pub(crate) fn of_error(error: &OpsError) -> Self {
        match error {
            OpsError::Hosts { errors } if errors.iter().any(is_locked) => Self::Locked,
            error if error.is_inventory() => Self::BadInventory,
            OpsError::UnknownNode { .. } | OpsError::NotAMember { .. } => Self::Usage,
            OpsError::Settle(SettleRefusal::Several { .. }) | OpsError::Recovery { .. } => {
                Self::Mixed
            }
            _ => Self::Unchanged,
        }
    }

    /// The exit code of confirming or cancelling a change.
    pub(crate) fn of_settled(report: &SettleReport) -> Self {
        match (&report.end, report.verb) {
            (SettleEnd::Committed, PendingAction::Confirm)
            | (SettleEnd::RolledBack, PendingAction::Cancel) => Self::Done,
            // A script must not mistake a change that was rolled back for one that was kept, or the reverse.
            (SettleEnd::Nothing { last }, verb) => {
                let is_kept = |(_, outcome): &(_, Outcome)| outcome.result == Ending::Confirmed;
                let is_so = match verb {
                    PendingAction::Confirm => last.iter().all(is_kept),
                    PendingAction::Cancel => !last.iter().any(is_kept),
                };
                if is_so { Self::Done } else { Self::Unchanged }
            }
            (SettleEnd::RolledBack, PendingAction::Confirm) => Self::RolledBack,
            (SettleEnd::Committed, PendingAction::Cancel) | (SettleEnd::Pending { .. }, _) => {
                Self::Unchanged
            }
            (SettleEnd::Diverged { .. }, _) => Self::Mixed,
        }
    }

    /// The exit code of a change.
    pub(crate) fn of_outcome(outcome: &ApplyOutcome) -> Self {
        match &outcome.result {
            // Pending confirmation is what was requested.
            ApplyResult::NothingToDo
            | ApplyResult::Checked
            | ApplyResult::Applied { .. }
            | ApplyResult::Waiting { .. } => Self::Done,
            ApplyResult::Unchanged(failure) if is_lock_failure(failure) => Self::Locked,
            ApplyResult::Unchanged(_) => Self::Unchanged,
            ApplyResult::RolledBack(_) => Self::RolledBack,
            ApplyResult::Mixed { .. } => Self::Mixed,
        }
    }
}

fn is_locked(error: &AgentError) -> bool {
    // A drill locks out changes, too.
    matches!(error, AgentError::Locked { .. }) || error.code() == Some(FailureCode::Drilling)
}

fn is_lock_failure(failure: &Failure) -> bool {
    failure
        .errors
        .iter()
        .any(|cause| matches!(cause, FailureCause::Agent(error) if is_locked(error)))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table for the end of `--help`.
pub(super) fn exit_codes_help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>2}  {}", exit.code(), exit.meaning());
    }
    text.truncate(text.trim_end().len());
    text
}

/// `docs/exit-codes.md`.
pub fn exit_codes_page() -> String {
    let mut text = String::from(
        "# Exit codes\n\n\
         Every command ends with one of these. They reflect what was observed on the hosts at the end,\n\
         never what was intended. This page is generated from `src/cli/exit.rs`.\n\n\
         | code | meaning | what to do |\n|---:|---|---|\n",
    );
    for exit in Exit::ALL {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            exit.code(),
            exit.meaning(),
            exit.remedy()
        );
    }
    text
}
