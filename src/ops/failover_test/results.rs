//! Results of drills: saved, found again, and exported.

use camino::{Utf8Path, Utf8PathBuf};

use crate::drill::{Archive, DrillReport};
use crate::model::ClusterName;
use crate::ops::error::OpsError;
use crate::ops::selection::{Selection, read_inventory};

/// A record of earlier drills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// The last saved one of the inventory's cluster.
    Last,
    /// The last one that started before this time.
    Before(String),
    /// The one in this file.
    File(Utf8PathBuf),
}

/// Finds it. `None` if there is none.
pub fn earlier_drills(
    selection: &Selection,
    which: &Earlier,
) -> Result<Option<DrillReport>, OpsError> {
    let found = match which {
        Earlier::File(path) => Archive::read(path).map(Some),
        Earlier::Last => archive_of(selection)?.last(),
        Earlier::Before(started) => archive_of(selection)?.last_before(started),
    };
    found.map_err(OpsError::Archive)
}

/// Saves `report` and returns its path.
pub fn keep_drills(report: &DrillReport) -> Result<Utf8PathBuf, OpsError> {
    let cluster = ClusterName::new(&report.cluster).map_err(|_| OpsError::NoStateFolder)?;
    let archive = Archive::new(&state_folder()?, &cluster);
    archive.keep(report).map_err(OpsError::Archive)
}

/// Checks whether a report could be written there. Leaves nothing behind.
pub fn try_to_write_drills(path: &Utf8Path) -> Result<(), OpsError> {
    let was_there = path.exists();
    let tried = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    tried.map_err(|source| OpsError::Write {
        path: path.to_owned(),
        source,
    })?;
    if !was_there {
        // If it stays, it is overwritten later.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Writes a report in an export format.
pub fn write_drills(path: &Utf8Path, text: &str) -> Result<(), OpsError> {
    std::fs::write(path, text).map_err(|source| OpsError::Write {
        path: path.to_owned(),
        source,
    })
}

fn archive_of(selection: &Selection) -> Result<Archive, OpsError> {
    let inventory = read_inventory(&selection.inventory)?;
    Ok(Archive::new(&state_folder()?, &inventory.cluster.name))
}

fn state_folder() -> Result<Utf8PathBuf, OpsError> {
    let set = |name| std::env::var(name).ok();
    Archive::state_folder(set("XDG_STATE_HOME").as_deref(), set("HOME").as_deref())
        .ok_or(OpsError::NoStateFolder)
}
