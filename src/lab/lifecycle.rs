//! A lab as a whole: making it, finding it, removing it.

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

/// How long to wait for another process that starts or removes the same lab.
const PATIENCE: Duration = Duration::from_secs(10);

/// A lab that is up.
///
/// Dropping this does nothing: a lab outlives the process that made it, until [`Lab::down`].
#[derive(Debug, Clone)]
pub struct Lab {
    pub(super) names: Names,
    pub(super) record: Record,
}

impl Lab {
    /// Makes a lab and waits until SSH answers on all its nodes.
    ///
    /// Installs what this machine lacks, builds the images if they are not in the cache, and removes
    /// labs whose owners have died. If it fails, nothing of the new lab is left.
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
            // Only what was made here is removed on failure, so not a lab that was in the way.
            make(&names, spec, &images, events).inspect_err(|_| {
                // The first error is the one to tell; leftovers are found by the next `up`.
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

    /// Finds a lab that is up.
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

    /// The names of all labs, also of those that were interrupted while they were made.
    pub fn list() -> Result<Vec<String>, LabError> {
        LabHome::from_env().names()
    }

    /// Removes the lab: machines, backends, whatever runs in its networks, mounts and files.
    pub fn down(&self) -> Result<(), LabError> {
        Self::remove(&self.names.lab).map(drop)
    }

    /// Removes whatever there is of the lab of this name, however far it had come. Tells whether
    /// there was anything.
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

    /// Removes the labs whose owners have died, and returns their names.
    pub fn reap_orphans() -> Result<Vec<String>, LabError> {
        let home = LabHome::from_env();
        let mut removed = Vec::new();
        for name in home.names()? {
            let names = Names::new(&home, &name);
            // A record that can't be read says nothing about an owner: leave it to the operator.
            if !matches!(Record::read(&names), Ok(Some(record)) if record.is_orphan()) {
                continue;
            }
            // Somebody else may be at it already.
            match Self::remove(&name) {
                Ok(_) => removed.push(name),
                Err(LabError::Busy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    /// What the lab was made from.
    pub fn spec(&self) -> &LabSpec {
        &self.record.spec
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.names.lab
    }

    /// The lab's folder.
    pub fn dir(&self) -> PathBuf {
        self.names.dir()
    }

    /// The inventory that fits the lab.
    pub fn inventory_path(&self) -> PathBuf {
        self.names.inventory()
    }

    /// The SSH client configuration that knows the lab's nodes.
    pub fn ssh_config_path(&self) -> PathBuf {
        self.names.ssh_config()
    }

    /// A node's disk, as seen from outside; there as long as the lab is, whether the node is on or
    /// not.
    pub fn node_root(&self, node: &str) -> PathBuf {
        self.names.node(node).root()
    }

    /// What a node has said on its console.
    pub fn console_path(&self, node: &str) -> PathBuf {
        self.names.node(node).console()
    }

    /// A backend's folder: `www/` is what it serves, `access.log` what it was asked for.
    pub fn backend_dir(&self, backend: &str) -> PathBuf {
        backend::dir(&self.names, backend)
    }

    /// How many requests a backend has answered.
    pub fn backend_requests(&self, backend: &str) -> u64 {
        backend::requests(&self.names, backend)
    }

    /// The nodes' names.
    pub fn nodes(&self) -> Vec<String> {
        (0..self.spec().nodes).map(node_name).collect()
    }

    /// The backends' names.
    pub fn backends(&self) -> Vec<String> {
        (0..self.spec().backends).map(backend_name).collect()
    }
}

/// Removes what an interrupted `up`, or the machine's reboot, has left of a lab of this name.
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
