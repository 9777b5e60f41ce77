//! Saved plans: what was reviewed is what is applied, or nothing is.

use super::error::OpsError;
use super::fingerprint::{Basis, Fingerprint};
use super::moved::Moved;
use super::plan::PlanReport;
use crate::model::harmless_json;
use crate::plan::Plan;
use camino::Utf8Path;

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
    #[error("{path} is no plan of hactl's: {reason}")]
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
const FORMAT: u32 = 3;

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

/// Saves a plan, readable by its owner only: it tells how a cluster is built.
pub fn write_plan_file(path: &Utf8Path, report: &PlanReport) -> Result<(), OpsError> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let failed = |source| OpsError::Write {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_string_pretty(&PlanFile::new(&report.plan, &report.basis))
        .map_err(|error| failed(error.into()))?;
    let text = harmless_json(&text);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    // One that was there already keeps its mode, which may be anything.
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))
            .map_err(failed)?;
    }
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .map_err(failed)
}

/// Reads a saved plan.
pub fn read_plan_file(path: &Utf8Path) -> Result<PlanFile, OpsError> {
    let not_a_plan = |reason: String| {
        OpsError::PlanFile(PlanFileError::NotAPlan {
            path: path.to_string(),
            reason,
        })
    };
    let text = std::fs::read_to_string(path).map_err(|error| not_a_plan(error.to_string()))?;
    let file: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| not_a_plan(error.to_string()))?;
    match file["format"].as_u64() {
        Some(format) if format != u64::from(FORMAT) => {
            Err(OpsError::PlanFile(PlanFileError::OtherFormat {
                path: path.to_string(),
                format,
            }))
        }
        _ => serde_json::from_value(file).map_err(|error| not_a_plan(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_format_is_told_from_one_that_is_no_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        let path = Utf8Path::from_path(&path).unwrap();
        let said = |text: &str| {
            std::fs::write(path, text).unwrap();
            let error = read_plan_file(path).err().unwrap();
            error.to_string().replace(path.as_str(), "FILE")
        };
        // What the version before this one saved.
        let before =
            r#"{ "format": 2, "cluster": "web", "fingerprints": { "lb1": "0a" }, "plan": {} }"#;
        assert_eq!(
            said(before),
            "cannot apply FILE: it has format 2, and this version of hactl reads format 3"
        );
        assert!(said("{ \"half\": ").starts_with("FILE is no plan of hactl's: "));
        assert!(said("{ \"format\": 3 }").starts_with("FILE is no plan of hactl's: "));
    }
}
