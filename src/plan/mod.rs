//! Turns desired, observed and recorded state into a plan, which describes everything that apply will do.
//!
//! This module is pure: it talks to no host and reads no file. A plan can be serialised, and contains no secret
//! then.

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
