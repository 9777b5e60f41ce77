//! Removing a lab. Everything is found by the lab's name, so this also works for a lab that was
//! never completed or is half removed.

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

/// systemd-nspawn's runtime state, which stays behind when systemd-nspawn is killed.
const NSPAWN: &str = "/run/systemd/nspawn";
/// How long other processes in the lab's networks may take to exit.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether any trace of the lab is left.
pub(super) fn anything_left(names: &Names) -> bool {
    names.dir().exists()
        || Cgroup::of_lab(names).exists()
        || !netns::of_lab(names).is_empty()
        || !mounts::mounted_below(&names.dir()).is_empty()
}

/// Removes every trace of a lab. The caller holds the lock on its name.
pub(super) fn remove(names: &Names) -> Result<(), LabError> {
    let mut left = remove_once(names);
    // A child of a killed `up` may have created something meanwhile.
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

    // First the helpers that `up` was running. Anything they started is caught below.
    let mark = format!("{MARK}={}", names.prefix());
    end(
        || processes::related(&HashSet::new(), &mark),
        Signal::SIGKILL,
    );
    // Then machines and backends, which write to the disks and keep mounts and namespaces busy.
    let alive = Cgroup::of_lab(names).kill_and_remove();
    left.extend(alive.iter().map(|pid| format!("process {pid}")));
    // Then other processes in the lab's networks, such as a shell on the controller.
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
    // A mount that remains leads into an image or a live machine, so keep the folder.
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

/// Signals the processes until none is left, escalating to SIGKILL after 200 ms. Returns the
/// survivors.
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

/// Removes systemd-nspawn's runtime state of machines that were killed.
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
    // nspawn names its locks after the root folder's device and inode.
    let nodes = names.dir().join("nodes");
    for node in fs::read_dir(nodes).into_iter().flatten().flatten() {
        if let Ok(root) = fs::metadata(node.path().join("root")) {
            let lock = format!("locks/inode-{}:{}", root.dev(), root.ino());
            let _ = fs::remove_file(nspawn.join(lock));
        }
    }
}
