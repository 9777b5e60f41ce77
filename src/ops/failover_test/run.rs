//! One drill after the other: watch, load, fault, heal, settle, and what was seen of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;

use super::fault::Faults;
use super::fit::not_whole;
use super::intent::DrillIntent;
use super::reach::Reach;
use super::settle::{Wanted, settle};
use super::story::{Faulted, Story, millis};
use super::{CutShort, DrillProgress, FailoverOutcome, FailoverRequest};
use crate::agent::{
    Agent, AgentError, ClockAnswer, FailureCode, LockRequest, Observation, ThisMachine, Watched,
    Watching,
};
use crate::apply::announce_and_look;
use crate::drill::{
    self, Clock, ClockReading, Drill, DrillReport, DrillRun, HostClock, Load, LoadSpec,
};
use crate::health::{self, MustAnswer, VipOwners};
use crate::model::{Cluster, NodeName, Preemption};
use crate::ops::context::{Context, Loaded};
use crate::ops::error::OpsError;
use crate::ops::holder::own_origin;
use crate::ops::survey::{owner_patience, vips};

/// What comes before the fault is the baseline.
const BASELINE: Duration = Duration::from_millis(700);
/// What comes after the cluster is whole again.
const TAIL: Duration = Duration::from_millis(300);
/// The clock of each host is read so often before a fault.
const READINGS: usize = 30;
const HELD_INTERVAL: Duration = Duration::from_millis(50);
const DOWNLOADS: u32 = 2;
/// A host that could not end a fault at once tries again within so long.
const HOST_MARGIN: Duration = Duration::from_secs(10);
/// A host may need so long to boot, to start its daemons and to be reached again.
const BOOT_PATIENCE: Duration = Duration::from_mins(5);

/// Runs drills on a cluster that was found fit.
pub(super) struct Runner<'a> {
    context: &'a Context,
    cluster: &'a Cluster,
    loaded: &'a Loaded,
    request: &'a FailoverRequest<'a>,
    reach: Reach<'a>,
    /// Names the lock, the faults and the watches of this call.
    id: String,
    /// Every node as it was before the first drill.
    seen: Vec<Observation>,
    boots: BTreeMap<NodeName, String>,
    report: DrillReport,
    /// Faults that could not be ended.
    left: Vec<NodeName>,
}

