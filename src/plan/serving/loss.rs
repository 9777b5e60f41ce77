//! What a plan would stop serving, and who has said that it may.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{NodeName, Socket, clipped, harmless};

/// The longest name that a host's file may give to anything here.
const MAX_NAME: usize = 120;

/// A service that a node has now and would not have after the plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Loss {
    /// Whose it is.
    pub node: NodeName,
    /// What it is called, here and in `--stop-serving`: `10.0.0.50`, `:8088`, `example.com:443`.
    pub name: String,
    /// What it is.
    #[serde(flatten)]
    pub service: LostService,
}

/// A service that somebody may be using.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LostService {
    /// nginx no longer listens there.
    Listener {
        /// Where.
        socket: Socket,
        /// The names that it serves there.
        server_names: Vec<String>,
    },
    /// nginx goes on listening there, without a server of this name.
    Site {
        /// Where.
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

/// A name out of a host's file, as it may reach a terminal and a command line: without blanks.
pub(super) fn told(name: &str) -> String {
    let name: String = harmless(name).split_whitespace().collect();
    clipped(&name, MAX_NAME)
}

/// What may stop being served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopServing {
    names: BTreeSet<String>,
}

impl StopServing {
    /// The word for everything.
    pub const ALL: &'static str = "all";

    /// What these names allow; `all` allows everything.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: names.into_iter().collect(),
        }
    }

    /// Those of `losses` that it does not name.
    pub fn unnamed<'a>(&self, losses: &'a [Loss]) -> Vec<&'a Loss> {
        let is_named =
            |loss: &&Loss| self.names.contains(Self::ALL) || self.names.contains(&loss.name);
        losses.iter().filter(|loss| !is_named(loss)).collect()
    }
}
