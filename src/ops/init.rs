//! `hactl init`: writes a starter inventory.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::OpsError;
use crate::check::{self, Finding};
use crate::inventory::{self, Inventory, StarterOptions};

#[derive(Debug, Clone)]
pub struct InitRequest {
    pub starter: StarterOptions,
    /// Where to write it.
    pub path: Utf8PathBuf,
    /// Replace an existing inventory.
    pub overwrite: bool,
}

#[derive(Debug)]
pub struct InitReport {
    pub path: Utf8PathBuf,
    pub inventory: Inventory,
    /// Findings of `hactl check`.
    pub findings: Vec<Finding>,
}

/// Writes a starter inventory, provided that it is valid.
pub fn init(request: &InitRequest) -> Result<InitReport, OpsError> {
    let text = inventory::starter(&request.starter);
    let inventory = inventory::load(request.path.as_str(), &text)
        .map_err(|errors| OpsError::Inventory(Box::new(errors)))?;
    write(&request.path, &text, request.overwrite).map_err(|source| OpsError::Write {
        path: request.path.clone(),
        source,
    })?;
    Ok(InitReport {
        path: request.path.clone(),
        findings: check::run(&inventory.cluster),
        inventory,
    })
}

/// An existing inventory is never overwritten by accident.
fn write(path: &Utf8Path, text: &str, overwrite: bool) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if overwrite {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(text.as_bytes())
}
