//! `hactl init`: a first inventory.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::OpsError;
use crate::check::{self, Finding};
use crate::inventory::{self, Inventory, StarterOptions};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct InitRequest {
    /// What goes into it.
    pub starter: StarterOptions,
    /// Where it goes.
    pub path: Utf8PathBuf,
    /// An inventory that is there already is replaced.
    pub overwrite: bool,
}

/// What was written.
#[derive(Debug)]
pub struct InitReport {
    /// Where.
    pub path: Utf8PathBuf,
    /// What it means.
    pub inventory: Inventory,
    /// What check has to say of it.
    pub findings: Vec<Finding>,
}

/// Writes a first inventory, if it is a valid one.
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

/// An inventory that is there already is never written over by chance, nor half.
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
