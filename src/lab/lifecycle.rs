//! The life of a lab: start, find, remove.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::LabError;
use super::event::LabEvent;
use super::image::{self, Images};
use super::names::{LabHome, Names, backend_name, node_name, validate_name};
use super::record::{NameLock, Phase, Record};
use super::spec::LabSpec;
use super::{backend, inventory_text, machine, network, prerequisites, ssh, teardown};

/// How long to wait for another process that is starting or removing the same lab.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running lab.
///
/// Dropping it does nothing: a lab outlives the process that started it, until [`Lab::down`].
#[derive(Debug, Clone)]
pub struct Lab {
    pub(super) names: Names,
    pub(super) record: Record,
}

impl Lab {
    /// Starts a lab and waits until SSH answers on all nodes.
    ///
    /// Installs the packages that this host lacks, builds images that are not in the cache, and
    /// removes labs whose owners have exited. On failure, nothing of the new lab is left.
    pub fn up(spec: &LabSpec, events: &mut dyn FnMut(LabEvent)) -> Result<Self, LabError> {
        let started = Instant::now();
        spec.validate()?;
        prerequisites::check_platform()?;
        prerequisites::install_missing(events)?;
        prerequisites::raise_limits(events);
        let home = LabHome::from_env();
        for name in Self::reap_orphans()? {
            events(LabEvent::LeftoverRemoved { name });
        }
        let images = image::ensure(&home, spec, events)?;

        let names = Names::new(&home, &spec.name);
        fs::create_dir_all(&home.state).map_err(LabError::file("create", &home.state))?;
        let lock = NameLock::take(&names, PATIENCE)?;
        let result = make_room(&names, events).and_then(|()| {
            // A lab that was already there is not ours to remove, so a failure of `make_room`
            // removes nothing.
            make(&names, spec, &images, events).inspect_err(|_| {
                // Report the first error. The next `up` removes any leftovers.
                let _ = teardown::remove(&names);
            })
        });
        lock.release(&names);
        let lab = Self {
            record: result?,
            names,
        };
        events(LabEvent::LabReady {
            name: spec.name.clone(),
            took: started.elapsed(),
        });
        Ok(lab)
    }

    /// Opens a lab that exists.
    pub fn open(name: &str) -> Result<Self, LabError> {
        validate_name(name)?;
        let home = LabHome::from_env();
        let names = Names::new(&home, name);
        match Record::read(&names)? {
            Some(record) => Ok(Self { names, record }),
            None => Err(LabError::NotFound {
                name: name.to_owned(),
                known: home.names()?,
            }),
        }
    }

    /// The names of all labs, including those whose `up` was interrupted.
    pub fn list() -> Result<Vec<String>, LabError> {
        LabHome::from_env().names()
    }

    /// Removes the lab: machines, backends, all processes in its networks, mounts and files.
    pub fn down(&self) -> Result<(), LabError> {
        Self::remove(&self.names.lab).map(drop)
    }

    /// Removes the lab of this name, however incomplete. Returns whether there was anything to
    /// remove.
    pub fn remove(name: &str) -> Result<bool, LabError> {
        validate_name(name)?;
        prerequisites::check_platform()?;
        let names = Names::new(&LabHome::from_env(), name);
        if !teardown::anything_left(&names) {
            return Ok(false);
        }
        let state = &names.home.state;
        fs::create_dir_all(state).map_err(LabError::file("create", state))?;
        let lock = NameLock::take(&names, PATIENCE)?;
        let result = teardown::remove(&names);
        lock.release(&names);
        result.map(|()| true)
    }

