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
mod course;
mod desired;
mod diff;
mod listeners;
mod owner;
mod packages;
mod serving;
mod strategy;
#[cfg(test)]
mod tests;
mod timers;
mod types;

pub use agreement::unicast_ends;
pub use behind::behind;
pub use beside::BesideError;
pub use build::{LeftOut, PlanError, Request, build, drift};
pub use course::{Course, VipCourse};
pub use desired::{Desired, MEMBERS, Provenance};
pub use diff::Redactor;
pub use owner::{AnotherCluster, Owner};
pub use serving::{Loss, LostService, StopServing};
pub use timers::{TimerFiles, with_timers_of};
pub use types::{
    Cause, FileAction, FileChange, Goal, NodePlan, Plan, RunningDrift, Strategy, SysctlChange,
    UnitAction,
};
