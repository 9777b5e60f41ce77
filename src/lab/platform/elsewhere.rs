//! Stubs for other systems. Unreachable: [`super::super::Lab::up`] requires Linux first.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

pub(in crate::lab) fn mount_overlay(_target: &Path, _options: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Detaches a mount lazily, even while in use.
pub(in crate::lab) fn detach_mount(_target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(in crate::lab) fn enter_netns(_namespace: File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A socket with an abstract address.
pub(in crate::lab) fn abstract_socket(_name: &str) -> io::Result<UnixDatagram> {
    Err(io::ErrorKind::Unsupported.into())
}
