//! A line per step, stable enough for a log. Nodes that report the same share a line.

use std::net::IpAddr;

use super::paint;
use super::recovery::recovery_event_text;
use super::text::{and, comma};
use crate::agent::TestVerdict;
use crate::apply::{Event, Progress, Step};
use crate::model::{NodeName, UnitId};
use crate::ops::Stamped;
use crate::plan::Plan;
use crate::units;

/// Turns events into lines.
#[derive(Debug)]
pub(super) struct Lines {
    installs: Vec<String>,
    /// The step that all nodes are currently in.
    step: Option<Step>,
    done: Vec<(NodeName, Option<String>)>,
    tested: Vec<UnitId>,
    failed: Option<Step>,
    owners: Vec<(IpAddr, NodeName)>,
}

impl Lines {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut installs: Vec<String> = plan
            .changing()
            .flat_map(crate::plan::NodePlan::packages)
            .map(str::to_owned)
            .collect();
        installs.sort();
        installs.dedup();
        let holds = |node: &crate::plan::NodePlan| {
            let node = node.clone();
            node.holds
                .into_iter()
                .map(move |vip| (vip, node.node.clone()))
        };
        Self {
            installs,
            step: None,
            done: Vec::new(),
            tested: Vec::new(),
            failed: None,
            owners: plan.nodes.iter().flat_map(holds).collect(),
        }
    }

    /// The text to print for an event, often empty.
    pub(super) fn event(&mut self, event: &Stamped<Event>) -> String {
        let is_last = event.progress.is_some_and(Progress::is_step_done);
        let event = &event.event;
        match event {
            Event::StepStarted { step, .. } => {
                let before = self.flush();
                self.step = Some(*step);
                before + &self.beginning(*step)
            }
            Event::NodeDone {
                step: Step::Activate,
                node,
                ..
            } => format!("{node}: active and proven\n"),
            Event::NodeDone { node, note, .. } => {
                self.done.push((node.clone(), note.clone()));
                if is_last { self.flush() } else { String::new() }
            }
            Event::Tested { tests, .. } => {
                let passed = tests
                    .iter()
                    .filter(|test| test.verdict() == TestVerdict::Accepted);
                self.tested = passed.map(|test| test.unit).collect();
                String::new()
            }
            Event::Activating { node, holds } if holds.is_empty() => {
                format!("{node}: activating\n")
            }
            Event::Activating { node, holds } => {
                format!("{node}: activating; it holds {}\n", and(holds))
            }
            Event::OwnersSeen { owners } => self.owners_seen(owners),
            Event::ReachedAgain { owners } => {
                let line = |(vip, node): &(IpAddr, NodeName)| {
                    format!("{vip} is on {node}, and every node reaches it there\n")
                };
                owners.iter().map(line).collect()
            }
            Event::ProblemsRemain { .. } => String::new(),
            Event::Failed { step, message } => {
                let before = self.flush();
                // The outcome lists every failure. Only the first of a step is printed here.
                if self.failed.replace(*step) == Some(*step) {
                    return before;
                }
                let label = paint::bad(format!("{} failed:", step.name()));
                format!("{before}{label} {message}\n")
            }
            Event::Interrupted => format!("{}stopping on request\n", self.flush()),
            Event::RecoveryStarted { .. }
            | Event::RecoveryFinished { .. }
            | Event::LockReleased { .. } => recovery_event_text(event).unwrap_or_default(),
            Event::LockNotReleased { node, message } => format!(
                "{node}: {} {message}\n{node}: the lock expires; `hactl lock show` tells when\n",
                paint::bad("cannot release the lock:")
            ),
            Event::LockNotHandedOver { node, message } => format!(
                "{node}: {} {message}\n",
                paint::bad("cannot hand the lock over to the pending change:")
            ),
            Event::Reverting { node } => format!("{node}: rolling back\n"),
            Event::Reverted { node } => format!("{node}: rolled back\n"),
            Event::RevertFailed { node, message } => format!(
                "{node}: {}\n",
                paint::bad(format!("could not be rolled back: {message}"))
            ),
        }
    }

    /// Prints what some nodes did in a step that did not complete on all of them.
    pub(super) fn finish(&mut self) -> String {
        self.flush()
    }

    fn beginning(&self, step: Step) -> String {
        if step == Step::Prepare && !self.installs.is_empty() {
            format!("installing {} where missing\n", and(&self.installs))
        } else {
            String::new()
        }
    }

    /// Reports owners that have changed.
    fn owners_seen(&mut self, owners: &[(IpAddr, NodeName)]) -> String {
        let news: Vec<String> = owners
            .iter()
            .filter(|owner| !self.owners.contains(owner))
            .map(|(vip, node)| format!("{vip} is on {node}\n"))
            .collect();
        owners.clone_into(&mut self.owners);
        news.concat()
    }

    /// What the nodes have done so far in this step, one line per note.
    fn flush(&mut self) -> String {
        let Some(step) = self.step.take() else {
            return String::new();
        };
        let mut done = std::mem::take(&mut self.done);
        done.sort();
        let mut groups: Vec<(Option<String>, Vec<NodeName>)> = Vec::new();
        for (node, note) in done {
            match groups.iter_mut().find(|(known, _)| *known == note) {
                Some((_, nodes)) => nodes.push(node),
                None => groups.push((note, vec![node])),
            }
        }
        groups
            .into_iter()
            .filter_map(|(note, nodes)| {
                let nodes = comma(&nodes);
                let words = note.or_else(|| self.done_words(step))?;
                Some(format!("{nodes}: {words}\n"))
            })
            .collect()
    }

    fn done_words(&self, step: Step) -> Option<String> {
        Some(match step {
            Step::Lock => "locked".to_owned(),
            Step::Stage => "files sent".to_owned(),
            // Only tests that were run are reported.
            Step::Validate if !self.tested.is_empty() => {
                let tests = units::all().filter(|unit| self.tested.contains(&unit.id));
                let tests: Vec<&str> = tests.map(|unit| unit.test_command).collect();
                format!("{} passed", and(&tests))
            }
            Step::Confirm => "confirmed over a fresh connection".to_owned(),
            Step::Prepare | Step::Validate | Step::Activate | Step::Prove => return None,
        })
    }
}
