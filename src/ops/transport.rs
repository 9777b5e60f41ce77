//! How nodes and VIPs are reached from here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::agent::{Client, ThisMachine};
use crate::remote::{Connector, SshConnector, SshOptions};

/// How operations work on the hosts.
#[derive(Clone)]
pub struct Access {
    pub transport: Transport,
    /// Maximum number of nodes to work on in parallel.
    pub parallel: usize,
    /// Set when the user wants to stop.
    pub stop: Arc<AtomicBool>,
}

/// How the nodes are reached.
#[derive(Clone)]
pub enum Transport {
    /// By ssh, from this machine.
    Ssh(SshOptions),
    /// An in-memory cluster, and a client next to it.
    #[cfg(test)]
    Memory(Arc<dyn Connector>, Arc<dyn Client>),
}

impl Transport {
    /// Connects to nodes. The programs that it starts do not inherit the variables `withheld`.
    pub(super) fn connector(&self, withheld: Vec<String>) -> Arc<dyn Connector> {
        match self {
            Self::Ssh(options) => Arc::new(SshConnector::new(SshOptions {
                withheld,
                ..options.clone()
            })),
            #[cfg(test)]
            Self::Memory(connector, _) => Arc::clone(connector),
        }
    }

    /// Probes VIPs from outside.
    pub(super) fn client(&self) -> Arc<dyn Client> {
        match self {
            Self::Ssh(_) => Arc::new(ThisMachine),
            #[cfg(test)]
            Self::Memory(_, client) => Arc::clone(client),
        }
    }
}
