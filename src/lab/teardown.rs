//! Removing a lab. Everything is found from the lab's name, so this works for a lab that was never
//! finished, and for one that somebody else has half removed.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::cgroup::{Cgroup, send};
use super::error::LabError;
use super::mounts;
use super::names::Names;
use super::netns;
use super::processes;
use super::tool::MARK;

/// systemd-nspawn's own notes about machines, which it can't remove when it is killed.
const NSPAWN: &str = "/run/systemd/nspawn";
/// How long visitors of the lab's networks may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is anything of a lab.
pub(super) fn anything_left(names: &Names) -> bool {
    names.dir().exists()
        || Cgroup::of_lab(names).exists()
        || !netns::of_lab(names).is_empty()
        || !mounts::mounted_below(&names.dir()).is_empty()
}

/// Removes everything of a lab. The caller holds the lock on its name.
pub(super) fn remove(names: &Names) -> Result<(), LabError> {
    let mut left = remove_once(names);
    // A program that a killed starter had just called may have made something meanwhile.
    for _ in 0..5 {
        if left.is_empty() && !anything_left(names) {
            return Ok(());
        }
        left = remove_once(names);
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(LabError::Remains {
        name: names.lab.clone(),
        left,
    })
}

fn remove_once(names: &Names) -> Vec<String> {
    let mut left = Vec::new();

    // Whoever the starter left at work; what they have started goes next.
    let mark = format!("{MARK}={}", names.prefix());
    end(
        || processes::related(&HashSet::new(), &mark),
        Signal::SIGKILL,
    );
    // Machines and backends: they write, and they hold everything else.
    let alive = Cgroup::of_lab(names).kill_and_remove();
    left.extend(alive.iter().map(|pid| format!("process {pid}")));
    // Then whoever works in the lab's networks, such as a shell on the controller.
    let namespaces = netns::of_lab(names);
    let inodes = netns::inodes(&namespaces);
    let alive = end(|| processes::related(&inodes, &mark), Signal::SIGTERM);
    left.extend(alive.iter().map(|pid| format!("process {pid}")));
    for namespace in &namespaces {
        netns::remove(namespace);
    }
    let still = netns::of_lab(names);
    left.extend(still.iter().map(|name| format!("network namespace {name}")));

    forget_machines(names);
    let dir = names.dir();
    let mounted = mounts::unmount_below(&dir);
    left.extend(
        mounted
            .iter()
            .map(|path| format!("mount {}", path.display())),
    );
    // What is still mounted belongs to images and machines, and is not ours to delete.
    if mounted.is_empty()
        && let Err(error) = remove_folder(&dir)
    {
        left.push(format!("folder {} ({error})", dir.display()));
    }
    left
}

fn remove_folder(dir: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Sends processes a signal until there are none, and SIGKILL if that takes long. Returns those that
/// would not end.
fn end(find: impl Fn() -> Vec<u32>, first: Signal) -> Vec<u32> {
    let started = Instant::now();
    let mut signal = first;
    loop {
        let found = find();
        if found.is_empty() || started.elapsed() > PATIENCE {
            return found;
        }
        for &pid in &found {
            send(pid, signal);
        }
        thread::sleep(Duration::from_millis(5));
        if started.elapsed() > Duration::from_millis(200) {
            signal = Signal::SIGKILL;
        }
    }
}

/// Removes what systemd-nspawn keeps about machines that it did not see end.
fn forget_machines(names: &Names) {
    let nspawn = Path::new(NSPAWN);
    let mut ours = Vec::new();
    for folder in ["propagate", "unix-export"] {
        for entry in fs::read_dir(nspawn.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(names.prefix())
            {
                ours.push(entry.path());
            }
        }
    }
    for path in ours {
        let _ = mounts::unmount_below(&path);
        let _ = fs::remove_dir_all(path);
    }
    // Its locks are named by the root folder's device and inode.
    let nodes = names.dir().join("nodes");
    for node in fs::read_dir(nodes).into_iter().flatten().flatten() {
        if let Ok(root) = fs::metadata(node.path().join("root")) {
            let lock = format!("locks/inode-{}:{}", root.dev(), root.ino());
            let _ = fs::remove_file(nspawn.join(lock));
        }
    }
}
