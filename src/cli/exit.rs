//! The exit codes, in one table: what a script may rely on.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::agent::{AgentError, Ending, FailureCode, Outcome};
use crate::apply::{ApplyOutcome, ApplyResult, Failure, FailureCause, SettleVerb};
use crate::ops::{OpsError, SettleEnd, SettleRefusal, SettleReport};

/// How a command ended, as it was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Done = 0,
    /// It failed, and the cluster is as it was.
    Unchanged = 1,
    /// `plan --detailed-exitcode` found changes.
    ChangesPending = 2,
    /// The inventory is at fault.
    BadInventory = 3,
    /// It failed, and the cluster was brought back.
    RolledBack = 4,
    /// Manual intervention is required.
    Mixed = 5,
    /// Somebody else is at it.
    Locked = 6,
    /// A drill missed its budget.
    OverBudget = 7,
    /// The command line is at fault.
    Usage = 64,
}

impl Exit {
    /// All of them, in the order of their numbers.
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

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it tells, for `--help`.
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

    /// What to do about it, for the page.
    fn remedy(self) -> &'static str {
        match self {
            Self::Done => {
                "Nothing. `apply` on a cluster that is as the inventory says ends so, too, and so does one with \
                 `--confirm manual` once all nodes have the change and it works: then it is pending confirmation."
            }
            Self::Unchanged => {
                "Read the message: it names the host and what to do. Nothing live was changed, or what was \
                 asked for only looks. `status` ends so when the cluster is not healthy, `plan` when a \
                 daemon refuses the files to come, and `apply` when it was not agreed to. `confirm` and `cancel` \
                 end so when they came too late, or could decide nothing: then the change still waits."
            }
            Self::ChangesPending => "`hactl apply`.",
            Self::BadInventory => {
                "Correct the inventory: each error has its line. A secret that cannot be fetched ends so, too."
            }
            Self::RolledBack => {
                "Read the message: it says what made the change fail. Every node was seen to be as it was."
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

    /// How a failure of an operation that changes nothing ends, or one that failed before it changed
    /// anything.
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

    /// How a change that waited ended.
    pub(crate) fn of_settled(report: &SettleReport) -> Self {
        match (&report.end, report.verb) {
            (SettleEnd::AllNew, SettleVerb::Confirm) | (SettleEnd::AllOld, SettleVerb::Cancel) => {
                Self::Done
            }
            // A script must not take an undone change for a kept one, nor a kept one for undone.
            (SettleEnd::Nothing { last }, verb) => {
                let is_kept = |(_, outcome): &(_, Outcome)| outcome.result == Ending::Confirmed;
                let is_so = match verb {
                    SettleVerb::Confirm => last.iter().all(is_kept),
                    SettleVerb::Cancel => !last.iter().any(is_kept),
                };
                if is_so { Self::Done } else { Self::Unchanged }
            }
            (SettleEnd::AllOld, SettleVerb::Confirm) => Self::RolledBack,
            (SettleEnd::AllNew, SettleVerb::Cancel) | (SettleEnd::Waiting { .. }, _) => {
                Self::Unchanged
            }
            (SettleEnd::Mixed { .. }, _) => Self::Mixed,
        }
    }

    /// How a change ended.
    pub(crate) fn of_outcome(outcome: &ApplyOutcome) -> Self {
        match &outcome.result {
            // Unconfirmed is what was asked for.
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
    // A drill keeps changes out as a lock does.
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
         Every command ends with one of these. They are read from what was observed on the hosts at the\n\
         end, never from what was intended. This page is generated from `src/cli/exit.rs`.\n\n\
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
