//! Running programs in a lab: on the controller, and inside a node.

use std::ffi::OsStr;
use std::process::Command;

use super::error::LabError;
use super::lifecycle::Lab;
use super::machine;
use super::names;
use super::netns::command_in;
use super::tool::command;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Lab {
    /// A command on the lab's host, run in the controller's network namespace, with
    /// `HACTL_INVENTORY` and `HACTL_SSH_CONFIG` set to the lab's files.
    pub fn controller(&self, program: impl AsRef<OsStr>) -> Command {
        self.in_network(names::CONTROLLER, program)
    }

    /// A command on the lab's host, run in the switch's network namespace, where each node's port
    /// is an interface named after the node: the place to drop, count and capture packets.
    pub fn switch(&self, program: impl AsRef<OsStr>) -> Command {
        self.in_network(names::SWITCH, program)
    }

    /// A command on the lab's host, run in a backend's network namespace.
    pub fn backend(&self, backend: &str, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        self.known_backend(backend)?;
        Ok(self.in_network(backend, program))
    }

    /// A command inside a node, run as root. The node has to be on, but needs neither network nor
    /// sshd.
    pub fn node(&self, node: &str, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let mut command = command("nsenter");
        command
            .arg(format!("--target={}", self.leader(node)?))
            .args(["--all", "--"])
            .args([
                "env",
                "-i",
                &format!("PATH={PATH}"),
                "HOME=/root",
                "LC_ALL=C.UTF-8",
            ])
            .arg("TERM=xterm")
            .arg(program);
        Ok(command)
    }

    /// The PID of a node's init, in the host's PID namespace.
    pub fn leader(&self, node: &str) -> Result<u32, LabError> {
        self.known_node(node)?;
        machine::leader(&self.names, node).ok_or_else(|| LabError::NodeOff {
            lab: self.name().to_owned(),
            node: node.to_owned(),
        })
    }

    /// The network namespace of a member: a node, a backend, `sw` or `ctl`.
    pub fn netns(&self, member: &str) -> String {
        self.names.netns(member)
    }

    fn in_network(&self, member: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = command_in(&self.names.netns(member), program);
        command
            .env("HACTL_INVENTORY", self.inventory_path())
            .env("HACTL_SSH_CONFIG", self.ssh_config_path());
        command
    }

    /// A node's index, counted from 0.
    pub(super) fn known_node(&self, node: &str) -> Result<u8, LabError> {
        self.known("node", node, &self.nodes())
    }

    /// A backend's index, counted from 0.
    pub(super) fn known_backend(&self, backend: &str) -> Result<u8, LabError> {
        self.known("backend", backend, &self.backends())
    }

    fn known(&self, kind: &'static str, name: &str, known: &[String]) -> Result<u8, LabError> {
        (0..)
            .zip(known)
            .find_map(|(index, member)| (member == name).then_some(index))
            .ok_or_else(|| LabError::NoSuchMember {
                lab: self.name().to_owned(),
                kind,
                name: name.to_owned(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            })
    }
}
