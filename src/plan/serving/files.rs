//! The daemons' files on one host after a plan.

use crate::agent::{Entry, Tree};
use crate::conf::Files;

/// The files `now` with `tree` in place.
pub(super) fn with<'a>(now: &Files<'a>, tree: &'a Tree) -> Files<'a> {
    let mut all = now.clone();
    for entry in &tree.manifest.entries {
        if let Entry::Absent { path } = entry {
            all.remove(path.as_str());
        }
    }
    for file in &tree.files {
        let text = String::from_utf8_lossy(&file.content);
        // A rollback restores a package's file as it was, but no record says that it is one.
        all.insert(file.path.as_str(), text, false);
    }
    all
}
