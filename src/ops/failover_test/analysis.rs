//! Turns the observations of a drill into its record. Pure: it does no I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::InjectedFault;
use super::intent::predicted;
use super::request::DrillPlan;
use super::timeline::{HostTimeline, Subject, events, gaps};
use crate::agent::{FaultStep, Observation, Watched, Watching};
use crate::drill::{
    self, Beside, Clock, ClockOffset, Drill, DrillEventKind, DrillRun, Ends, Event, HostClock,
    LoadLog,
};
use crate::health::VipOwners;
use crate::model::{Cluster, NodeName};

/// Everything known about a run at its end.
pub(super) struct RunAnalysis<'a> {
    pub(super) cluster: &'a Cluster,
    /// Every node before the first drill.
    pub(super) before: &'a [Observation],
    /// Boot ID of every node before this run.
    pub(super) boots: &'a BTreeMap<NodeName, String>,
    pub(super) intent: &'a DrillPlan,
    pub(super) repeat: u32,
    pub(super) from: NodeName,
    pub(super) node: NodeName,
    pub(super) clock: Clock,
    pub(super) clocks: BTreeMap<NodeName, HostClock>,
    pub(super) watching: BTreeMap<NodeName, Watching>,
    pub(super) watched: BTreeMap<NodeName, Watched>,
    pub(super) log: LoadLog,
    /// When the watching ended, by `clock`.
    pub(super) end: Duration,
    pub(super) faulted: FaultResult,
}

/// The faults, and the state that they left.
pub(super) struct FaultResult {
    pub(super) ordered: Vec<InjectedFault>,
    pub(super) seen: Vec<Option<Observation>>,
    pub(super) is_healthy: bool,
}

