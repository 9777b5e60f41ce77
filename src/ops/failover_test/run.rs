//! One drill after the other: watch, load, fault, heal, settle, and what was seen of it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::fit::not_whole;
use super::intent::DrillIntent;
use super::reach::Reach;
use super::settle::{Wanted, owner, settle};
use super::timeline::{HostStory, Subject, events, gaps};
use super::{CutShort, DrillProgress, FailoverOutcome, FailoverRequest};
use crate::agent::{
    Agent, AgentError, FaultHits, FaultRequest, FaultState, FaultStep, LockRequest, Observation,
    Watched, Watching,
};
use crate::drill::{
    self, Beside, Clock, ClockOffset, ClockReading, DrillReport, DrillRun, Event, HostClock, Load,
    LoadLog, LoadSpec, What,
};
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
const READINGS: usize = 7;
const HELD_INTERVAL: Duration = Duration::from_millis(50);
const DOWNLOADS: u32 = 2;
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
    boots: BTreeMap<NodeName, String>,
    report: DrillReport,
}

/// What is known of a run before its fault.
struct Prepared {
    from: NodeName,
    clock: Clock,
    clocks: BTreeMap<NodeName, HostClock>,
    watching: BTreeMap<NodeName, Watching>,
    load: Load,
}

/// What a fault was seen to do.
struct Faulted {
    /// When it was made: seconds since the clock's zero.
    at: f64,
    seen: Vec<Option<Observation>>,
    is_whole: bool,
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
        let boots = seen.into_iter().map(|seen| (seen.node, seen.boot_id));
        let started = jiff::Timestamp::now();
        Self {
            context,
            cluster,
            loaded,
            request,
            reach,
            id: format!("drill-{}-{}", started.as_millisecond(), std::process::id()),
            boots: boots.collect(),
            report: DrillReport {
                format: DrillReport::FORMAT,
                hactl: env!("CARGO_PKG_VERSION").to_owned(),
                cluster: cluster.name.to_string(),
                started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                profile: profile(cluster),
                advert_ms: millis(vrrp.advert_interval.duration()),
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
                if self.is_stopped() {
                    return Ok(Some(CutShort::Stopped));
                }
                if let Some(why) = self.wait_until_whole(intent).await {
                    return Ok(Some(CutShort::NotRecovered { why }));
                }
                (self.request.tell)(&DrillProgress::Begun {
                    drill: intent.drill,
                    node: intent.node.clone(),
                    repeat: (repeat, intent.times),
                });
                let run = self.run_once(intent, repeat).await?;
                let recovered = run.after.is_some() && run.new.recovered;
                self.report.runs.push(run);
                if self.is_stopped() {
                    return Ok(Some(CutShort::Stopped));
                }
                if !recovered {
                    let why = self.wait_until_whole(intent).await;
                    let why = why.unwrap_or_else(|| "it took too long".to_owned());
                    return Ok(Some(CutShort::NotRecovered { why }));
                }
            }
        }
        // The last one, too, must leave a cluster that is whole.
        let last = intents.last();
        let why = match last {
            Some(intent) => self.wait_until_whole(intent).await,
            None => None,
        };
        Ok(why.map(|why| CutShort::NotRecovered { why }))
    }

    fn is_stopped(&self) -> bool {
        self.context.stop.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Every node stands for election and the VIP is where the next drill expects it; or what is not
    /// so.
    async fn wait_until_whole(&mut self, intent: &DrillIntent) -> Option<String> {
        let deadline = std::time::Instant::now() + self.patience(intent);
        loop {
            let why = match self.reach.observe().await {
                Ok(seen) => not_whole(self.loaded, &seen)?,
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

    fn patience(&self, _intent: &DrillIntent) -> Duration {
        let delay = match self.cluster.vrrp.preemption {
            Preemption::Preempt { delay } => delay,
            Preemption::Keep => Duration::ZERO,
        };
        owner_patience(self.cluster) + delay + Duration::from_secs(20)
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
        tokio::time::sleep(BASELINE).await;
        let faulted = self.fault(intent, &prepared).await;
        let end = prepared.clock.elapsed();
        let log = prepared.load.stop().await;
        let log = log.map_err(|source| OpsError::Load { source })?;
        let watched = self.watched(&prepared.watching).await;
        let faulted = faulted?;
        let story = Story {
            intent,
            repeat,
            from: prepared.from,
            clocks: prepared.clocks,
            watching: prepared.watching,
            watched,
            log,
            end,
            faulted,
        };
        Ok(self.told(story))
    }

    /// No run takes longer.
    fn longest(&self, intent: &DrillIntent) -> Duration {
        BOOT_PATIENCE + self.patience(intent)
    }

    /// Begins to watch, and to load.
    async fn prepare(&self, intent: &DrillIntent) -> Result<Prepared, OpsError> {
        let failed = |error| OpsError::Hosts {
            errors: vec![error],
        };
        let clock = Clock::start();
        let mut clocks = BTreeMap::new();
        for agent in self.reach.agents() {
            let mut readings = Vec::new();
            for _ in 0..READINGS {
                let asked = clock.elapsed();
                let host = agent.clock().await.map_err(failed)?;
                readings.push(ClockReading {
                    asked,
                    answered: clock.elapsed(),
                    host,
                });
            }
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
        let from = owner(glances.iter().flatten(), intent.vip);
        let targets = &intent.targets;
        let download = self.request.download.as_deref();
        let spec = LoadSpec {
            new: targets.own.clone(),
            beside: targets.proxied.clone(),
            interval: self.request.probe_interval,
            held: targets.own.clone(),
            held_connections: self.request.held_connections,
            held_interval: HELD_INTERVAL,
            download: download.map(|path| targets.own.with_path(path)),
            downloads: DOWNLOADS,
        };
        let load = Load::start(spec, clock).map_err(|source| OpsError::Load { source })?;
        Ok(Prepared {
            from: from.unwrap_or_else(|| intent.owner.clone()),
            clock,
            clocks,
            watching,
            load,
        })
    }

    /// Makes the fault and waits until it is over.
    async fn fault(
        &mut self,
        intent: &DrillIntent,
        prepared: &Prepared,
    ) -> Result<Faulted, OpsError> {
        let failed = |error| OpsError::Hosts {
            errors: vec![error],
        };
        let asked = prepared.clock.elapsed().as_secs_f64();
        let order = FaultRequest {
            id: self.id.clone(),
            name: intent.drill.spec().fault().to_owned(),
            hold: intent.drill.spec().ends.hold(),
            hits: FaultHits::default(),
        };
        if let Some(agent) = self.reach.agent(&intent.node) {
            agent.fault(&order).await.map_err(failed)?;
        }
        (self.request.tell)(&DrillProgress::Made);
        let (cluster, stop) = (self.cluster, &self.context.stop);
        // systemd waits a second before it starts a daemon again.
        tokio::time::sleep(Duration::from_millis(1500)).await;
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
        let is_stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
        let (seen, is_whole) = settle(&mut self.reach, &wanted, is_stopped).await;
        tokio::time::sleep(TAIL).await;
        let state = match self.reach.agent(&intent.node) {
            Some(agent) => agent.heal(&self.id).await.map_err(failed)?,
            None => FaultState::default(),
        };
        let begun = state.at(FaultStep::Begun);
        let host = prepared.clocks.get(&intent.node);
        let at = begun.zip(host).map(|(begun, host)| host.to_operator(begun));
        Ok(Faulted {
            at: at.unwrap_or(asked),
            seen,
            is_whole,
        })
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

    /// Everything together.
    fn told(&self, story: Story<'_>) -> DrillRun {
        let intent = story.intent;
        let zero = Duration::try_from_secs_f64(story.faulted.at).unwrap_or_default();
        let begin_ms = -millis(zero);
        let new = drill::requests(&story.log.new, zero);
        let mut timeline = self.observed(&story, begin_ms);
        timeline.extend(gaps(&new));
        timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        let phases = drill::phases(&timeline, &story.from, &new);
        let to = drill::next_owner(&timeline, &story.from).cloned();
        let after = owner(story.faulted.seen.iter().flatten(), intent.vip);
        let healed = timeline.iter().find_map(|event| {
            let is_back = event.node.as_ref() == Some(&intent.node) && event.what == What::Serves;
            (is_back && event.at_ms > 0.0).then_some(event.at_ms)
        });
        let back_ms = healed
            .zip(after.as_ref())
            .and_then(|(healed, after)| drill::time_to_return(&timeline, after, &new, healed));
        timeline.push(Event {
            at_ms: 0.0,
            node: Some(intent.node.clone()),
            what: What::Fault {
                name: intent.drill.spec().name.to_owned(),
            },
        });
        timeline.extend(healed.map(|at_ms| Event {
            at_ms,
            node: Some(intent.node.clone()),
            what: What::Healed,
        }));
        timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        let targets = &intent.targets;
        let mut run = DrillRun {
            drill: intent.drill,
            repeat: story.repeat,
            vip: intent.vip,
            node: intent.node.clone(),
            from: story.from.clone(),
            to,
            after: after.filter(|_| story.faulted.is_whole),
            begin_ms,
            end_ms: millis(story.end) - millis(zero),
            hold_ms: None,
            path: targets.own.path.clone(),
            beside: targets.proxied.as_ref().map(|target| Beside {
                path: target.path.clone(),
                requests: drill::requests(&story.log.beside, zero),
            }),
            new,
            held: story.log.held,
            downloads: drill::downloads(&story.log.downloads, zero),
            phases,
            back_ms,
            predicted: intent.predicted,
            budget_ms: intent.budget.map(millis),
            offsets: self.offsets(&story.clocks),
            timeline,
            violations: Vec::new(),
        };
        run.violations = drill::violations(&run, self.report.advert_ms);
        run
    }

    fn observed(&self, story: &Story<'_>, begin_ms: f64) -> Vec<Event> {
        let hardware = story.watching.iter().flat_map(|(node, watching)| {
            let own = watching.hardware.iter();
            // The loopback's is everybody's.
            let own = own.filter(|address| *address != "00:00:00:00:00:00");
            own.map(|address| (address.clone(), node.clone()))
        });
        let hardware = hardware.collect();
        let subject = Subject {
            vip: story.intent.vip,
            instance: &story.intent.instance,
            hardware: &hardware,
            fault: story.faulted.at,
        };
        let nodes = self.cluster.nodes.iter();
        let stories = nodes.filter_map(|node| {
            let seen = story.faulted.seen.iter().flatten();
            let now = seen.clone().find(|seen| seen.node == node.name);
            let is_new = |now: &&Observation| self.boots.get(&node.name) != Some(&now.boot_id);
            Some(HostStory {
                node: &node.name,
                interface: &node.interface,
                clock: *story.clocks.get(&node.name)?,
                watched: story.watched.get(&node.name)?,
                knew: story
                    .watching
                    .get(&node.name)
                    .and_then(|watching| watching.neighbours.get(&story.intent.vip))
                    .map(String::as_str),
                rebooted: now
                    .filter(is_new)
                    .map(|now| now.clock - seconds(now.uptime)),
            })
        });
        stories
            .flat_map(|host| events(&host, &subject, begin_ms))
            .collect()
    }

    fn offsets(&self, clocks: &BTreeMap<NodeName, HostClock>) -> Vec<ClockOffset> {
        let nodes = self.cluster.nodes.iter();
        let offset = |node: &NodeName| {
            let clock = clocks.get(node)?;
            Some(ClockOffset {
                node: node.clone(),
                offset_ms: clock.offset * 1000.0,
                error_ms: clock.error * 1000.0,
            })
        };
        nodes.filter_map(|node| offset(&node.name)).collect()
    }
}

/// Everything that is known of a run at its end.
struct Story<'a> {
    intent: &'a DrillIntent,
    repeat: u32,
    from: NodeName,
    clocks: BTreeMap<NodeName, HostClock>,
    watching: BTreeMap<NodeName, Watching>,
    watched: BTreeMap<NodeName, Watched>,
    log: LoadLog,
    /// When the watching ended, by the clock.
    end: Duration,
    faulted: Faulted,
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Seconds since a host was started, which are few.
fn seconds(uptime: u64) -> f64 {
    Duration::from_secs(uptime).as_secs_f64()
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
