//! What a lab is like at this moment.

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

/// What a lab is like at this moment.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct LabStatus {
    /// What it was made from.
    pub spec: LabSpec,
    /// Whether `up` has finished. If it hasn't, it is under way or was interrupted.
    pub complete: bool,
    /// When it was made.
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// Its folder.
    pub dir: PathBuf,
    /// The inventory that fits it.
    pub inventory: PathBuf,
    /// The SSH client configuration that knows its nodes.
    pub ssh_config: PathBuf,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Its backends.
    pub backends: Vec<BackendStatus>,
    /// The nodes that have the virtual address [`VIP_ADDRESS`] on an interface.
    pub vip_holders: Vec<String>,
}

/// Whether a node is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It has power and a network.
    On,
    /// It has power, and its cable is cut.
    Cut,
    /// It has no power.
    Off,
}

/// What a node is like at this moment.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Where SSH reaches it.
    pub address: IpAddr,
    /// Whether it is on.
    pub state: NodeState,
    /// How long it has been on.
    #[serde(
        rename = "uptime_seconds",
        serialize_with = "seconds::serialize_option"
    )]
    #[schemars(with = "Option<f64>")]
    pub uptime: Option<Duration>,
    /// The process id of its service manager, as seen from outside.
    pub leader: Option<u32>,
    /// The addresses on its interfaces, loopback and link-local ones left out.
    pub addresses: Vec<IpAddr>,
    /// Its disk, as seen from outside.
    pub root: PathBuf,
}

/// What a backend is like at this moment.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// Where it serves.
    pub address: std::net::SocketAddr,
    /// Whether it runs.
    pub running: bool,
    /// How many requests it has answered.
    pub requests: u64,
}

impl Lab {
    /// Looks at every part of the lab, from outside.
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
    // A namespace that is just going away yields no text, and has no addresses.
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