    /// Removes the labs whose owners have exited, and returns their names.
    pub fn reap_orphans() -> Result<Vec<String>, LabError> {
        let home = LabHome::from_env();
        let mut removed = Vec::new();
        for name in home.names()? {
            let names = Names::new(&home, &name);
            // An unreadable record names no owner: leave the lab to the operator.
            if !matches!(Record::read(&names), Ok(Some(record)) if record.is_orphan()) {
                continue;
            }
            // Another process may be removing it already.
            match Self::remove(&name) {
                Ok(_) => removed.push(name),
                Err(LabError::Busy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    pub fn spec(&self) -> &LabSpec {
        &self.record.spec
    }

    pub fn name(&self) -> &str {
        &self.names.lab
    }

    pub fn dir(&self) -> PathBuf {
        self.names.dir()
    }

    /// The generated inventory.
    pub fn inventory_path(&self) -> PathBuf {
        self.names.inventory()
    }

    /// The generated SSH client configuration.
    pub fn ssh_config_path(&self) -> PathBuf {
        self.names.ssh_config()
    }

    /// A node's root filesystem, as a path on the lab's host. Available while the node is off, too.
    pub fn node_root(&self, node: &str) -> PathBuf {
        self.names.node(node).root()
    }

    /// The log of a node's console.
    pub fn console_path(&self, node: &str) -> PathBuf {
        self.names.node(node).console()
    }

    /// A backend's folder: `www/` is its document root, `access.log` its access log.
    pub fn backend_dir(&self, backend: &str) -> PathBuf {
        backend::dir(&self.names, backend)
    }

    pub fn backend_requests(&self, backend: &str) -> u64 {
        backend::requests(&self.names, backend)
    }

    pub fn nodes(&self) -> Vec<String> {
        (0..self.spec().nodes).map(node_name).collect()
    }

    pub fn backends(&self) -> Vec<String> {
        (0..self.spec().backends).map(backend_name).collect()
    }
}

/// Removes the leftovers of an interrupted `up`, or of a lab from before the host's reboot.
fn make_room(names: &Names, events: &mut dyn FnMut(LabEvent)) -> Result<(), LabError> {
    if !teardown::anything_left(names) {
        return Ok(());
    }
    let alive = Record::read(names)?
        .is_some_and(|record| record.phase == Phase::Up && record.is_of_this_boot());
    if alive {
        return Err(LabError::AlreadyUp {
            name: names.lab.clone(),
            dir: names.dir(),
        });
    }
    teardown::remove(names)?;
    events(LabEvent::LeftoverRemoved {
        name: names.lab.clone(),
    });
    Ok(())
}

fn make(
    names: &Names,
    spec: &LabSpec,
    images: &Images,
    events: &mut dyn FnMut(LabEvent),
) -> Result<Record, LabError> {
    for node in (0..spec.nodes).map(node_name) {
        let dir = names.node(&node).dir().to_owned();
        fs::create_dir_all(&dir).map_err(LabError::file("create", dir))?;
    }
    let mut record = Record::new(spec);
    record.write(names)?;
    let files = [
        (names.inventory(), inventory_text::inventory(spec)),
        (names.machine_script(), machine::SCRIPT.to_owned()),
        (names.backend_script(), backend::SCRIPT.to_owned()),
    ];
    for (path, text) in files {
        fs::write(&path, text).map_err(LabError::file("write", path))?;
    }

    network::make(names, spec)?;
    events(LabEvent::NetworkMade);
    ssh::make_client(names, spec)?;
    let mut booting = Vec::new();
    for index in 0..spec.nodes {
        let node = node_name(index);
        machine::make_disk(names, spec, images, &node)?;
        let release = spec.release_of(&node);
        booting.push(machine::start(names, index, release)?);
        events(LabEvent::NodeStarted {
            node,
            nodes: spec.nodes,
        });
    }
    backend::make_disks(names, spec, images)?;
    for index in 0..spec.backends {
        backend::start(names, &backend_name(index))?;
    }
    for index in 0..spec.backends {
        backend::wait(names, index)?;
    }
    events(LabEvent::BackendsReady {
        count: usize::from(spec.backends),
    });
    for booting in booting {
        let node = booting.node.clone();
        let took = booting.wait(names)?;
        events(LabEvent::NodeReady {
            node,
            nodes: spec.nodes,
            took,
        });
    }
    record.phase = Phase::Up;
    record.write(names)?;
    Ok(record)
}
