//! Injecting faults into a lab, and undoing them.

use std::fs::{self, File};
use std::time::Duration;

use super::error::LabError;
use super::lifecycle::Lab;
use super::tool::{command, run};
use super::{backend, machine, names};

impl Lab {
    /// Cuts a node's power: its processes are killed without a chance to log or clean up. The disk
    /// stays.
    pub fn power_off(&self, node: &str) -> Result<(), LabError> {
        self.known_node(node)?;
        let left = machine::power_off(&self.names, node);
        self.all_gone(&left)
    }

    /// Boots a node that is off, from its old disk, and waits until it is ready. Returns how long
    /// that took. Sysctls, firewall rules and addresses that were not persisted are gone.
    pub fn boot(&self, node: &str) -> Result<Duration, LabError> {
        let index = self.known_node(node)?;
        if machine::leader(&self.names, node).is_some() {
            return Err(LabError::NodeOn {
                lab: self.name().to_owned(),
                node: node.to_owned(),
            });
        }
        // A machine that shut itself down may not have exited completely.
        let left = machine::power_off(&self.names, node);
        self.all_gone(&left)?;
        machine::start(&self.names, index, self.spec().release_of(node))?.wait(&self.names)
    }

    /// Cuts a node's cable: its switch port goes down and it loses carrier.
    pub fn cut(&self, node: &str) -> Result<(), LabError> {
        self.known_node(node)?;
        let mark = self.names.node(node).cut();
        File::create(&mark).map_err(LabError::file("write", mark))?;
        self.set_port(node, "down")
    }

    /// Reconnects a node's cable.
    pub fn heal(&self, node: &str) -> Result<(), LabError> {
        self.known_node(node)?;
        let mark = self.names.node(node).cut();
        match fs::remove_file(&mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::file("remove", mark)(error));
            }
            _ => {}
        }
        self.set_port(node, "up")
    }

    /// Kills a backend. New connections to it are refused.
    pub fn backend_stop(&self, backend: &str) -> Result<(), LabError> {
        self.known_backend(backend)?;
        let left = backend::stop(&self.names, backend);
        self.all_gone(&left)
    }

    /// Starts a backend unless it is running, and waits until it accepts connections.
    pub fn backend_start(&self, backend: &str) -> Result<(), LabError> {
        let index = self.known_backend(backend)?;
        if !backend::is_running(&self.names, backend) {
            backend::start(&self.names, backend)?;
        }
        backend::wait(&self.names, index)
    }

    fn set_port(&self, node: &str, state: &str) -> Result<(), LabError> {
        // A node that is off has no port. Its next boot reads the mark.
        if machine::leader(&self.names, node).is_none() {
            return Ok(());
        }
        let switch = self.names.netns(names::SWITCH);
        run(command("ip").args(["-n", &switch, "link", "set", node, state]))
            .map(drop)
            .map_err(LabError::tool(format!(
                "set the switch port of `{node}` {state}"
            )))
    }

    fn all_gone(&self, left: &[u32]) -> Result<(), LabError> {
        if left.is_empty() {
            return Ok(());
        }
        let left = left.iter().map(|pid| format!("process {pid}")).collect();
        Err(LabError::Remains {
            name: self.name().to_owned(),
            left,
        })
    }
}
