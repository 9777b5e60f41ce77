//! Runs drills one after another, each on a healthy cluster.

use std::time::Duration;

use super::analysis::millis;
use super::fit::not_healthy;
use super::reach::Reach;
use super::request::{DrillPlan, DrillProgress, FailoverOutcome, FailoverRequest, Interruption};
use super::rig::Rig;
use crate::agent::{Agent, AgentError, FailureCode, Observation};
use crate::apply::announce_and_look;
use crate::drill::{self, DrillReport};
use crate::health::{self, MustAnswer};
use crate::model::Cluster;
use crate::ops::error::OpsError;
use crate::ops::selection::Loaded;
use crate::ops::transport::Access;

/// Time within which a host retries to end a fault.
const HOST_MARGIN: Duration = Duration::from_secs(10);

/// Runs drills on a cluster that is fit for them.
pub(super) struct Runner<'a> {
    loaded: &'a Loaded,
    request: &'a FailoverRequest<'a>,
    rig: Rig<'a>,
    report: DrillReport,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        access: &'a Access,
        loaded: &'a Loaded,
        request: &'a FailoverRequest<'a>,
        seen: Vec<Observation>,
        reach: Reach<'a>,
    ) -> Self {
        let cluster = &loaded.cluster;
        let vrrp = &cluster.vrrp;
        let started = jiff::Timestamp::now();
        Self {
            loaded,
            request,
            rig: Rig::new(access, loaded, request, seen, reach),
            report: DrillReport {
                format: DrillReport::FORMAT,
                hactl: env!("CARGO_PKG_VERSION").to_owned(),
                cluster: cluster.name.to_string(),
                started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                profile: profile(cluster),
                advert_ms: millis(vrrp.advert_interval.duration()),
                down_timer_adverts: vrrp.down_timer_adverts.get(),
                nodes: cluster.nodes.iter().map(|node| node.name.clone()).collect(),
                probe_interval_ms: millis(request.probe_interval),
                runs: Vec::new(),
            },
        }
    }

    /// Runs each of `intents` as often as it says. Ends early if the cluster does not recover.
    pub(super) async fn run(mut self, intents: &[DrillPlan]) -> Result<FailoverOutcome, OpsError> {
        let result = self.run_all(intents).await;
        self.rig.unlock().await;
        Ok(FailoverOutcome {
            report: self.report,
            cut_short: result?,
        })
    }

    async fn run_all(&mut self, intents: &[DrillPlan]) -> Result<Option<Interruption>, OpsError> {
        self.rig.runs = intents.iter().map(|intent| intent.times).sum();
        for intent in intents {
            for repeat in 1..=intent.times {
                if let Some(why) = self.wait_until_healthy(intent).await {
                    return Ok(Some(self.cut_short(intent, why)));
                }
                if self.rig.is_stopped() {
                    return Ok(Some(self.cut_short(intent, String::new())));
                }
                match self.rig.run_once(intent, repeat).await {
                    Ok(mut run) => {
                        run.violations = drill::violations(&run, self.report.adverts());
                        let is_lost = !run.new.recovered || run.after.is_none();
                        self.report.runs.push(run);
                        if self.rig.is_stopped() {
                            return Ok(Some(self.cut_short(intent, String::new())));
                        }
                        if is_lost {
                            break;
                        }
                    }
                    Err(error) => match lacking(&error).filter(|_| self.request.skip_impossible) {
                        None => return Err(error),
                        Some(why) => {
                            let drill = intent.drill;
                            self.request
                                .events
                                .tell(DrillProgress::Skipped { drill, why });
                            break;
                        }
                    },
                }
            }
        }
        // The last drill, too, must leave a healthy cluster behind.
        let Some(last) = intents.last() else {
            return Ok(None);
        };
        let why = self.wait_until_healthy(last).await;
        Ok(why.map(|why| self.cut_short(last, why)))
    }

    fn cut_short(&self, intent: &DrillPlan, why: String) -> Interruption {
        if self.rig.is_stopped() {
            return Interruption::Stopped {
                left: self.rig.left.clone(),
                within: intent.hold + HOST_MARGIN,
            };
        }
        Interruption::NotRecovered { why }
    }

    /// Waits until every node takes part in the election and the VIP is where the next drill expects it. Returns what
    /// is wrong if that takes too long.
    async fn wait_until_healthy(&mut self, intent: &DrillPlan) -> Option<String> {
        let deadline = std::time::Instant::now() + self.rig.patience(intent);
        loop {
            let why = match self.rig.reach.observe().await {
                Ok(seen) => {
                    let mut why = not_healthy(self.loaded, &seen);
                    if why.is_none() {
                        why = self.outside(&seen).await;
                    }
                    let Some(why) = why else {
                        let boots = seen.into_iter().map(|seen| (seen.node, seen.boot_id));
                        self.rig.boots = boots.collect();
                        return None;
                    };
                    why
                }
                Err(errors) => errors
                    .first()
                    .map_or_else(String::new, AgentError::to_string),
            };
            if std::time::Instant::now() >= deadline || self.rig.is_stopped() {
                return Some(why);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The problem that nodes see when they probe the VIPs through the network, after the owners have sent gratuitous
    /// ARP: a fault may have left neighbours with a former owner.
    async fn outside(&self, seen: &[Observation]) -> Option<String> {
        let agents: Vec<&Agent> = self.rig.reach.agents().collect();
        let doors = health::doors(&self.loaded.cluster);
        let looks = announce_and_look(&agents, self.rig.reach.client(), &doors, seen).await;
        let found = health::disagreements(&looks, MustAnswer::WhatTheOwnerServes);
        let (found, _) = health::split_doubtful(found, &looks);
        found.first().map(ToString::to_string)
    }
}

/// What the host lacks for a fault, if that is why the fault failed.
fn lacking(error: &OpsError) -> Option<String> {
    let OpsError::Hosts { errors } = error else {
        return None;
    };
    let lacks = errors.iter().find(
        |error| matches!(error, AgentError::Failed { code, .. } if *code == FailureCode::Lacking),
    );
    lacks.map(AgentError::to_string)
}

/// The profile's name in the inventory.
fn profile(cluster: &Cluster) -> String {
    let name = match cluster.vrrp.failover {
        crate::model::Failover::Fast => "fast",
        crate::model::Failover::Standard => "standard",
        crate::model::Failover::Wan => "wan",
    };
    name.to_owned()
}
