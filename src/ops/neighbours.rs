//! Which host on the link answers for an address, according to a node's neighbour cache (ARP, NDP).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::agent::{Agent, AgentError, Neighbour, Observation, ObserveRequest};

/// The kernel probes a stale neighbour 5 s after a packet to it, and up to three times within 3 s more.
const MEMORY_PATIENCE: Duration = Duration::from_secs(9);

/// MAC addresses of hosts other than `nodes` that answer for `addresses`. A stale cache entry proves nothing, least of
/// all one for a node that held the address last.
pub(super) async fn strangers(
    agent: &Agent,
    addresses: Vec<IpAddr>,
    nodes: &[&Observation],
) -> Result<BTreeMap<IpAddr, String>, AgentError> {
    let deadline = Instant::now() + MEMORY_PATIENCE;
    let question = ObserveRequest {
        neighbours: addresses,
        ..ObserveRequest::default()
    };
    let is_node = |neighbour: &Neighbour| {
        let mut own = nodes.iter().flat_map(|seen| &seen.hardware);
        own.any(|hardware| *hardware == neighbour.hardware)
    };
    loop {
        // A stale entry may belong to a former holder and hide the current one.
        let found = agent.observe(&question).await?.neighbours;
        let is_known = !found.values().any(|neighbour| neighbour.is_remembered);
        if is_known || Instant::now() >= deadline {
            let of_others = |(_, it): &(IpAddr, Neighbour)| !it.is_remembered && !is_node(it);
            let known = found.into_iter().filter(of_others);
            return Ok(known.map(|(address, it)| (address, it.hardware)).collect());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
