//! As nobody else does it. No lab gets this far: [`super::super::Lab::up`] asks for Linux first.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Mounts an overlay with these options.
pub(in crate::lab) fn mount_overlay(_target: &Path, _options: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes a mount away, whoever still uses it.
pub(in crate::lab) fn detach_mount(_target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Moves the calling thread into a network namespace.
pub(in crate::lab) fn enter_netns(_namespace: File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A socket that has a name and no file.
pub(in crate::lab) fn abstract_socket(_name: &str) -> io::Result<UnixDatagram> {
    Err(io::ErrorKind::Unsupported.into())
}
