//! What a drill will do, to whom, and what it is judged by.

use std::net::IpAddr;
use std::time::Duration;

use super::FailoverRequest;
use crate::agent::Observation;
use crate::check;
use crate::drill::{Drill, Predicted, Target};
use crate::model::{Cluster, InstanceName, LocationAction, NodeName, Site, VrrpInstance};
use crate::ops::context::Loaded;
use crate::ops::error::OpsError;

/// What one drill will do.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillIntent {
    /// The drill.
    pub drill: Drill,
    /// The node to which it is done.
    pub node: NodeName,
    /// The VIP that is watched.
    pub vip: IpAddr,
    /// Its owner now.
    pub owner: NodeName,
    /// How often it is done.
    pub times: u32,
    /// What the formulas say about the outage.
    pub predicted: Option<Predicted>,
    /// The longest outage that is accepted.
    pub budget: Option<Duration>,
    /// The virtual router of the VIP.
    pub(super) instance: InstanceName,
    /// What is asked for, new connections' first.
    pub(super) targets: Targets,
}

impl DrillIntent {
    /// True when the fault is done to the VIP's owner, so that the VIP moves.
    pub fn concerns_owner(&self) -> bool {
        self.node == self.owner
    }
}

/// What is asked for through the VIP.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Targets {
    /// What nginx answers itself.
    pub(super) own: Target,
    /// What it fetches from a backend; `None` where no site is a proxy.
    pub(super) proxied: Option<Target>,
}

fn refuse(reason: String, remedy: &str) -> OpsError {
    OpsError::NotFitForDrill {
        reason,
        remedy: remedy.to_owned(),
    }
}

/// What each drill of `request` will do.
pub(super) fn intents(
    loaded: &Loaded,
    seen: &[Observation],
    request: &FailoverRequest<'_>,
) -> Result<Vec<DrillIntent>, OpsError> {
    let cluster = &loaded.cluster;
    if let Some(node) = &request.node
        && cluster.node(node).is_none()
    {
        return Err(OpsError::UnknownNode {
            name: node.clone(),
            known: cluster.nodes.iter().map(|node| node.name.clone()).collect(),
        });
    }
    let (instance, vip, owner) =
        watched(cluster, seen, request.node.as_ref()).ok_or_else(|| {
            refuse(
                "there is no VIP with one owner".to_owned(),
                "look at `hactl status`",
            )
        })?;
    let targets = targets(cluster, vip).ok_or_else(|| {
        refuse(
            format!("no site listens on {vip} without TLS"),
            "give a site a `listen` without TLS: drills ask it for /health",
        )
    })?;
    let node = request.node.as_ref().unwrap_or(&owner);
    let intent = |drill: &Drill| DrillIntent {
        drill: *drill,
        node: node.clone(),
        vip,
        owner: owner.clone(),
        times: request.repeat,
        predicted: (*node == owner)
            .then(|| predicted(cluster, seen, instance, &owner, *drill))
            .flatten(),
        budget: request.budget,
        instance: instance.name.clone(),
        targets: targets.clone(),
    };
    Ok(request.drills.iter().map(intent).collect())
}

/// The VIP to watch: one that `node` owns, where it owns any, or else the first.
fn watched<'a>(
    cluster: &'a Cluster,
    seen: &[Observation],
    node: Option<&NodeName>,
) -> Option<(&'a VrrpInstance, IpAddr, NodeName)> {
    let all = cluster.instances.iter().filter_map(|instance| {
        let vip = instance.addresses.first()?.addr();
        let owner = seen.iter().find(|seen| seen.holds(vip))?.node.clone();
        Some((instance, vip, owner))
    });
    let all: Vec<_> = all.collect();
    let own = all.iter().find(|(_, _, owner)| Some(owner) == node);
    own.or(all.first()).cloned()
}

/// `/health` and a proxied path of the first site that listens without TLS.
fn targets(cluster: &Cluster, vip: IpAddr) -> Option<Targets> {
    cluster.sites.iter().find_map(|site| {
        let listen = site
            .listen
            .iter()
            .find(|listen| !listen.tls && listen.address.is_none_or(|own| own == vip))?;
        let name = site
            .names
            .iter()
            .map(ToString::to_string)
            .find(|name| name != "_" && !name.contains('*'));
        let own = Target {
            address: vip,
            port: listen.port,
            path: "/health".to_owned(),
            host: name.unwrap_or_else(|| vip.to_string()),
        };
        Some(Targets {
            proxied: proxied_path(site).map(|path| own.with_path(&path)),
            own,
        })
    })
}

/// A path that a backend answers.
fn proxied_path(site: &Site) -> Option<String> {
    let proxied = site
        .locations
        .iter()
        .filter(|location| matches!(location.action, LocationAction::Proxy { .. }))
        .map(|location| location.path.as_str())
        // One that would have to be escaped in a request is left alone.
        .filter(|path| path.bytes().all(|byte| byte.is_ascii_graphic()));
    proxied.min_by_key(|path| path.len()).map(str::to_owned)
}

/// What `check` says of such a fault.
fn predicted(
    cluster: &Cluster,
    seen: &[Observation],
    instance: &VrrpInstance,
    owner: &NodeName,
    drill: Drill,
) -> Option<Predicted> {
    let fault = match drill {
        Drill::NginxKill => check::Fault::NginxKilled,
        _ => return None,
    };
    let facts = seen.iter().find(|seen| seen.node == *owner)?.facts().ok()?;
    let takeover = check::takeovers(cluster, facts.keepalived)
        .into_iter()
        .find(|it| it.instance == instance.name && it.owner == *owner && it.fault == fault)?;
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    takeover.gap.map(|gap| Predicted {
        earliest_ms: millis(gap.earliest),
        latest_ms: millis(gap.latest),
    })
}