impl RunAnalysis<'_> {
    /// Assembles the record.
    pub(super) fn run(&self) -> DrillRun {
        let intent = self.intent;
        let fault = self.fault_time();
        let zero = Duration::try_from_secs_f64(fault).unwrap_or_default();
        let begin_ms = -millis(zero);
        let new = drill::requests(&self.log.new, zero);
        let mut timeline = self.observed(fault, begin_ms);
        timeline.extend(gaps(&new));
        sort(&mut timeline);
        let phases = drill::phases(&timeline, &self.from, &new);
        let to = drill::next_owner(&timeline, &self.from).cloned();
        let after = VipOwners::of(intent.vip, self.faulted.seen.iter().flatten());
        let after = after.sole().cloned();
        timeline.extend(self.fault_events(fault));
        sort(&mut timeline);
        let ending = self.ending(fault, &timeline);
        let back_ms = ending
            .zip(after.as_ref())
            .and_then(|(ending, after)| drill::time_to_return(&timeline, after, &new, ending));
        DrillRun {
            drill: intent.drill,
            repeat: self.repeat,
            vip: intent.vip,
            node: self.node.clone(),
            from: self.from.clone(),
            to,
            after: after.filter(|_| self.faulted.is_healthy),
            begin_ms,
            end_ms: millis(self.end) - millis(zero),
            hold_ms: match intent.drill.spec().ends {
                Ends::ByOrder(_) => Some(millis(intent.hold)),
                Ends::ByItself(_) => None,
            },
            path: intent.target.path.clone(),
            beside: intent.beside.as_ref().map(|target| Beside {
                path: target.path.clone(),
                requests: drill::requests(&self.log.beside, zero),
            }),
            new,
            held: self.log.held.clone(),
            downloads: drill::downloads(&self.log.downloads, zero),
            phases,
            back_ms,
            predicted: predicted(
                self.cluster,
                self.before,
                &intent.instance,
                &self.from,
                intent.drill,
            )
            .filter(|_| self.node == self.from),
            budget_ms: intent.budget.map(millis),
            offsets: self.offsets(),
            timeline,
            violations: Vec::new(),
        }
    }

    /// When the first fault began, in seconds on the operator's clock.
    fn fault_time(&self) -> f64 {
        let recorded = self.faulted.ordered.iter().filter_map(|fault| {
            let clock = self.clocks.get(&fault.node)?;
            Some(clock.to_operator(fault.state.at(FaultStep::Begun)?))
        });
        if let Some(first) = recorded.reduce(f64::min) {
            return first;
        }
        // A host that lost power kept no record. Use the first request that failed instead.
        let ordered = self.faulted.ordered.first();
        let ordered = ordered.map_or(Duration::ZERO, |fault| self.clock.at(fault.at));
        let lost = self
            .log
            .new
            .iter()
            .find(|probe| !probe.ok && probe.at >= ordered);
        lost.map_or(ordered, |probe| probe.at).as_secs_f64()
    }

    /// When ending the last fault began, in milliseconds since the first fault.
    fn ending(&self, zero: f64, timeline: &[Event]) -> Option<f64> {
        let by_order = self.faulted.ordered.iter().filter_map(|fault| {
            let clock = self.clocks.get(&fault.node)?;
            let at = clock.to_operator(fault.state.at(FaultStep::Ending)?);
            Some((at - zero) * 1000.0)
        });
        if let Some(last) = by_order.reduce(f64::max) {
            return Some(last);
        }
        // A fault that heals on its own is over when its daemon, or its host, is back.
        let own = |event: &&Event| event.node.as_ref() == Some(&self.node) && event.at_ms > 0.0;
        let mut own = timeline.iter().filter(own);
        let back = match self.intent.drill {
            Drill::PowerOff => own.find(|event| event.what == DrillEventKind::Joined),
            Drill::KeepalivedKill => own.find(
                |event| matches!(&event.what, DrillEventKind::State { state } if state == "BACKUP"),
            ),
            _ => own.rfind(|event| event.what == DrillEventKind::Serves),
        };
        back.map(|event| event.at_ms)
    }

    /// The faults and their implications, which a host cannot log about itself.
    fn fault_events(&self, zero: f64) -> Vec<Event> {
        let mut found = Vec::new();
        for fault in &self.faulted.ordered {
            let event = |at_ms, what| Event {
                at_ms,
                node: Some(fault.node.clone()),
                what,
            };
            let name = || DrillEventKind::Fault {
                name: self.intent.drill.spec().fault().to_owned(),
            };
            if self.intent.drill == Drill::PowerOff {
                let all = [
                    name(),
                    DrillEventKind::Cut,
                    DrillEventKind::Silent,
                    DrillEventKind::Released,
                ];
                found.extend(all.map(|what| event(0.0, what)));
                let back = self
                    .rebooted(&fault.node, zero)
                    .zip(self.clocks.get(&fault.node));
                let back = back.map(|(at, clock)| (clock.to_operator(at) - zero) * 1000.0);
                found.extend(back.map(|at_ms| event(at_ms, DrillEventKind::Healed)));
                continue;
            }
            let Some(clock) = self.clocks.get(&fault.node) else {
                continue;
            };
            let hangs = self.intent.drill == Drill::NginxHang;
            for step in &fault.state.events {
                let at_ms = (clock.to_operator(step.at) - zero) * 1000.0;
                match step.step {
                    FaultStep::Begun => found.push(event(at_ms, name())),
                    FaultStep::Made if hangs => found.push(event(at_ms, DrillEventKind::Silent)),
                    FaultStep::Healed => {
                        found.push(event(at_ms, DrillEventKind::Healed));
                        found.extend(hangs.then(|| event(at_ms, DrillEventKind::Serves)));
                    }
                    FaultStep::Made | FaultStep::Ending | FaultStep::Failed => {}
                }
            }
        }
        found
    }

    /// When a node that was rebooted since the fault logged its first line, by its own clock. `None` if it was not
    /// rebooted.
    fn rebooted(&self, node: &NodeName, fault: f64) -> Option<f64> {
        let mut seen = self.faulted.seen.iter().flatten();
        let now = seen.find(|seen| seen.node == *node)?;
        if self.boots.get(node) == Some(&now.boot_id) {
            return None;
        }
        let clock = self.clocks.get(node)?;
        let lines = self.watched.get(node)?.journal.iter().map(|line| line.at);
        lines
            .filter(|at| clock.to_operator(*at) > fault)
            .reduce(f64::min)
    }

    fn observed(&self, fault: f64, begin_ms: f64) -> Vec<Event> {
        let hardware = self.watching.iter().flat_map(|(node, watching)| {
            let own = watching.hardware.iter();
            // All loopback interfaces share this one.
            let own = own.filter(|address| *address != "00:00:00:00:00:00");
            own.map(|address| (address.clone(), node.clone()))
        });
        let hardware = hardware.collect();
        let subject = Subject {
            vip: self.intent.vip,
            instance: &self.intent.instance,
            hardware: &hardware,
            fault,
        };
        let nodes = self.cluster.nodes.iter();
        let stories = nodes.filter_map(|node| {
            Some(HostTimeline {
                node: &node.name,
                interface: &node.interface,
                clock: *self.clocks.get(&node.name)?,
                watched: self.watched.get(&node.name)?,
                knew: self
                    .watching
                    .get(&node.name)
                    .and_then(|watching| watching.neighbours.get(&self.intent.vip))
                    .map(String::as_str),
                rebooted: self.rebooted(&node.name, fault),
            })
        });
        stories
            .flat_map(|host| events(&host, &subject, begin_ms))
            .collect()
    }

    fn offsets(&self) -> Vec<ClockOffset> {
        let nodes = self.cluster.nodes.iter();
        let offset = |node: &NodeName| {
            let clock = self.clocks.get(node)?;
            Some(ClockOffset {
                node: node.clone(),
                offset_ms: clock.offset * 1000.0,
                error_ms: clock.error * 1000.0,
            })
        };
        nodes.filter_map(|node| offset(&node.name)).collect()
    }
}

fn sort(timeline: &mut [Event]) {
    timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
