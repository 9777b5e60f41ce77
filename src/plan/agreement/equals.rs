//! Whether a node gets the same priority as one that is not changed (rule KA013): then both own the VIPs, or their
//! addresses decide.

use super::own_file::{keepalived_conf, keepalived_path};
use super::router::Router;
use super::routers;
use crate::agent::{LiveFile, Observation};
use crate::model::NodeName;
use crate::plan::desired::Desired;
use crate::plan::request::{LeftOut, PlanError, Request};

fn of(conf: Option<&[u8]>, seen: &Observation) -> Vec<Router> {
    routers::read(conf.unwrap_or_default(), seen).routers
}

fn live(desired: &Desired, seen: &Observation) -> Vec<Router> {
    let file = keepalived_path(desired).and_then(|path| seen.files.get(path));
    of(file.and_then(LiveFile::content), seen)
}

/// Fails for the first two nodes that would newly share a priority in the same virtual router. A node that is left
/// out and cannot be seen is not compared.
pub(in crate::plan) fn refuse_equals(request: &Request) -> Result<(), PlanError> {
    for left_out in &request.left_out {
        let LeftOut::Seen(left_out) = left_out else {
            continue;
        };
        let (wanted, peer) = &**left_out;
        for theirs in live(wanted, peer) {
            for (desired, seen) in &request.nodes {
                let has_it =
                    |own: &&Router| own.key() == theirs.key() && own.priority == theirs.priority;
                let to_come = of(keepalived_conf(desired).map(|(_, text)| text), seen);
                if let Some(own) = to_come.iter().find(has_it)
                    && !live(desired, seen).iter().any(|now| has_it(&now))
                {
                    return Err(equal(&seen.node, own, &peer.node));
                }
            }
        }
    }
    Ok(())
}

fn equal(node: &NodeName, router: &Router, peer: &NodeName) -> PlanError {
    PlanError::Equals {
        node: node.clone(),
        instance: router.name.clone(),
        priority: router.priority,
        peer: peer.clone(),
    }
}