/// What is known of a run before its fault.
struct Prepared {
    from: NodeName,
    /// The node to which the fault is done.
    node: NodeName,
    clock: Clock,
    clocks: BTreeMap<NodeName, HostClock>,
    watching: BTreeMap<NodeName, Watching>,
    load: Load,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        context: &'a Context,
        loaded: &'a Loaded,
        request: &'a FailoverRequest<'a>,
        seen: Vec<Observation>,
        reach: Reach<'a>,
    ) -> Self {
        let cluster = &loaded.cluster;
        let vrrp = &cluster.vrrp;
        let boots = seen
            .iter()
            .map(|seen| (seen.node.clone(), seen.boot_id.clone()));
        let started = jiff::Timestamp::now();
        Self {
            context,
            cluster,
            loaded,
            request,
            reach,
            id: format!("drill-{}-{}", started.as_millisecond(), std::process::id()),
            boots: boots.collect(),
            seen,
            left: Vec::new(),
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

    /// Runs `intents`, each as often as it says, and ends early when the cluster is not whole again.
    pub(super) async fn run(
        mut self,
        intents: &[DrillIntent],
    ) -> Result<FailoverOutcome, OpsError> {
        let result = self.run_all(intents).await;
        self.reach.unlock(&self.id).await;
        self.reach.close().await;
        Ok(FailoverOutcome {
            report: self.report,
            cut_short: result?,
        })
    }

    async fn run_all(&mut self, intents: &[DrillIntent]) -> Result<Option<CutShort>, OpsError> {
        for intent in intents {
            for repeat in 1..=intent.times {
                if let Some(why) = self.wait_until_whole(intent).await {
                    return Ok(Some(self.cut_short(intent, why)));
                }
                if self.is_stopped() {
                    return Ok(Some(self.cut_short(intent, String::new())));
                }
                match self.run_once(intent, repeat).await {
                    Ok(run) => {
                        let is_lost = !run.new.recovered || run.after.is_none();
                        self.report.runs.push(run);
                        if self.is_stopped() {
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
                            (self.request.tell)(&DrillProgress::Skipped { drill, why });
                            break;
                        }
                    },
                }
            }
        }
        // The last one, too, must leave a cluster that is whole.
        let Some(last) = intents.last() else {
            return Ok(None);
        };
        let why = self.wait_until_whole(last).await;
        Ok(why.map(|why| self.cut_short(last, why)))
    }

    fn cut_short(&self, intent: &DrillIntent, why: String) -> CutShort {
        if self.is_stopped() {
            return CutShort::Stopped {
                left: self.left.clone(),
                within: intent.hold + HOST_MARGIN,
            };
        }
        CutShort::NotRecovered { why }
    }

    fn is_stopped(&self) -> bool {
        self.context.stop.load(Ordering::Relaxed)
    }

    /// Every node stands for election and the VIP is where the next drill expects it; or what is not
    /// so.
    async fn wait_until_whole(&mut self, intent: &DrillIntent) -> Option<String> {
        let deadline = std::time::Instant::now() + self.patience(intent);
        loop {
            let why = match self.reach.observe().await {
                Ok(seen) => {
                    let mut why = not_whole(self.loaded, &seen);
                    if why.is_none() {
                        why = self.outside(&seen).await;
                    }
                    let Some(why) = why else {
                        let boots = seen.into_iter().map(|seen| (seen.node, seen.boot_id));
                        self.boots = boots.collect();
                        return None;
                    };
                    why
                }
                Err(errors) => errors
                    .first()
                    .map_or_else(String::new, AgentError::to_string),
            };
            if std::time::Instant::now() >= deadline || self.is_stopped() {
                return Some(why);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// What a node finds that asks for the VIPs through the network, after their owners announced themselves:
    /// a fault may have left neighbours with a former owner.
    async fn outside(&self, seen: &[Observation]) -> Option<String> {
        let agents: Vec<&Agent> = self.reach.agents().collect();
        let doors = health::doors(self.cluster);
        let looks = announce_and_look(&agents, &ThisMachine, &doors, seen).await;
        let found = health::disagreements(&looks, MustAnswer::WhatTheOwnerServes);
        let (found, _) = health::split_doubtful(found, &looks);
        found.first().map(ToString::to_string)
    }

    fn patience(&self, intent: &DrillIntent) -> Duration {
        let delay = match self.cluster.vrrp.preemption {
            Preemption::Preempt { delay } => delay,
            Preemption::Keep => Duration::ZERO,
        };
        let boot = match intent.drill {
            Drill::PowerOff => BOOT_PATIENCE,
            _ => Duration::from_secs(20),
        };
        owner_patience(self.cluster) + delay + boot
    }

    async fn run_once(&mut self, intent: &DrillIntent, repeat: u32) -> Result<DrillRun, OpsError> {
        let lock = LockRequest {
            tx: self.id.clone(),
            holder: self.loaded.provenance.by.clone(),
            pid: Some(std::process::id()),
            origin: own_origin(),
            duration: self.longest(intent),
        };
        let locked = self.reach.lock(&lock).await;
        locked.map_err(|errors| OpsError::Hosts { errors })?;
        let prepared = self.prepare(intent).await?;
        (self.request.tell)(&DrillProgress::Begun {
            drill: intent.drill,
            node: prepared.node.clone(),
            repeat: (repeat, intent.times),
        });
        tokio::time::sleep(BASELINE).await;
        let faulted = self.fault(intent, &prepared.node, &prepared.load).await;
        let end = prepared.clock.elapsed();
        let log = prepared.load.stop().await;
        let log = log.map_err(|source| OpsError::Load { source })?;
        let watched = self.watched(&prepared.watching).await;
        let faulted = faulted?;
        let story = Story {
            cluster: self.cluster,
            before: &self.seen,
            boots: &self.boots,
            intent,
            repeat,
            from: prepared.from,
            node: prepared.node,
            clock: prepared.clock,
            clocks: prepared.clocks,
            watching: prepared.watching,
            watched,
            log,
            end,
            faulted,
        };
        let mut run = story.run();
        run.violations = drill::violations(&run, self.report.adverts());
        Ok(run)
    }

    /// No run takes longer.
    fn longest(&self, intent: &DrillIntent) -> Duration {
        BOOT_PATIENCE + intent.hold + self.patience(intent)
    }

    /// Begins to watch, and to load.
    async fn prepare(&self, intent: &DrillIntent) -> Result<Prepared, OpsError> {
        let failed = |error| OpsError::Hosts {
            errors: vec![error],
        };
        let clock = Clock::start();
        let mut clocks = BTreeMap::new();
        for agent in self.reach.agents() {
            let answers = agent.clock(READINGS).await.map_err(failed)?;
            let reading = |answer: &ClockAnswer| ClockReading {
                asked: clock.at(answer.asked),
                answered: clock.at(answer.answered),
                host: answer.host,
            };
            let readings: Vec<ClockReading> = answers.iter().map(reading).collect();
            let estimate = HostClock::estimate(&clock, &readings);
            clocks.extend(estimate.map(|estimate| (agent.node().clone(), estimate)));
        }
        let (longest, all) = (self.longest(intent), vips(self.cluster));
        let watches = self.reach.agents().map(|agent| async {
            let watching = agent.watch(&self.id, longest, &all).await?;
            Ok::<_, AgentError>((agent.node().clone(), watching))
        });
        let watching: Result<BTreeMap<_, _>, _> = join_all(watches).await.into_iter().collect();
        let watching = watching.map_err(failed)?;
        let glances = join_all(self.reach.agents().map(Agent::glance)).await;
        let from = VipOwners::of(intent.vip, glances.iter().flatten());
        let from = from.sole().cloned();
        let from = from.unwrap_or_else(|| intent.owner.clone());
        let download = self.request.download.as_deref();
        let spec = LoadSpec {
            new: intent.target.clone(),
            beside: intent.beside.clone(),
            interval: self.request.probe_interval,
            held: intent.target.clone(),
            held_connections: self.request.held_connections,
            held_interval: HELD_INTERVAL,
            download: download.map(|path| intent.target.with_path(path)),
            downloads: DOWNLOADS,
        };
        let load = Load::start(spec, clock).map_err(|source| OpsError::Load { source })?;
        Ok(Prepared {
            node: self.request.node.clone().unwrap_or_else(|| from.clone()),
            from,
            clock,
            clocks,
            watching,
            load,
        })
    }

    /// Makes the faults, and waits until they are over and the cluster is whole.
    async fn fault(
        &mut self,
        intent: &DrillIntent,
        node: &NodeName,
        load: &Load,
    ) -> Result<Faulted, OpsError> {
        let (cluster, stop) = (self.cluster, &self.context.stop);
        let is_stopped = || stop.load(Ordering::Relaxed);
        let faults = Faults {
            cluster,
            id: &self.id,
            intent,
            is_stopped: &is_stopped,
            tell: self.request.tell,
            boots: &self.boots,
        };
        let ordered = match faults.make(&mut self.reach, node).await {
            Ok(ordered) => ordered,
            Err(error) => {
                // Others may have made theirs.
                self.heal_all().await;
                return Err(OpsError::Hosts {
                    errors: vec![error],
                });
            }
        };
        let left = ordered.iter().filter(|fault| !fault.is_over);
        self.left = left.map(|fault| fault.node.clone()).collect();
        (self.request.tell)(&DrillProgress::Settling);
        let preferred = cluster
            .instances
            .iter()
            .find(|it| it.name == intent.instance);
        let wanted = Wanted {
            vip: intent.vip,
            owner: preferred
                .filter(|_| cluster.vrrp.preemption != Preemption::Keep)
                .and_then(|instance| instance.preferred()),
            resigned_after: owner_patience(cluster),
            patience: self.patience(intent),
        };
        let (seen, is_whole) = settle(&mut self.reach, &wanted, load).await;
        tokio::time::sleep(TAIL).await;
        Ok(Faulted {
            ordered,
            seen,
            is_whole,
        })
    }

    async fn heal_all(&self) {
        join_all(self.reach.agents().map(|agent| agent.heal(&self.id))).await;
    }

    /// What each host saw that can be asked.
    async fn watched(
        &self,
        watching: &BTreeMap<NodeName, Watching>,
    ) -> BTreeMap<NodeName, Watched> {
        let asked = self.reach.agents().filter_map(|agent| {
            let since = watching.get(agent.node())?.since;
            Some(async move {
                let watched = agent.watched(&self.id, whole_seconds(since)).await.ok()?;
                Some((agent.node().clone(), watched))
            })
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// What a host lacks that a fault needs, where that is why it was not made.
fn lacking(error: &OpsError) -> Option<String> {
    let OpsError::Hosts { errors } = error else {
        return None;
    };
    let lacks = errors.iter().find(
        |error| matches!(error, AgentError::Failed { code, .. } if *code == FailureCode::Lacking),
    );
    lacks.map(AgentError::to_string)
}

/// A host's time without its fraction.
fn whole_seconds(at: f64) -> u64 {
    Duration::try_from_secs_f64(at)
        .unwrap_or_default()
        .as_secs()
}

/// The profile's name as the inventory has it.
fn profile(cluster: &Cluster) -> String {
    let name = match cluster.vrrp.failover {
        crate::model::Failover::Fast => "fast",
        crate::model::Failover::Standard => "standard",
        crate::model::Failover::Wan => "wan",
    };
    name.to_owned()
}
