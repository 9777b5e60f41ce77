//! Saved plans: what was reviewed is what is applied, or nothing is.

use super::fingerprint::{Basis, Fingerprint};
use super::moved::Moved;
use crate::plan::Plan;

/// A plan as it was saved. It holds no file contents and so no secrets: apply makes the plan again and
/// refuses to go on unless both are the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanFile {
    /// The file's format.
    pub format: u32,
    /// What it was made of and what it does, by subject.
    pub(super) fingerprint: Fingerprint,
    /// The plan as `plan --format json` shows it, for people and their tools.
    pub plan: serde_json::Value,
}

/// A plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is none.
    #[error("{path} is not a valid plan file: {reason}")]
    NotAPlan {
        /// Its path.
        path: String,
        /// Why not.
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
    /// The hosts, or what the plan is made of, are no longer what it was made for.
    #[error("the plan is out of date; nothing was changed")]
    MovedOn {
        /// What is different.
        moved: Vec<Moved>,
    },
}

/// The format that is written, and the only one that is read: of another one it is not known what its
/// fingerprint is made of.
pub(super) const FORMAT: u32 = 3;

impl PlanFile {
    /// The file for `plan`, made of `basis`.
    pub fn new(plan: &Plan, basis: &Basis) -> Self {
        Self {
            format: FORMAT,
            fingerprint: Fingerprint::of(plan, basis),
            plan: serde_json::to_value(plan).unwrap_or_default(),
        }
    }

    /// Refuses `plan`, which is made now, unless it does what was saved.
    pub fn require(&self, plan: &Plan, basis: &Basis) -> Result<(), PlanFileError> {
        let moved = self.fingerprint.moved(&Fingerprint::of(plan, basis));
        if moved.is_empty() {
            Ok(())
        } else {
            Err(PlanFileError::MovedOn { moved })
        }
    }
}
