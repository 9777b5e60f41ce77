//! Disks: overlays of cached images, and finding what is mounted.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::LabError;
use super::names::MemberPaths;
use super::platform;

/// Mounts a machine's disk: these layers, the topmost first, under what the machine writes.
pub(super) fn mount_overlay(layers: &[PathBuf], paths: &MemberPaths) -> Result<(), LabError> {
    let (root, upper, work) = (paths.root(), paths.upper(), paths.work());
    for folder in [&root, &upper, &work] {
        fs::create_dir_all(folder).map_err(LabError::file("create", folder))?;
    }
    let lower: Vec<_> = layers.iter().map(|layer| escape(layer)).collect();
    let options = [
        b"volatile,lowerdir=".to_vec(),
        lower.join(&b':'),
        b",upperdir=".to_vec(),
        escape(&upper),
        b",workdir=".to_vec(),
        escape(&work),
    ]
    .concat();
    // Volatile: nothing is synced to the real disk. Machines that lose power keep their data, since
    // this kernel keeps it; only a crash of the real machine would lose it.
    platform::mount_overlay(&root, &options)
        .map_err(|source| LabError::Mount { path: root, source })
}

/// Unmounts everything at or below a folder, whoever still uses it. Returns what would not go.
pub(super) fn unmount_below(folder: &Path) -> Vec<PathBuf> {
    // The same place may be mounted over several times, so look again until nothing is left.
    for _ in 0..16 {
        let mounted = mounted_below(folder);
        if mounted.is_empty() {
            return mounted;
        }
        for target in mounted.iter().rev() {
            let _ = platform::detach_mount(target);
        }
    }
    mounted_below(folder)
}

/// What is mounted at or below a folder, in the order of mounting.
pub(super) fn mounted_below(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(unescape)
        .filter(|target| target.starts_with(folder))
        .collect()
}

/// Commas, colons and backslashes mean something in overlayfs's options.
fn escape(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b',' | b':' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    escaped
}

/// The kernel writes spaces and the like as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..3).and_then(|digits| {
            digits.iter().try_fold(0_u8, |value, digit| match digit {
                b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
                _ => None,
            })
        });
        if let (b'\\', Some(byte)) = (first, code) {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescape(br"/a\040b\134c"), PathBuf::from(r"/a b\c"));
        assert_eq!(unescape(br"/a\9"), PathBuf::from(r"/a\9"));
    }

    #[test]
    fn option_separators_in_paths_are_escaped() {
        assert_eq!(escape(Path::new("/a,b:c")), br"/a\,b\:c");
    }
}
