//! Carries out a plan: lock, stage, validate, activate, prove, confirm, or roll back.
//!
//! This module prints nothing and re-decides nothing that the plan decides: it emits events and ends with an outcome
//! that was observed on the hosts.

mod change;
mod drive;
mod driver;
mod event;
mod executor;
mod fleet;
mod options;
mod outcome;
mod outside;
mod phases;
mod protocol;
mod prove;
mod run;
mod session;
mod settle;
mod switch;
#[cfg(test)]
mod tests;

pub use event::{Event, Progress, RecoveryDirection, Step};
pub use fleet::{Fleet, each, over};
pub use options::{ApplyOptions, Confirmation};
pub use outcome::{ApplyOutcome, Failure, FailureCause, Result as ApplyResult};
pub use outside::{announce_and_look, look};
pub use protocol::{Command, Coordinator, Decision, NodeIndex, ProtocolResult, Reply, Role};
pub use run::apply;
pub use session::Session;
pub use settle::{Member, PendingAction, SettleOutcome, Waiting, settle};
