//! `hactl failover-test`: drills on the running cluster.

use std::net::IpAddr;
use std::time::Duration;

use super::context::{Context, Loaded, load};
use super::error::OpsError;
use super::survey::{Survey, survey, vips};
use crate::agent::{Observation, Question};
use crate::apply::{Fleet, each};
use crate::drill::{Drill, Measurement, Prober, Target, measure};
use crate::model::NodeName;

/// Which drill, and how it is watched.
pub struct FailoverRequest<'a> {
    /// The drill.
    pub drill: Drill,
    /// One request every so often.
    pub probe_interval: Duration,
    /// Told what will be done to which node before it is done; false gives up.
    pub agree: &'a (dyn Fn(Drill, &NodeName) -> bool + Sync),
}

/// What a drill showed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FailoverReport {
    /// The drill.
    pub drill: Drill,
    /// The VIP that was watched.
    pub vip: IpAddr,
    /// Its owner before, to which the fault was done.
    pub from: NodeName,
    /// Its owner while the fault lasted, if it moved.
    pub to: Option<NodeName>,
    /// Its owner at the end.
    pub after: Option<NodeName>,
    /// What users saw.
    pub measurement: Measurement,
}

/// Runs one drill; `None` when the user did not agree.
pub async fn failover_test(
    context: &Context,
    request: FailoverRequest<'_>,
) -> Result<Option<FailoverReport>, OpsError> {
    let loaded = load(context)?;
    let survey = survey(context, &loaded).await?;
    let report = run(&loaded, &survey, &request).await;
    survey.fleet.close().await;
    report
}

async fn run(
    loaded: &Loaded,
    survey: &Survey,
    request: &FailoverRequest<'_>,
) -> Result<Option<FailoverReport>, OpsError> {
    let vip = fit_vip(loaded, &survey.seen)?;
    let refuse = |reason: String| OpsError::NotFitForDrill { reason };
    let from = owner(&survey.seen, vip)
        .ok_or_else(|| refuse(format!("{vip} has no owner, or several")))?;
    let target =
        target(loaded, vip).ok_or_else(|| refuse("no site listens without TLS".to_owned()))?;
    if !(request.agree)(request.drill, &from) {
        return Ok(None);
    }
    let Some(agent) = survey.fleet.get(&from) else {
        return Ok(None);
    };
    let prober = Prober::start(target, request.probe_interval);
    // What comes before the fault is the baseline.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let fault = agent.fault(request.drill.spec().name).await;
    let to = wait_for_owner(&survey.fleet, vip, Duration::from_secs(15), |owner| {
        *owner != from
    })
    .await;
    let after = wait_until_settled(&survey.fleet, vip, to.clone()).await;
    let probes = prober.stop().await;
    fault.map_err(|error| OpsError::Hosts {
        errors: vec![error],
    })?;
    Ok(Some(FailoverReport {
        drill: request.drill,
        vip,
        from,
        to,
        after,
        measurement: measure(&probes),
    }))
}

/// The first VIP, when the cluster could survive the drill.
fn fit_vip(loaded: &Loaded, seen: &[Observation]) -> Result<IpAddr, OpsError> {
    let refuse = |reason: String| Err(OpsError::NotFitForDrill { reason });
    if seen.iter().any(|node| node.journal.is_some()) {
        return refuse("a change is under way".to_owned());
    }
    let is_fit = |node: &&Observation| {
        let healthy = node.service("nginx").is_active() && node.service("keepalived").is_active();
        healthy
            && node
                .vrrp
                .iter()
                .all(|vrrp| matches!(vrrp.state.as_str(), "MASTER" | "BACKUP"))
    };
    let fit = seen.iter().filter(is_fit).count();
    if fit < 2 {
        return refuse(format!(
            "{fit} of {} nodes are healthy: nobody could take over",
            seen.len()
        ));
    }
    vips(&loaded.cluster)
        .first()
        .copied()
        .map_or_else(|| refuse("there is no VIP".to_owned()), Ok)
}

fn owner(seen: &[Observation], vip: IpAddr) -> Option<NodeName> {
    let mut owners = seen.iter().filter(|seen| seen.holds(vip));
    let first = owners.next()?;
    owners.next().is_none().then(|| first.node.clone())
}

/// `/health` of the first site that listens without TLS.
fn target(loaded: &Loaded, vip: IpAddr) -> Option<Target> {
    let cluster = &loaded.cluster;
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
        Some(Target {
            address: vip,
            port: listen.port,
            path: "/health".to_owned(),
            host: name.unwrap_or_else(|| vip.to_string()),
        })
    })
}

/// Looks until the VIP's owner satisfies `wanted`.
async fn wait_for_owner(
    fleet: &Fleet,
    vip: IpAddr,
    patience: Duration,
    wanted: impl Fn(&NodeName) -> bool,
) -> Option<NodeName> {
    let deadline = tokio::time::Instant::now() + patience;
    while tokio::time::Instant::now() < deadline {
        let question = Question::default();
        let seen = each(fleet.agents(), usize::MAX, |agent| agent.observe(&question)).await;
        let seen: Vec<Observation> = seen.into_iter().flatten().collect();
        if let Some(owner) = owner(&seen, vip).filter(&wanted) {
            return Some(owner);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// A node that comes back may take the VIP back: looks until its owner stays for a while.
async fn wait_until_settled(
    fleet: &Fleet,
    vip: IpAddr,
    mut last: Option<NodeName>,
) -> Option<NodeName> {
    let mut unchanged = 0;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = wait_for_owner(fleet, vip, Duration::from_secs(5), |_| true).await;
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
        if unchanged >= 5 {
            break;
        }
    }
    last
}
