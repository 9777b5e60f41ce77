//! Connections to a cluster's nodes, closed when the work that they were opened for ends.

use std::sync::Arc;

use super::secrets::secret_variables;
use super::transport::Access;
use crate::agent::{AgentError, Client};
use crate::apply::Fleet;
use crate::model::{Cluster, Node};
use crate::remote::Connector;

/// A cluster's hosts, and how they are reached.
pub(super) struct Hosts {
    connector: Arc<dyn Connector>,
    client: Arc<dyn Client>,
    nodes: Vec<Node>,
    parallel: usize,
}

/// Open connections to hosts.
pub(super) struct Connections<'a> {
    /// For opening further connections.
    pub(super) connector: &'a dyn Connector,
    /// Probes VIPs from outside.
    pub(super) client: &'a dyn Client,
    pub(super) fleet: &'a mut Fleet,
}

impl Hosts {
    /// All hosts of the cluster.
    pub(super) fn of(access: &Access, cluster: &Cluster) -> Self {
        Self::some_of(access, cluster, &cluster.nodes.iter().collect::<Vec<_>>())
    }

    /// The hosts of these nodes. The programs that connect to them get none of the cluster's secrets.
    pub(super) fn some_of(access: &Access, cluster: &Cluster, nodes: &[&Node]) -> Self {
        Self {
            connector: access.transport.connector(secret_variables(cluster)),
            client: access.transport.client(),
            nodes: nodes.iter().copied().cloned().collect(),
            parallel: access.parallel,
        }
    }

    /// Connects to all hosts and does `work` over those connections, which close when it ends. `work` gets an error for
    /// each host that could not be reached.
    pub(super) async fn with<R>(
        &self,
        work: impl AsyncFnOnce(Connections<'_>, Vec<AgentError>) -> R,
    ) -> R {
        let (connector, client) = (&*self.connector, &*self.client);
        let nodes: Vec<&Node> = self.nodes.iter().collect();
        Fleet::with(connector, &nodes, self.parallel, async |fleet, errors| {
            let connections = Connections {
                connector,
                client,
                fleet,
            };
            work(connections, errors).await
        })
        .await
    }
}
