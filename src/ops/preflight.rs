//! `hactl preflight`: whether the hosts are fit for the cluster, before anything is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::able::refuse_unable;
use super::connect::{Connections, Hosts};
use super::error::OpsError;
use super::fitness::{refuse_masked, require_fit};
use super::inspect::{TestPlan, inspect};
use super::judged::of_hosts;
use super::look::look;
use super::planning::plan_beside;
use super::selection::{Loaded, Selection, load};
use super::snapshot::{ClusterSnapshot, Other};
use super::status::{Refusal, Unreachable};
use super::transport::Access;
use super::wanted::{fit_profile, left_out};
use crate::agent::{AgentError, Observation, Program};
use crate::check::{Finding, Severity};
use crate::model::{Cluster, ClusterName, NodeName, Peering, UnitId};
use crate::units;

/// A host, as preflight found it.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct HostFitness {
    /// The node.
    pub node: NodeName,
    /// `ID` and `VERSION_ID` of os-release(5).
    pub system: String,
    /// The units' programs.
    pub programs: BTreeMap<UnitId, Program>,
    /// The live generation. `null` if hactl has never set the host up.
    pub generation: Option<u64>,
    /// Free space where it is scarcest, in KiB.
    pub free_kib: Option<u64>,
    /// Seconds that its clock is ahead of this machine's.
    pub clock_ahead: Option<f64>,
    /// Whether its clock is synchronised.
    pub clock_is_synchronised: Option<bool>,
}

/// Test packets of VRRP's protocol from one node to another.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct AdvertWay {
    pub from: NodeName,
    pub to: NodeName,
    /// Packets that were sent.
    pub sent: u64,
    /// Those that arrived. `null` if none did.
    pub arrived: Option<Arrived>,
}

/// Packets that arrived.
#[derive(Debug, Clone, Copy, serde::Serialize, schemars::JsonSchema)]
pub struct Arrived {
    pub received: u64,
    /// Packets that were sent.
    pub of: u64,
    /// The longest time between two, in milliseconds.
    pub silence_ms: u64,
}

/// How adverts pass between the nodes.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct AdvertReport {
    /// How the cluster sends its adverts.
    pub by: Peering,
    /// The time from one test packet to the next, in milliseconds.
    pub interval_ms: u64,
    /// How long they were sent, in milliseconds.
    pub duration_ms: u64,
    /// By the way that the cluster sends its adverts.
    pub ways: Vec<AdvertWay>,
}

/// Whether the hosts are fit.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct PreflightReport {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hosts that answer.
    pub nodes: Vec<HostFitness>,
    /// How adverts pass between them.
    pub adverts: AdvertReport,
    /// Rules that they violate.
    pub findings: Vec<Finding>,
    /// Other reasons for which an apply would be refused.
    pub refusals: Vec<Refusal>,
    /// Hosts that do not answer.
    pub unreachable: Vec<Unreachable>,
}

impl PreflightReport {
    /// True if nothing that was found is worse than `tolerated`.
    pub fn is_fit(&self, tolerated: Severity) -> bool {
        let worst = self.findings.iter().map(Finding::severity).max();
        worst.is_none_or(|worst| worst <= tolerated)
            && self.refusals.is_empty()
            && self.unreachable.is_empty()
    }
}

/// Inspects all selected hosts, sending test packets between them for as long as `measure`. Changes nothing there.
pub async fn preflight(
    selection: &Selection,
    access: &Access,
    measure: Duration,
) -> Result<PreflightReport, OpsError> {
    let loaded = load(selection)?;
    Hosts::of(access, &loaded.cluster)
        .with(async |connections, errors| {
            inspect_all(access, loaded, &connections, errors, measure).await
        })
        .await
}

async fn inspect_all(
    access: &Access,
    mut loaded: Loaded,
    connections: &Connections<'_>,
    errors: Vec<AgentError>,
    measure: Duration,
) -> Result<PreflightReport, OpsError> {
    let (mut found, mut errors) = look(access, &loaded, connections, errors).await?;
    if found.seen.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    let unsupported = found.seen.iter().filter_map(|host| host.facts().err());
    let unsupported: Vec<_> = unsupported.map(OpsError::Unsupported).collect();
    if unsupported.is_empty() {
        fit_profile(&mut loaded, &found.seen)?;
    }
    let cluster = loaded.cluster.clone();
    let others = found.others.iter_mut().filter_map(Other::seen_mut);
    let hosts = found.seen.iter_mut().chain(others);
    let failed = inspect(&cluster, found.fleet, hosts, TestPlan::measuring(measure)).await?;
    errors.extend(failed);
    let mut verdict = Verdict {
        findings: own_findings(&cluster, &found),
        refusals: Vec::new(),
    };
    let fit = require_fit(&loaded, found.fleet, &found.seen, &found.others).await;
    verdict.take(fit.map(drop))?;
    verdict.take(refuse_masked(&found.seen))?;
    let unreachable: Vec<Unreachable> = errors.iter().map(Unreachable::of).collect();
    let down: Vec<NodeName> = unreachable.iter().map(|host| host.node.clone()).collect();
    loaded.leave_out(&down);
    if unsupported.is_empty() {
        match plan(&loaded, &found) {
            Ok(findings) => verdict.findings.extend(findings),
            Err(error) => verdict.take(Err(error))?,
        }
    }
    for error in unsupported {
        verdict.take(Err(error))?;
    }
    Ok(PreflightReport {
        cluster: cluster.name.clone(),
        nodes: found.seen.iter().map(host_fitness).collect(),
        adverts: advert_report(&cluster, &found.all(), measure),
        findings: verdict.findings,
        refusals: verdict.refusals,
        unreachable,
    })
}

