//! Snapshots of a world's disk and kernel state.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::world::World;

/// The places that the program and its stubs may change.
const PLACES: [&str; 5] = ["/etc", "/var/lib", "/run", "/kernel", "/tmp"];

#[derive(Clone, PartialEq, Eq)]
enum Entry {
    Dir(u32),
    File(u32, Vec<u8>),
    Link(PathBuf),
}

#[derive(Clone)]
pub(super) struct Shot(BTreeMap<PathBuf, Entry>);

impl Shot {
    pub(super) fn of(world: &World) -> Self {
        let mut all = BTreeMap::new();
        for place in PLACES {
            read(&world.path(place), &mut all);
        }
        Self(all)
    }

    /// Restores the world to the snapshot. Unchanged files are left alone.
    pub(super) fn restore(&self, world: &World) {
        let now = Self::of(world);
        for (path, entry) in now.0.iter().rev() {
            let is_same_kind = matches!(
                (self.0.get(path), entry),
                (Some(Entry::Dir(_)), Entry::Dir(_)) | (Some(Entry::File(..)), Entry::File(..))
            );
            if !is_same_kind && self.0.get(path) != Some(entry) {
                match entry {
                    Entry::Dir(_) => fs::remove_dir(path).unwrap(),
                    _ => fs::remove_file(path).unwrap(),
                }
            }
        }
        for (path, entry) in &self.0 {
            if now.0.get(path) == Some(entry) {
                continue;
            }
            let mode = match entry {
                Entry::Dir(mode) => {
                    fs::create_dir_all(path).unwrap();
                    *mode
                }
                Entry::File(mode, content) => {
                    fs::write(path, content).unwrap();
                    *mode
                }
                Entry::Link(to) => {
                    symlink(to, path).unwrap();
                    continue;
                }
            };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// Everything below `place` as text, without random keys and times of day, which no program
    /// reads.
    pub(super) fn text(&self, place: &Path) -> String {
        let mut text = String::new();
        for (path, entry) in self.0.range(place.to_owned()..) {
            let Ok(name) = path.strip_prefix(place) else {
                break;
            };
            text.push_str(&name.display().to_string());
            match entry {
                Entry::Dir(mode) => text.push_str(&mode_text(*mode, "/")),
                Entry::Link(to) => text.push_str(&to.display().to_string()),
                Entry::File(mode, content) => {
                    text.push_str(&mode_text(*mode, " "));
                    for line in String::from_utf8_lossy(content).lines() {
                        let varies = ["at\t", "since\t", "key\t"];
                        if !varies.iter().any(|start| line.starts_with(start)) {
                            text.push_str(line);
                            text.push('\n');
                        }
                    }
                }
            }
            text.push('\n');
        }
        text
    }
}

fn mode_text(mode: u32, end: &str) -> String {
    format!(" {mode:o}{end}")
}

fn read(path: &Path, all: &mut BTreeMap<PathBuf, Entry>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let mode = meta.permissions().mode() & 0o7777;
    let entry = if meta.is_symlink() {
        Entry::Link(fs::read_link(path).unwrap())
    } else if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), all);
        }
        Entry::Dir(mode)
    } else {
        Entry::File(mode, fs::read(path).unwrap())
    };
    all.insert(path.to_owned(), entry);
}
