//! The contents of a node's disk, seen from outside the node and without hactl.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Paths below a folder, each with its type, mode, owner and content.
pub(crate) type Snapshot = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What a restored file must have in common with the original.
    Content,
    /// Also the inode and the mtime: the same file, never written since.
    Identity,
}

/// Everything below `folder` except the subtrees in `skip`, which are relative to it. A missing
/// folder is an empty snapshot.
pub(crate) fn snapshot(folder: &Path, detail: Detail, skip: &[&str]) -> Snapshot {
    let mut found = Snapshot::new();
    visit(folder, "", detail, skip, &mut found);
    found
}

fn visit(folder: &Path, prefix: &str, detail: Detail, skip: &[&str], found: &mut Snapshot) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if skip.contains(&name.as_str()) {
            continue;
        }
        let path = entry.path();
        // A running machine may have removed the file in the meantime.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let kind = metadata.file_type();
        let (word, content) = if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap_or_default();
            ("link", format!("-> {}", target.display()))
        } else if kind.is_dir() {
            ("folder", String::new())
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            ("file", format!("{:x?}", &Sha256::digest(&bytes)[..8]))
        } else if kind.is_char_device() {
            // An overlayfs whiteout.
            ("device", metadata.rdev().to_string())
        } else {
            ("other", String::new())
        };
        let mut line = format!(
            "{word} {:o} {}:{} {content}",
            metadata.mode() & 0o7777,
            metadata.uid(),
            metadata.gid(),
        );
        if detail == Detail::Identity && !kind.is_dir() {
            let written = (metadata.mtime(), metadata.mtime_nsec());
            let _ = write!(line, " inode {} written {written:?}", metadata.ino());
        }
        found.insert(name.clone(), line);
        if kind.is_dir() {
            visit(&path, &format!("{name}/"), detail, skip, found);
        }
    }
}

/// The differences between two snapshots, one line per path.
pub(crate) fn differences(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let absent = "absent".to_owned();
    let at = |snapshot: &Snapshot, path: &String| snapshot.get(path).unwrap_or(&absent).clone();
    paths
        .into_iter()
        .map(|path| (path, at(before, path), at(after, path)))
        .filter(|(_, before, after)| before != after)
        .map(|(path, before, after)| format!("{path}: {before}  =>  {after}"))
        .collect()
}

/// Panics with all differences unless the snapshots are equal.
#[track_caller]
pub(crate) fn assert_same(before: &Snapshot, after: &Snapshot, what: &str) {
    let differences = differences(before, after);
    assert!(
        differences.is_empty(),
        "{what} changed:\n{}",
        differences.join("\n")
    );
}
