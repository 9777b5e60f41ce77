//! What a drill will do to which node, and how it is judged.

use std::net::IpAddr;
use std::time::Duration;

use super::request::{DrillPlan, DrillProgress, FailoverRequest};
use crate::agent::Observation;
use crate::check;
use crate::drill::{Drill, DrillSpec, Ends, Predicted, Scope, Servers, Target};
use crate::health::VipOwners;
use crate::model::{
    Cluster, DrillName, InstanceName, LocationAction, NodeName, Preemption, Site, VrrpInstance,
};
use crate::ops::error::OpsError;
use crate::ops::selection::Loaded;

/// What is requested through the VIP.
struct Targets {
    /// Answered by nginx itself.
    own: Target,
    /// Fetched from a backend. `None` if no site is a proxy.
    proxied: Option<Target>,
}

fn refuse(reason: String, remedy: &str) -> OpsError {
    OpsError::NotFitForDrill {
        reason,
        remedy: remedy.to_owned(),
    }
}

/// The plan of each drill in `request`.
pub(super) fn intents(
    loaded: &Loaded,
    seen: &[Observation],
    request: &FailoverRequest<'_>,
) -> Result<Vec<DrillPlan>, OpsError> {
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
                "no VIP has exactly one owner".to_owned(),
                "see why with `hactl status`",
            )
        })?;
    let targets = targets(cluster, vip).ok_or_else(|| {
        refuse(
            format!("no site listens on {vip} without TLS"),
            "give a site a `listen` without TLS: drills ask it for /health",
        )
    })?;
    let node = request.node.as_ref().unwrap_or(&owner);
    let mut intents = Vec::new();
    for drill in &request.drills {
        let spec = drill.spec();
        if let Some(why) = impossible(spec, node, &owner, &targets) {
            if request.skip_impossible {
                request
                    .events
                    .tell(DrillProgress::Skipped { drill: *drill, why });
                continue;
            }
            return Err(refuse(
                format!("{}: {why}", spec.name),
                "choose another drill",
            ));
        }
        let (target, beside) = match (spec.servers, &targets.proxied) {
            (Servers::One | Servers::All, Some(proxied)) => {
                (proxied.clone(), Some(targets.own.clone()))
            }
            (_, proxied) => (targets.own.clone(), proxied.clone()),
        };
        intents.push(DrillPlan {
            drill: *drill,
            node: node.clone(),
            vip,
            owner: owner.clone(),
            times: request.repeat,
            hold: hold(cluster, spec, request.hold),
            owner_stays: cluster.vrrp.preemption == Preemption::Keep && request.node.is_none(),
            predicted: predicted(cluster, seen, &instance.name, &owner, *drill)
                .filter(|_| *node == owner),
            budget: request.budget.or_else(|| budget(cluster, spec.name)),
            instance: instance.name.clone(),
            target,
            beside,
        });
    }
    Ok(intents)
}

/// Why a drill cannot run here.
fn impossible(
    spec: &DrillSpec,
    node: &NodeName,
    owner: &NodeName,
    targets: &Targets,
) -> Option<String> {
    if spec.servers != Servers::None && targets.proxied.is_none() {
        return Some("no site is a proxy: the cluster has no backend to lose".to_owned());
    }
    let in_turn = matches!(spec.scope, Scope::EachOwnerInTurn { .. });
    (in_turn && node != owner).then(|| format!("it begins with the VIP's owner, which is {owner}"))
}

fn budget(cluster: &Cluster, name: &str) -> Option<Duration> {
    let name = DrillName::new(name).ok()?;
    cluster.drill_budgets.get(&name).copied()
}

/// How long to hold a fault, so that the cluster notices it.
fn hold(cluster: &Cluster, spec: &DrillSpec, wanted: Option<Duration>) -> Duration {
    match (spec.ends, wanted) {
        (Ends::ByOrder(_), Some(wanted)) => wanted,
        (Ends::ByOrder(usual), None) => {
            let health =
                cluster.health.interval * (cluster.health.fall + 1) + cluster.health.timeout;
            let adverts = cluster.vrrp.silence() + cluster.vrrp.advert_interval.duration();
            usual.max(health + adverts + Duration::from_secs(2))
        }
        (Ends::ByItself(patience), _) => patience,
    }
}

/// The VIP to watch: one that `node` owns, if any, or else the first.
fn watched<'a>(
    cluster: &'a Cluster,
    seen: &[Observation],
    node: Option<&NodeName>,
) -> Option<(&'a VrrpInstance, IpAddr, NodeName)> {
    let all = cluster.instances.iter().filter_map(|instance| {
        let vip = instance.addresses.first()?.addr();
        let owner = VipOwners::of(vip, seen).sole()?.clone();
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

fn proxied_path(site: &Site) -> Option<String> {
    let proxied = site
        .locations
        .iter()
        .filter(|location| matches!(location.action, LocationAction::Proxy { .. }))
        .map(|location| location.path.as_str())
        // Skip paths that would have to be escaped in a request.
        .filter(|path| path.bytes().all(|byte| byte.is_ascii_graphic()));
    proxied.min_by_key(|path| path.len()).map(str::to_owned)
}

/// The outage that `check` predicts for such a fault on `owner`.
pub(super) fn predicted(
    cluster: &Cluster,
    seen: &[Observation],
    instance: &InstanceName,
    owner: &NodeName,
    drill: Drill,
) -> Option<Predicted> {
    let fault = match drill {
        Drill::NginxKill | Drill::Flap => check::Fault::NginxKilled,
        Drill::NginxStop | Drill::Cascade => check::Fault::NginxStopped,
        Drill::NginxHang => check::Fault::NginxHung,
        Drill::KeepalivedStop => check::Fault::KeepalivedStopped,
        Drill::LinkDown | Drill::PowerOff => check::Fault::NodeLost,
        Drill::KeepalivedKill
        | Drill::VrrpBlocked
        | Drill::PacketLoss
        | Drill::BackendDown
        | Drill::AllBackendsDown
        | Drill::Overload => return None,
    };
    let facts = seen.iter().find(|seen| seen.node == *owner)?.facts().ok()?;
    let takeover = check::takeovers(cluster, facts.keepalived)
        .into_iter()
        .find(|it| it.instance == *instance && it.owner == *owner && it.fault == fault)?;
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    takeover.gap.map(|gap| Predicted {
        earliest_ms: millis(gap.earliest),
        latest_ms: millis(gap.latest),
    })
}
