//! The current state of a lab.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::addressing::{self, VIP_ADDRESS};
use super::backend;
use super::error::LabError;
use super::lifecycle::Lab;
use super::machine;
use super::names::{backend_name, node_name};
use super::processes;
use super::record::Phase;
use super::seconds;
use super::spec::LabSpec;
use super::tool::{command, run};

/// The current state of a lab.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct LabStatus {
    /// The specification that the lab was started with.
    pub spec: LabSpec,
    /// Whether `up` has finished. If not, it is still running or was interrupted.
    pub complete: bool,
    /// The time at which the lab was started.
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// Its folder.
    pub dir: PathBuf,
    /// The generated inventory.
    pub inventory: PathBuf,
    /// The generated SSH client configuration.
    pub ssh_config: PathBuf,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Its backends.
    pub backends: Vec<BackendStatus>,
    /// The nodes that have the VIP [`VIP_ADDRESS`] on an interface.
    pub vip_holders: Vec<String>,
}

/// The state of a node's power and network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Powered, and connected.
    On,
    /// Powered, with its cable cut.
    Cut,
    /// Powered off.
    Off,
}

/// The current state of a node.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// The address for SSH.
    pub address: IpAddr,
    /// The state of its power and network.
    pub state: NodeState,
    /// Time since its boot.
    #[serde(
        rename = "uptime_seconds",
        serialize_with = "seconds::serialize_option"
    )]
    #[schemars(with = "Option<f64>")]
    pub uptime: Option<Duration>,
    /// The PID of its init, in the host's PID namespace.
    pub leader: Option<u32>,
    /// The addresses on its interfaces, except loopback and link-local ones.
    pub addresses: Vec<IpAddr>,
    /// Its root filesystem, as a path on the lab's host.
    pub root: PathBuf,
}

/// The current state of a backend.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// The address it serves on.
    pub address: std::net::SocketAddr,
    /// Whether it is running.
    pub running: bool,
    /// The number of requests it has answered.
    pub requests: u64,
}

impl Lab {
    /// Inspects every part of the lab from the host.
    pub fn status(&self) -> Result<LabStatus, LabError> {
        let spec = self.spec().clone();
        let nodes: Vec<_> = (0..spec.nodes)
            .map(|index| self.node_status(index))
            .collect::<Result<_, _>>()?;
        let backends = (0..spec.backends)
            .map(|index| self.backend_status(index))
            .collect();
        let vip_holders = nodes
            .iter()
            .filter(|node| node.addresses.contains(&VIP_ADDRESS))
            .map(|node| node.name.clone())
            .collect();
        Ok(LabStatus {
            spec,
            complete: self.record.phase == Phase::Up,
            created: self.record.created,
            dir: self.dir(),
            inventory: self.inventory_path(),
            ssh_config: self.ssh_config_path(),
            nodes,
            backends,
            vip_holders,
        })
    }

    fn node_status(&self, index: u8) -> Result<NodeStatus, LabError> {
        let name = node_name(index);
        let leader = machine::leader(&self.names, &name);
        let state = match leader {
            None => NodeState::Off,
            Some(_) if self.names.node(&name).cut().exists() => NodeState::Cut,
            Some(_) => NodeState::On,
        };
        let addresses = match leader {
            Some(_) => addresses(&self.names.netns(&name))?,
            None => Vec::new(),
        };
        Ok(NodeStatus {
            address: IpAddr::V4(addressing::node(index).v4),
            state,
            uptime: leader.and_then(processes::age),
            leader,
            addresses,
            root: self.node_root(&name),
            name,
        })
    }

    fn backend_status(&self, index: u8) -> BackendStatus {
        let name = backend_name(index);
        BackendStatus {
            address: addressing::backend_socket(index),
            running: backend::is_running(&self.names, &name),
            requests: self.backend_requests(&name),
            name,
        }
    }
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    addr_info: Vec<Info>,
}

#[derive(Deserialize)]
struct Info {
    local: Option<IpAddr>,
    #[serde(default)]
    scope: String,
}

fn addresses(netns: &str) -> Result<Vec<IpAddr>, LabError> {
    let doing = "read a node's addresses";
    let text = run(command("ip").args(["-n", netns, "-json", "address", "show"]))
        .map_err(LabError::tool(doing))?;
    Ok(parse_addresses(&text))
}

fn parse_addresses(text: &str) -> Vec<IpAddr> {
    // A namespace that is being removed yields no output, and has no addresses.
    let links: Vec<Link> = serde_json::from_str(text).unwrap_or_default();
    links
        .into_iter()
        .flat_map(|link| link.addr_info)
        .filter(|info| info.scope == "global")
        .filter_map(|info| info.local)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_others_can_use_count() {
        let text = r#"[{"ifname":"lo","addr_info":[{"local":"127.0.0.1","scope":"host"}]},
            {"ifname":"eth0","addr_info":[{"local":"10.0.0.11","scope":"global"},
            {"local":"10.0.0.100","scope":"global"},{"local":"fe80::1","scope":"link"}]},{}]"#;
        let expected: Vec<IpAddr> =
            vec!["10.0.0.11".parse().unwrap(), "10.0.0.100".parse().unwrap()];
        assert_eq!(parse_addresses(text), expected);
    }
}
