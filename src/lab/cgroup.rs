//! Control groups: how a lab finds its own processes, regardless of what started them.
//!
//! Each machine has its own control group, and not only to find its processes: two service managers
//! in one group would stop each other's services.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::LabError;
use super::names::Names;

const ROOT: &str = "/sys/fs/cgroup";
const FOLDER: &str = "hactl-lab";
/// How long killed processes may take to exit.
const PATIENCE: Duration = Duration::from_secs(10);

/// A control group, in each hierarchy that systemd uses.
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// The parent group of the whole lab.
    pub(super) fn of_lab(names: &Names) -> Self {
        let own = Path::new(FOLDER).join(names.prefix().trim_end_matches('.'));
        Self {
            folders: hierarchies()
                .into_iter()
                .map(|root| root.join(&own))
                .collect(),
        }
    }

    /// The group of one machine or backend.
    pub(super) fn of_member(names: &Names, member: &str) -> Self {
        let lab = Self::of_lab(names);
        Self {
            folders: lab
                .folders
                .iter()
                .map(|folder| folder.join(member))
                .collect(),
        }
    }

    /// Its folders, separated by spaces, in the form that the lab's scripts expect.
    pub(super) fn words(&self) -> String {
        let folders: Vec<_> = self
            .folders
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        folders.join(" ")
    }

    /// The processes in the group and in its descendants.
    pub(super) fn processes(&self) -> Vec<u32> {
        let mut found = Vec::new();
        for folder in &self.folders {
            visit(folder, &mut |folder| {
                let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                // The kernel prints 0 for a process outside our PID namespace.
                let ids = text.lines().filter_map(|line| line.parse::<u32>().ok());
                found.extend(ids.filter(|&id| id > 0));
            });
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Creates the group, and these child groups.
    ///
    /// Scripts join a group but never create one: a script that starts while its lab is being
    /// removed finds no group and exits.
    pub(super) fn make(&self, below: &[&str]) -> Result<(), LabError> {
        for folder in &self.folders {
            fs::create_dir_all(folder).map_err(LabError::file("create", folder))?;
            for name in below {
                let folder = folder.join(name);
                fs::create_dir_all(&folder).map_err(LabError::file("create", folder))?;
            }
        }
        Ok(())
    }

    /// Kills every process in the group, including any that join meanwhile, then removes the group.
    /// Returns the processes that survived.
    pub(super) fn kill_and_remove(&self) -> Vec<u32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for folder in &self.folders {
                // Atomic, on kernels that have `cgroup.kill` (5.14).
                let _ = fs::write(folder.join("cgroup.kill"), "1");
            }
            for pid in self.processes() {
                send(pid, Signal::SIGKILL);
            }
            for folder in &self.folders {
                visit(folder, &mut |folder| {
                    let _ = fs::remove_dir(folder);
                });
                // The last lab to go also removes the folder that all labs share.
                if let Some(parent) = folder.parent().filter(|parent| parent.ends_with(FOLDER)) {
                    let _ = fs::remove_dir(parent);
                }
            }
            if !self.exists() || Instant::now() > deadline {
                return self.processes();
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.folders.iter().any(|folder| folder.exists())
    }
}

/// Ignores failure: the process may have exited meanwhile.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Calls `action` for every descendant of `folder`, then for `folder` itself.
fn visit(folder: &Path, action: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path(), action);
        }
    }
    action(folder);
}

/// The unified hierarchy, or else the two that systemd uses on a legacy or hybrid layout.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return vec![root.to_owned()];
    }
    ["systemd", "unified"]
        .iter()
        .map(|name| root.join(name))
        .filter(|folder| folder.join("cgroup.procs").exists())
        .collect()
}
