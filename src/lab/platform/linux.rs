//! The Linux implementation.

use std::fs::File;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};

pub(in crate::lab) fn mount_overlay(target: &Path, options: &[u8]) -> io::Result<()> {
    mount(
        Some("hactl-lab"),
        target,
        Some("overlay"),
        MsFlags::empty(),
        Some(options),
    )?;
    Ok(())
}

/// Detaches a mount lazily, even while in use.
pub(in crate::lab) fn detach_mount(target: &Path) -> io::Result<()> {
    umount2(target, MntFlags::MNT_DETACH)?;
    Ok(())
}

/// Moves the calling thread into a network namespace.
pub(in crate::lab) fn enter_netns(namespace: File) -> io::Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    Ok(())
}

/// A socket with an abstract address, unix(7).
pub(in crate::lab) fn abstract_socket(name: &str) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}
