//! A lab's record in its folder, and the lock on its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::names::Names;
use super::spec::LabSpec;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// `up` has begun. Without a holder of the lock, it was interrupted.
    Starting,
    /// `up` has succeeded.
    Up,
}

/// The content of `lab.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) spec: LabSpec,
    pub(super) phase: Phase,
    pub(super) created: Timestamp,
    /// The host's boot id when the lab was started. A lab does not survive a reboot of the host.
    pub(super) boot_id: String,
}

impl Record {
    pub(super) fn new(spec: &LabSpec) -> Self {
        let created = Timestamp::now();
        Self {
            spec: spec.clone(),
            phase: Phase::Starting,
            created,
            boot_id: boot_id(),
        }
    }

    pub(super) fn read(names: &Names) -> Result<Option<Self>, LabError> {
        let path = names.record();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LabError::file("read", path)(error)),
        };
        match serde_json::from_str(&text) {
            Ok(record) => Ok(Some(record)),
            Err(error) => Err(LabError::Record {
                path,
                reason: error.to_string(),
            }),
        }
    }

    pub(super) fn write(&self, names: &Names) -> Result<(), LabError> {
        let path = names.record();
        let reason = |error: serde_json::Error| LabError::Record {
            path: names.record(),
            reason: error.to_string(),
        };
        let text = serde_json::to_string_pretty(self).map_err(reason)?;
        // Atomic rename: a reader never sees half a record.
        let draft = names.dir().join("lab.json.new");
        fs::write(&draft, text).map_err(LabError::file("write", &draft))?;
        fs::rename(&draft, &path).map_err(LabError::file("write", path))
    }

    /// Whether the host has not rebooted since.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot_id == boot_id()
    }

    /// Whether the process that owned the lab has exited.
    pub(super) fn is_orphan(&self) -> bool {
        self.spec
            .owner
            .is_some_and(|owner| !self.is_of_this_boot() || !owner.is_alive())
    }
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Held while a lab is started or removed. The kernel releases it when the holder dies.
#[derive(Debug)]
pub(super) struct NameLock {
    file: File,
}

impl NameLock {
    /// Takes the lock, waiting up to `patience` for its holder, or fails with [`LabError::Busy`].
    ///
    /// Some patience is always needed: a child of a killed process still holds the lock for a
    /// moment.
    pub(super) fn take(names: &Names, patience: Duration) -> Result<Self, LabError> {
        let path = names.lock_file();
        let deadline = Instant::now() + patience;
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(LabError::file("open the lock", &path))?;
            match file.try_lock() {
                Ok(()) if is_still_there(&file, &path) => return Ok(Self { file }),
                // The last holder removed the file after we opened it and before we locked it.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(LabError::Busy {
                        name: names.lab.clone(),
                    });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::Error(error)) => {
                    return Err(LabError::file("lock", &path)(error));
                }
            }
        }
    }

    /// Releases the lock, and removes its file if the lab is gone.
    pub(super) fn release(self, names: &Names) {
        if !names.dir().exists() {
            let _ = fs::remove_file(names.lock_file());
        }
        drop(self.file);
    }
}

fn is_still_there(file: &File, path: &Path) -> bool {
    let held = file.metadata().map(|it| it.ino()).ok();
    held.is_some() && held == fs::metadata(path).map(|it| it.ino()).ok()
}
