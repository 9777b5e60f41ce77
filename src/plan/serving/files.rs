//! The daemons' files on one host as they will be.

use crate::agent::{Entry, Tree};
use crate::conf::Files;

/// Those that will be there when `tree` has been put over `now`.
pub(super) fn with<'a>(now: &Files<'a>, tree: &'a Tree) -> Files<'a> {
    let mut all = now.clone();
    for entry in &tree.manifest.entries {
        if let Entry::Absent { path } = entry {
            all.remove(path.as_str());
        }
    }
    for file in &tree.files {
        let text = String::from_utf8_lossy(&file.content);
        // A rollback brings a package's file back as it was; whether it is one is known no more.
        all.insert(file.path.as_str(), text, false);
    }
    all
}