/// Findings about the selected hosts. The others only take part in the test of adverts.
fn own_findings(cluster: &Cluster, found: &ClusterSnapshot<'_>) -> Vec<Finding> {
    let is_own = |finding: &Finding| {
        let node = finding.node.as_ref();
        node.is_none_or(|node| found.seen.iter().any(|host| host.node == *node))
    };
    let all = of_hosts(cluster, &found.all()).into_iter();
    all.filter(is_own).collect()
}

/// What an apply would be refused for, all of it.
struct Verdict {
    findings: Vec<Finding>,
    refusals: Vec<Refusal>,
}

impl Verdict {
    /// Adds why a check refuses the hosts. Other errors are returned.
    fn take(&mut self, result: Result<(), OpsError>) -> Result<(), OpsError> {
        match result {
            Ok(()) => {}
            Err(OpsError::Findings { findings, .. } | OpsError::UnfitHosts { findings, .. }) => {
                self.findings.extend(findings);
            }
            Err(OpsError::Unfit { problems }) => {
                for problem in problems {
                    match problem.finding() {
                        Some(finding) => self.findings.push(finding.clone()),
                        None => self.refusals.push(Refusal {
                            message: problem.to_string(),
                            help: Some(problem.hint()),
                        }),
                    }
                }
            }
            Err(error @ (OpsError::Unsupported(_) | OpsError::Plan(_) | OpsError::Render(_))) => {
                self.refusals.push(Refusal {
                    message: error.to_string(),
                    help: error.hint(),
                });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The findings of a plan for these hosts, which is not kept.
fn plan(loaded: &Loaded, found: &ClusterSnapshot<'_>) -> Result<Vec<Finding>, OpsError> {
    let planned = plan_beside(loaded, &found.seen, left_out(loaded, found))?;
    let of_plan = refuse_unable(&loaded.cluster, &planned.plan, &found.seen)?;
    Ok([planned.findings, of_plan].concat())
}

fn host_fitness(host: &Observation) -> HostFitness {
    let preflight = host.probed.preflight.as_ref();
    let space = preflight.into_iter().flat_map(|own| own.space.values());
    HostFitness {
        node: host.node.clone(),
        system: format!("{} {}", host.os.id, host.os.version_id),
        programs: units::ids()
            .map(|unit| (unit, program(host, unit)))
            .collect(),
        generation: host.generation(),
        free_kib: space.map(|space| space.kib).min(),
        clock_ahead: preflight.and_then(|own| Some(own.clock?.ahead)),
        clock_is_synchronised: preflight.and_then(|own| own.clock_is_synchronised),
    }
}

/// What is installed, or what an apply would install.
fn program(host: &Observation, unit: UnitId) -> Program {
    let known = host.facts().ok().and_then(|facts| match unit {
        UnitId::NGINX => Some(facts.nginx),
        UnitId::KEEPALIVED => Some(facts.keepalived),
        _ => None,
    });
    match host.program(unit) {
        Program::Missing { candidate } => Program::Missing {
            candidate: candidate.or(known),
        },
        installed @ Program::Installed { .. } => installed,
    }
}

fn advert_report(cluster: &Cluster, seen: &[Observation], measure: Duration) -> AdvertReport {
    let by = cluster.peering().unwrap_or(Peering::Multicast);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let tests = seen.iter().filter_map(|host| {
        let test = host.probed.preflight.as_ref()?.adverts.as_ref()?;
        let node = cluster.node(&host.node)?;
        test.failure.is_none().then_some((node, test))
    });
    let tests: Vec<_> = tests.collect();
    let mut ways = Vec::new();
    for (from, sender) in &tests {
        for (to, receiver) in tests.iter().filter(|(to, _)| to.name != from.name) {
            let is_sent = sender.unsent_to(to.address, by).is_none();
            let heard = receiver.heard_from(from.address, by).filter(|_| is_sent);
            ways.push(AdvertWay {
                from: from.name.clone(),
                to: to.name.clone(),
                sent: sender.sent,
                arrived: heard.map(|heard| Arrived {
                    received: heard.received,
                    of: heard.of,
                    silence_ms: millis(heard.silence),
                }),
            });
        }
    }
    AdvertReport {
        by,
        interval_ms: tests.first().map_or(0, |(_, test)| millis(test.interval)),
        duration_ms: millis(measure),
        ways,
    }
}
