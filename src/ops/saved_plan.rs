//! Reads and writes files of saved plans.

use camino::Utf8Path;

use super::error::OpsError;
use super::plan::PlanReport;
use super::plan_file::{FORMAT, PlanFile, PlanFileError};
use crate::model::harmless_json;

/// Saves a plan, readable by its owner only, since it reveals how a cluster is built.
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
    // An existing file keeps its mode when it is opened.
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))
            .map_err(failed)?;
    }
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .map_err(failed)
}

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
        // A file saved by the previous version.
        let before =
            r#"{ "format": 2, "cluster": "web", "fingerprints": { "lb1": "0a" }, "plan": {} }"#;
        assert_eq!(
            said(before),
            "cannot apply FILE: it has format 2, and this version of hactl reads format 3"
        );
        assert!(said("{ \"half\": ").starts_with("FILE is not a valid plan file: "));
        assert!(said("{ \"format\": 3 }").starts_with("FILE is not a valid plan file: "));
    }
}
