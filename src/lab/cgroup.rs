//! Control groups: how a lab's processes are told from all others, whoever started them.
//!
//! Each machine gets a group of its own. That is not only for finding its processes: two service
//! managers in one group would stop each other's services.

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
/// How long processes that were killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A group, in each hierarchy that a service manager uses.
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// The group that holds everything of a lab.
    pub(super) fn of_lab(names: &Names) -> Self {
        let own = Path::new(FOLDER).join(names.prefix().trim_end_matches('.'));
        Self {
            folders: hierarchies()
                .into_iter()
                .map(|root| root.join(&own))
                .collect(),
        }
    }

    /// The group that holds everything of one of its members.
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

    /// Its folders, separated by spaces, as the lab's scripts take them.
    pub(super) fn words(&self) -> String {
        let folders: Vec<_> = self
            .folders
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        folders.join(" ")
    }

    /// The processes in it and below it.
    pub(super) fn processes(&self) -> Vec<u32> {
        let mut found = Vec::new();
        for folder in &self.folders {
            visit(folder, &mut |folder| {
                let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                // 0 is a process outside of our process namespace.
                let ids = text.lines().filter_map(|line| line.parse::<u32>().ok());
                found.extend(ids.filter(|&id| id > 0));
            });
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Makes the group, and these in it.
    ///
    /// Scripts join a group and never make one: a script that comes too late, when its lab is being
    /// removed, finds no group, and ends.
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

    /// Kills every process in it, including those that join meanwhile, then removes it. Returns the
    /// processes that would not die.
    pub(super) fn kill_and_remove(&self) -> Vec<u32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for folder in &self.folders {
                // Where the kernel has it, this is atomic.
                let _ = fs::write(folder.join("cgroup.kill"), "1");
            }
            for pid in self.processes() {
                send(pid, Signal::SIGKILL);
            }
            for folder in &self.folders {
                visit(folder, &mut |folder| {
                    let _ = fs::remove_dir(folder);
                });
                // The folder that all labs share goes with the last of them.
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

    /// Whether any of its folders exists.
    pub(super) fn exists(&self) -> bool {
        self.folders.iter().any(|folder| folder.exists())
    }
}

/// Sends a signal to a process, which may have ended on its own meanwhile.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Calls `action` for each folder below this one and then for this one.
fn visit(folder: &Path, action: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path(), action);
        }
    }
    action(folder);
}

/// The unified hierarchy, or the two that a service manager uses beside the older ones.
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
