//! One run of a drill: lock, watch, start the load, inject the fault, heal, wait for a steady state, analyse.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;

use super::analysis::{FaultResult, RunAnalysis};
use super::fault::FaultInjector;
use super::reach::Reach;
use super::request::{DrillPlan, DrillProgress, FailoverRequest};
use super::settle::{SteadyState, settle};
use crate::agent::{Agent, AgentError, LockRequest, Observation, Watched, Watching};
use crate::drill::{Clock, Drill, DrillRun, HostClock, Load, LoadSpec};
use crate::health::VipOwners;
use crate::model::{Cluster, NodeName, Preemption};
use crate::ops::clocks::read_clock;
use crate::ops::cluster::{owner_patience, vips};
use crate::ops::error::OpsError;
use crate::ops::holder::own_origin;
use crate::ops::selection::Loaded;
use crate::ops::transport::Access;

/// Length of the baseline before the fault.
const BASELINE: Duration = Duration::from_millis(700);
/// Time to record after the cluster is healthy again.
const TAIL: Duration = Duration::from_millis(300);
const HELD_INTERVAL: Duration = Duration::from_millis(50);
const DOWNLOADS: u32 = 2;
/// Time for a host to boot, start its daemons and become reachable again.
const BOOT_PATIENCE: Duration = Duration::from_mins(5);

/// A cluster on which drills run one after another.
pub(super) struct Rig<'a> {
    access: &'a Access,
    cluster: &'a Cluster,
    loaded: &'a Loaded,
    request: &'a FailoverRequest<'a>,
    pub(super) reach: Reach<'a>,
    /// Identifies the lock, the faults and the watches of this invocation.
    id: String,
    /// Every node before the first drill.
    seen: Vec<Observation>,
    pub(super) boots: BTreeMap<NodeName, String>,
    /// Nodes whose fault could not be ended.
    pub(super) left: Vec<NodeName>,
    /// Number of the current run, from 1.
    run: u32,
    pub(super) runs: u32,
}

/// The state of a run before its fault.
struct Prepared {
    from: NodeName,
    /// The node to inject the fault on.
    node: NodeName,
    clock: Clock,
    clocks: BTreeMap<NodeName, HostClock>,
    watching: BTreeMap<NodeName, Watching>,
    load: Load,
}

impl<'a> Rig<'a> {
    pub(super) fn new(
        access: &'a Access,
        loaded: &'a Loaded,
        request: &'a FailoverRequest<'a>,
        seen: Vec<Observation>,
        reach: Reach<'a>,
    ) -> Self {
        let boots = seen
            .iter()
            .map(|seen| (seen.node.clone(), seen.boot_id.clone()));
        let started = jiff::Timestamp::now().as_millisecond();
        Self {
            access,
            cluster: &loaded.cluster,
            loaded,
            request,
            reach,
            id: format!("drill-{started}-{}", std::process::id()),
            boots: boots.collect(),
            seen,
            left: Vec::new(),
            run: 0,
            runs: 0,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.access.stop.load(Ordering::Relaxed)
    }

    /// Releases the lock of the runs.
    pub(super) async fn unlock(&self) {
        self.reach.unlock(&self.id).await;
    }

    /// Time within which the cluster must be healthy again.
    pub(super) fn patience(&self, intent: &DrillPlan) -> Duration {
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

    /// One run, from the lock to its analysis.
    pub(super) async fn run_once(
        &mut self,
        intent: &DrillPlan,
        repeat: u32,
    ) -> Result<DrillRun, OpsError> {
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
        self.run += 1;
        self.request.events.tell(DrillProgress::Begun {
            drill: intent.drill,
            node: prepared.node.clone(),
            repeat,
            times: intent.times,
            run: self.run,
            runs: self.runs,
        });
        tokio::time::sleep(BASELINE).await;
        let faulted = self.fault(intent, &prepared.node, &prepared.load).await;
        let end = prepared.clock.elapsed();
        let log = prepared.load.stop().await;
        let log = log.map_err(|source| OpsError::Load { source })?;
        let watched = self.watched(&prepared.watching).await;
        let faulted = faulted?;
        let story = RunAnalysis {
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
        Ok(story.run())
    }

    /// Upper bound for a run.
    fn longest(&self, intent: &DrillPlan) -> Duration {
        BOOT_PATIENCE + intent.hold + self.patience(intent)
    }

    /// Starts the watches and the load.
    async fn prepare(&self, intent: &DrillPlan) -> Result<Prepared, OpsError> {
        let failed = |error| OpsError::Hosts {
            errors: vec![error],
        };
        let clock = Clock::start();
        let mut clocks = BTreeMap::new();
        for agent in self.reach.agents() {
            let estimate = read_clock(agent, &clock).await.map_err(failed)?;
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

    /// Injects the faults, and waits until they are over and the cluster is healthy.
    async fn fault(
        &mut self,
        intent: &DrillPlan,
        node: &NodeName,
        load: &Load,
    ) -> Result<FaultResult, OpsError> {
        let (cluster, stop) = (self.cluster, &self.access.stop);
        let is_stopped = || stop.load(Ordering::Relaxed);
        let faults = FaultInjector {
            cluster,
            id: &self.id,
            intent,
            is_stopped: &is_stopped,
            events: self.request.events,
            boots: &self.boots,
        };
        let ordered = match faults.make(&mut self.reach, node).await {
            Ok(ordered) => ordered,
            Err(error) => {
                // Other nodes may have a fault already.
                self.heal_all().await;
                return Err(OpsError::Hosts {
                    errors: vec![error],
                });
            }
        };
        let left = ordered.iter().filter(|fault| !fault.is_over);
        self.left = left.map(|fault| fault.node.clone()).collect();
        self.request.events.tell(DrillProgress::Settling);
        let preferred = cluster
            .instances
            .iter()
            .find(|it| it.name == intent.instance);
        let wanted = SteadyState {
            vip: intent.vip,
            owner: preferred
                .filter(|_| cluster.vrrp.preemption != Preemption::Keep)
                .and_then(|instance| instance.preferred()),
            resigned_after: owner_patience(cluster),
            patience: self.patience(intent),
        };
        let (seen, is_healthy) = settle(&mut self.reach, &wanted, load).await;
        tokio::time::sleep(TAIL).await;
        Ok(FaultResult {
            ordered,
            seen,
            is_healthy,
        })
    }

    async fn heal_all(&self) {
        join_all(self.reach.agents().map(|agent| agent.heal(&self.id))).await;
    }

    /// What each host that can be reached has recorded.
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

/// A host's time in whole seconds.
fn whole_seconds(at: f64) -> u64 {
    Duration::try_from_secs_f64(at)
        .unwrap_or_default()
        .as_secs()
}
