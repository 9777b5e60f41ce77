//! Saved plans: apply carries out what was reviewed, or nothing.

use super::fingerprint::{Basis, Fingerprint};
use super::moved::Moved;
use crate::plan::Plan;

/// A plan as saved. It holds no file contents and so no secrets: apply computes the plan again, and refuses to go on
/// unless both match.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanFile {
    /// The file's format.
    pub format: u32,
    /// What the plan was computed from and what it does, by subject.
    pub(super) fingerprint: Fingerprint,
    /// The plan as printed by `plan --format json`, for people and their tools.
    pub plan: serde_json::Value,
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is not a plan.
    #[error("{path} is not a valid plan file: {reason}")]
    NotAPlan {
        path: String,
        /// Why it is invalid.
        reason: String,
    },
    /// Another version of hactl saved it.
    #[error(
        "cannot apply {path}: it has format {format}, and this version of hactl reads format {FORMAT}"
    )]
    OtherFormat {
        /// Its path.
        path: String,
        /// Its format.
        format: u64,
    },
    /// The hosts, or other inputs of the plan, have changed since it was saved.
    #[error("the plan is out of date; nothing was changed")]
    MovedOn {
        /// What has changed.
        moved: Vec<Moved>,
    },
}

/// The only format that is written or read. What the fingerprint of any other format covers is unknown.
pub(super) const FORMAT: u32 = 3;

impl PlanFile {
    /// The file for `plan`, computed from `basis`.
    pub fn new(plan: &Plan, basis: &Basis) -> Self {
        Self {
            format: FORMAT,
            fingerprint: Fingerprint::of(plan, basis),
            plan: serde_json::to_value(plan).unwrap_or_default(),
        }
    }

    /// Refuses `plan`, as computed now, unless it does what was saved.
    pub fn require(&self, plan: &Plan, basis: &Basis) -> Result<(), PlanFileError> {
        let moved = self.fingerprint.moved(&Fingerprint::of(plan, basis));
        if moved.is_empty() {
            Ok(())
        } else {
            Err(PlanFileError::MovedOn { moved })
        }
    }
}
