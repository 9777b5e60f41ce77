//! How the nodes and their virtual IPs are reached from here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::agent::{Client, ThisMachine};
use crate::remote::{Connector, SshConnector, SshOptions};

/// How the hosts are worked on.
#[derive(Clone)]
pub struct Access {
    /// How they are reached.
    pub transport: Transport,
    /// Number of them that are worked on at a time.
    pub parallel: usize,
    /// Set when the user wants to stop.
    pub stop: Arc<AtomicBool>,
}

/// How the nodes are reached.
#[derive(Clone)]
pub enum Transport {
    /// By ssh, from this machine.
    Ssh(SshOptions),
    /// A cluster in memory, and what a client beside it sees.
    #[cfg(test)]
    Memory(Arc<dyn Connector>, Arc<dyn Client>),
}

impl Transport {
    /// What connects to nodes. The programs that it starts do not get the variables `withheld`.
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

    /// What looks at virtual IPs from outside.
    pub(super) fn client(&self) -> Arc<dyn Client> {
        match self {
            Self::Ssh(_) => Arc::new(ThisMachine),
            #[cfg(test)]
            Self::Memory(_, client) => Arc::clone(client),
        }
    }
}
