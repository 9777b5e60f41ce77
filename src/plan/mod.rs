//! Desired, observed and recorded state to a plan: pure, and the whole truth about what apply will
//! do.
//!
//! This module talks to no host and reads no file. What it yields is data that serialises; a
//! serialised plan holds no secret.

mod actions;
mod agreement;
mod behind;
mod beside;
mod build;
mod change;
mod course;
mod desired;
mod diff;
mod drift;
mod owner;
mod packages;
mod request;
mod serving;
mod strategy;
#[cfg(test)]
mod tests;
mod timers;
mod types;

pub use behind::behind;
pub use beside::BesideError;
pub use build::build;
pub use change::{Cause, Change, FileAction, FileChange, SysctlChange, UnitChange};
pub use course::{Course, VipCourse};
pub use desired::{Desired, Provenance};
pub use diff::Redactor;
pub use drift::{RunningDrift, drift};
pub use owner::{AnotherCluster, Owner};
pub use request::{LeftOut, PlanError, Request};
pub use serving::{Loss, LostService, StopServing};
pub use timers::{TimerFiles, with_timers_of};
pub use types::{Goal, NodePlan, Place, Plan, Proof, Strategy};
