//! Disks: mounting overlays of cached images, and listing mounts.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::LabError;
use super::names::MemberPaths;
use super::platform;

/// Mounts a machine's disk: an overlay of these layers, topmost first.
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
    // `volatile` skips every sync to the real disk. The data of a machine that loses power stays in
    // the host's page cache; only a crash of the host would lose it.
    platform::mount_overlay(&root, &options)
        .map_err(|source| LabError::Mount { path: root, source })
}

/// Lazily unmounts everything at or below a folder, even while in use. Returns the mounts that
/// remain.
pub(super) fn unmount_below(folder: &Path) -> Vec<PathBuf> {
    // Mounts may be stacked on one mount point, so repeat until none is left.
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

/// The mount points at or below a folder, in mount order.
pub(super) fn mounted_below(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(unescape)
        .filter(|target| target.starts_with(folder))
        .collect()
}

/// Commas, colons and backslashes are special in overlayfs's options.
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

/// The kernel escapes spaces and the like as a backslash and three octal digits (proc(5),
/// mountinfo).
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
