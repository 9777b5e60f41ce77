//! What a plan would stop serving, and what the user allows to stop.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{NodeName, Socket, clipped, harmless};

/// Maximum length of a name from a host's file.
const MAX_NAME: usize = 120;

/// A service that a node has now and would not have after the plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Loss {
    /// The node.
    pub node: NodeName,
    /// Its name, also for `--stop-serving`: `10.0.0.50`, `:8088`, `example.com:443`.
    pub name: String,
    /// What it is.
    #[serde(flatten)]
    pub service: LostService,
}

/// A service that clients may be using.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LostService {
    /// nginx no longer listens there.
    Listener {
        /// The socket.
        socket: Socket,
        /// Its server names there.
        server_names: Vec<String>,
    },
    /// nginx still listens there, but without a server of this name.
    Site {
        /// The socket.
        socket: Socket,
        /// The name.
        server_name: String,
    },
    /// No node of the cluster has the address any more.
    Vip {
        /// The `vrrp_instance` that it belongs to.
        instance: String,
        /// The address.
        address: IpAddr,
    },
    /// A `vrrp_instance` without an address of its own.
    Instance {
        /// Its name.
        instance: String,
    },
    /// A `virtual_server` of keepalived (IPVS).
    VirtualServer {
        /// Its address and port, firewall mark or group.
        virtual_server: String,
    },
}

impl Loss {
    pub(super) fn new(node: &NodeName, service: LostService) -> Self {
        let name = match &service {
            LostService::Listener { socket, .. } => socket.to_string(),
            LostService::Site {
                socket,
                server_name,
            } => format!("{server_name}:{}", socket.port),
            LostService::Vip { address, .. } => address.to_string(),
            LostService::Instance { instance } => instance.clone(),
            LostService::VirtualServer { virtual_server } => format!("ipvs:{virtual_server}"),
        };
        Self {
            node: node.clone(),
            name,
            service,
        }
    }
}

/// A name from a host's file, made safe for a terminal and a command line: without blanks.
pub(super) fn told(name: &str) -> String {
    let name: String = harmless(name).split_whitespace().collect();
    clipped(&name, MAX_NAME)
}

/// What `--stop-serving` allows to stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopServing {
    names: BTreeSet<String>,
}

impl StopServing {
    /// The name that allows everything.
    pub const ALL: &'static str = "all";

    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: names.into_iter().collect(),
        }
    }

    /// The losses that are not allowed.
    pub fn unnamed<'a>(&self, losses: &'a [Loss]) -> Vec<&'a Loss> {
        let is_named =
            |loss: &&Loss| self.names.contains(Self::ALL) || self.names.contains(&loss.name);
        losses.iter().filter(|loss| !is_named(loss)).collect()
    }
}
