//! A progress bar per node, cleared at the end.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text::{pad, width};
use crate::apply::{Event, Step};
use crate::model::NodeName;
use crate::ops::Stamped;
use crate::plan::Plan;

/// One bar per node that changes.
#[derive(Debug)]
pub(super) struct Bars(Vec<(NodeName, ProgressBar)>);

impl Bars {
    pub(super) fn new(screen: &MultiProgress, plan: &Plan, coloured: bool) -> Self {
        let nodes: Vec<&NodeName> = plan.changing().map(|node| &node.node).collect();
        let widest = nodes.iter().map(|node| width(node.as_str())).max();
        let bar = |node: &NodeName| {
            let bar = screen.add(ProgressBar::new(Step::ALL.len() as u64));
            bar.set_style(style(coloured));
            bar.set_prefix(pad(node.as_str(), widest.unwrap_or(0)));
            bar.enable_steady_tick(Duration::from_millis(100));
            (node.clone(), bar)
        };
        Self(nodes.into_iter().map(bar).collect())
    }

    pub(super) fn event(&self, event: &Stamped<Event>) {
        match &event.event {
            Event::StepStarted { step, .. } => {
                for (_, bar) in &self.0 {
                    bar.set_message(doing(*step));
                }
            }
            Event::NodeDone { step, node, note } => self.on(node, |bar| {
                if let Some(progress) = event.progress {
                    bar.set_length(progress.steps as u64);
                    bar.set_position(progress.number as u64);
                }
                bar.set_message(note.clone().unwrap_or_else(|| done(*step).to_owned()));
            }),
            Event::Activating { node, .. } => self.on(node, |bar| bar.set_message("activating")),
            Event::Reverting { node } => self.on(node, |bar| bar.set_message("rolling back")),
            Event::Reverted { node } => self.on(node, |bar| bar.set_message("rolled back")),
            Event::RevertFailed { node, .. } => {
                self.on(node, |bar| bar.set_message("could not be rolled back"));
            }
            Event::Failed { .. } | Event::Interrupted => {
                for (_, bar) in &self.0 {
                    bar.set_message("stopped");
                }
            }
            // Recovery is printed as lines, since its nodes may be outside the plan.
            Event::RecoveryStarted { .. }
            | Event::RecoveryFinished { .. }
            | Event::LockReleased { .. }
            | Event::LockNotReleased { .. }
            | Event::LockNotHandedOver { .. }
            | Event::Tested { .. }
            | Event::OwnersSeen { .. }
            | Event::ReachedAgain { .. }
            | Event::ProblemsRemain { .. } => {}
        }
    }

    fn on(&self, node: &NodeName, act: impl Fn(&ProgressBar)) {
        for (_, bar) in self.0.iter().filter(|(name, _)| name == node) {
            act(bar);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for (_, bar) in &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn style(coloured: bool) -> ProgressStyle {
    let template = if coloured {
        "  {prefix}  {bar:12.green/dim}  {wide_msg}"
    } else {
        "  {prefix}  {bar:12}  {wide_msg}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("##-")
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Lock => "locking",
        Step::Prepare => "preparing; packages may have to be installed",
        Step::Stage => "sending files",
        Step::Validate => "testing the new files",
        Step::Activate => "waiting for its turn",
        Step::Prove => "looking for the VIP's owner",
        Step::Confirm => "confirming over a fresh connection",
    }
}

fn done(step: Step) -> &'static str {
    match step {
        Step::Lock => "locked",
        Step::Prepare => "prepared",
        Step::Stage => "files sent",
        Step::Validate => "tested",
        Step::Activate => "active, waiting for the others",
        Step::Prove => "proven",
        Step::Confirm => "confirmed",
    }
}
