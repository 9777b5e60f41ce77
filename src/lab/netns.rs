//! Network namespaces by name.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::error::LabError;
use super::names::Names;
use super::platform;
use super::tool::{command, command_for, run_with_input};

const FOLDER: &str = "/run/netns";

/// A namespace's file below `/run/netns`.
pub(super) fn path(netns: &str) -> PathBuf {
    Path::new(FOLDER).join(netns)
}

pub(super) fn command_in(netns: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = command("nsenter");
    command
        .arg(format!("--net={}", path(netns).display()))
        .arg("--")
        .arg(program);
    command
}

/// Runs lines of `ip -batch` in a namespace or, with `None`, in the host's.
pub(super) fn ip_batch(
    names: &Names,
    doing: &str,
    netns: Option<&str>,
    lines: &str,
) -> Result<(), LabError> {
    let mut ip = command_for(names, "ip");
    if let Some(netns) = netns {
        ip.args(["-n", netns]);
    }
    ip.args(["-batch", "-"]);
    run_with_input(&mut ip, lines)
        .map(drop)
        .map_err(LabError::tool(doing))
}

/// Runs a closure on a new thread inside a namespace.
pub(super) fn within<T: Send>(
    netns: &str,
    action: impl FnOnce() -> T + Send,
) -> Result<T, LabError> {
    let failed = |source| LabError::Netns {
        netns: netns.to_owned(),
        source,
    };
    let file = File::open(path(netns)).map_err(failed)?;
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            platform::enter_netns(file)?;
            Ok(action())
        });
        match thread.join() {
            Ok(result) => result.map_err(failed),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

pub(super) fn of_lab(names: &Names) -> Vec<String> {
    fs::read_dir(FOLDER)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(names.prefix()))
        .collect()
}

/// The inode numbers that identify these namespaces.
pub(super) fn inodes(netns: &[String]) -> HashSet<u64> {
    netns
        .iter()
        .filter_map(|name| Some(fs::metadata(path(name)).ok()?.ino()))
        .collect()
}

/// Removes a namespace's name. The kernel frees the namespace when its last process exits.
pub(super) fn remove(netns: &str) {
    let path = path(netns);
    let _ = platform::detach_mount(&path);
    let _ = fs::remove_file(&path);
}
