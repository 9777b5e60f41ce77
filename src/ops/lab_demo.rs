//! Runs the demo's steps in its lab.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::demo::{IN_LAB, demo_spec, edited};
use super::events::Events;
use super::lab::lab_command;
use crate::lab::{Lab, LabError, LabEvent, LabSpec, LabStatus};

/// Why a step of the demo could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The lab failed.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A command could not be started, or the inventory could not be edited.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
}

/// A fresh lab for the demo. It replaces the lab of an earlier demo. Any other lab of that name stays, and is an error.
pub fn demo_lab(name: &str, events: &Events<'_, LabEvent>) -> Result<LabStatus, DemoError> {
    let spec = demo_spec(name);
    if Lab::open(name).is_ok_and(|lab| is_of_a_demo(lab.spec(), &spec)) {
        Lab::remove(name)?;
        events.tell(LabEvent::LeftoverRemoved {
            name: name.to_owned(),
        });
    }
    Ok(Lab::up(&spec, &mut |event| events.tell(event))?.status()?)
}

fn is_of_a_demo(made_of: &LabSpec, spec: &LabSpec) -> bool {
    made_of == spec
}

/// A step's arguments, with the lab's folder filled in.
pub fn demo_args(lab: &LabStatus, args: &[&str]) -> Vec<String> {
    let folder = lab.inventory.parent();
    let in_lab = |arg: &&str| match (arg.strip_prefix(IN_LAB), folder) {
        (Some(file), Some(folder)) => folder.join(file).display().to_string(),
        _ => (*arg).to_owned(),
    };
    args.iter().map(in_lab).collect()
}

/// Runs this program in the lab, on this terminal.
pub fn demo_run(lab: &LabStatus, args: &[String], color: bool) -> Result<ExitStatus, DemoError> {
    let failed = |source| DemoError::Io {
        doing: format!("run hactl {}", args.join(" ")),
        source,
    };
    let program = std::env::current_exe().map_err(failed)?;
    let color = if color { "always" } else { "never" };
    let words = std::iter::once(program.into_os_string())
        .chain(args.iter().map(OsString::from))
        .chain(["--color".into(), color.into()])
        .collect::<Vec<_>>();
    lab_command(&lab.spec.name, None, &words)?
        .status()
        .map_err(failed)
}

/// Edits the lab's inventory. `false` if there was nothing to edit.
pub fn demo_edit(lab: &LabStatus, from: &str, to: &str) -> Result<bool, DemoError> {
    let path: &PathBuf = &lab.inventory;
    let failed = |source| DemoError::Io {
        doing: format!("edit {}", path.display()),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    match edited(&text, from, to) {
        None => Ok(false),
        Some(text) => std::fs::write(path, text).map(|()| true).map_err(failed),
    }
}
