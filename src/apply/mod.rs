//! Carries out a plan: lock, stage, validate, activate, prove, confirm, or roll back.
//!
//! This module prints nothing and decides nothing that the plan has decided: it tells what happens
//! as events and ends with an outcome that was observed on the hosts.

mod commit;
mod conduct;
mod drive;
mod engine;
mod event;
mod fleet;
mod orders;
mod outcome;
mod outside;
mod prove;
mod settle;
mod switch;
#[cfg(test)]
mod tests;

pub use commit::{Coordinator, News, NodeIndex, Order, Side, Verdict, Wish};
pub use engine::{ApplyOptions, Confirmation, Engine};
pub use event::{Event, RecoveryDirection, Step};
pub use fleet::{Fleet, each};
pub use outcome::{ApplyOutcome, Failure, FailureCause, Result as ApplyResult};
pub use outside::{announce_and_look, look};
pub use settle::{Member, SettleOutcome, SettleVerb, Waiting};
