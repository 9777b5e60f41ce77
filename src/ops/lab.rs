//! `hactl lab`: a local cluster to experiment with.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::events::Events;
use crate::lab::{Lab, LabError, LabEvent, LabSpec, LabStatus};

/// The lab to use if none is named.
pub const DEFAULT_LAB: &str = super::demo::DEMO_LAB;

/// Creates a lab and returns its status.
pub fn lab_up(spec: &LabSpec, events: &Events<'_, LabEvent>) -> Result<LabStatus, LabError> {
    events.begin();
    Lab::up(spec, &mut |event| events.tell(event))?.status()
}

/// Removes the lab `name`, or every lab, and returns the names of those removed.
pub fn lab_down(name: Option<&str>) -> Result<Vec<String>, LabError> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => Lab::list()?,
    };
    let mut removed = Vec::new();
    for name in names {
        if Lab::remove(&name)? {
            removed.push(name);
        }
    }
    Ok(removed)
}

/// The status of the lab `name`, or of every lab.
pub fn lab_status(name: Option<&str>) -> Result<Vec<LabStatus>, LabError> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => Lab::list()?,
    };
    names.iter().map(|name| Lab::open(name)?.status()).collect()
}

/// A program to run in a lab, on the controller or inside a node.
///
/// On the controller, `hactl` is the running program.
pub fn lab_command(
    lab: &str,
    node: Option<&str>,
    program: &[OsString],
) -> Result<Command, LabError> {
    let lab = Lab::open(lab)?;
    let (name, arguments) = match program {
        [] => (OsString::from("sh"), program),
        [name, arguments @ ..] => (name.clone(), arguments),
    };
    let mut command = match node {
        Some(node) => lab.node(node, name)?,
        None => lab.controller(name),
    };
    command.args(arguments);
    if node.is_none()
        && let Some(path) = path_with_this_program()
    {
        command.env("PATH", path);
    }
    Ok(command)
}

/// PATH with the running program's folder first.
fn path_with_this_program() -> Option<OsString> {
    let program = std::env::current_exe().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = program
        .parent()
        .map(Path::to_owned)
        .into_iter()
        .chain(std::env::split_paths(&path));
    std::env::join_paths(folders).ok()
}
