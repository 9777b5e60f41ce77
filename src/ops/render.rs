//! `hactl render`: writes every node's files into a folder, offline.

use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::OpsError;
use super::selection::{Selection, load};
use super::wanted::render_node;
use crate::check::Finding;
use crate::model::NodeFacts;

pub struct RenderReport {
    /// The files, in the order of writing.
    pub files: Vec<Utf8PathBuf>,
    /// Findings of `hactl check`.
    pub warnings: Vec<Finding>,
}

/// Writes `FOLDER/NODE/PATH` for every file of every node, for Debian 12 hosts: the same inventory gives the same
/// bytes.
pub fn render(selection: &Selection, folder: &Utf8Path) -> Result<RenderReport, OpsError> {
    let loaded = load(selection)?;
    let facts = NodeFacts::debian_12();
    let mut files = Vec::new();
    for node in loaded.nodes() {
        for file in render_node(&loaded, node, &facts)?.files {
            let relative = file.path.as_str().trim_start_matches('/');
            let path = folder.join(node.name.as_str()).join(relative);
            write(&path, &file.content, file.mode).map_err(|source| OpsError::Write {
                path: path.clone(),
                source,
            })?;
            files.push(path);
        }
    }
    Ok(RenderReport {
        files,
        warnings: loaded.warnings,
    })
}

fn write(path: &Utf8Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // A secret must never be readable by others, not even before its mode is set.
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // Nor in an existing file, which keeps its mode when it is opened.
    file.set_permissions(std::fs::Permissions::from_mode(mode & 0o600))?;
    file.write_all(content)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}
