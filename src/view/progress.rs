//! A change under way: a line per node on a terminal, a line per event elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::paint;
use super::text::{and, pad, width};
use super::ui::Ui;
use crate::apply::{Event, Step};
use crate::model::NodeName;

/// Shows events as they come.
#[derive(Debug)]
pub(super) struct Progress {
    ui: Ui,
    bars: Vec<(NodeName, ProgressBar)>,
    name_width: usize,
}

impl Progress {
    /// Progress on these nodes.
    pub(super) fn new(ui: &Ui, nodes: &[NodeName]) -> Self {
        let name_width = nodes
            .iter()
            .map(|node| width(node.as_str()))
            .max()
            .unwrap_or(0);
        let bars = match ui.bars() {
            None => Vec::new(),
            Some(bars) => nodes
                .iter()
                .map(|node| {
                    let bar = bars.add(ProgressBar::new(Step::ALL.len() as u64));
                    bar.set_style(style(ui));
                    bar.set_prefix(pad(node.as_str(), name_width));
                    bar.enable_steady_tick(Duration::from_millis(100));
                    (node.clone(), bar)
                })
                .collect(),
        };
        Self {
            ui: ui.clone(),
            bars,
            name_width,
        }
    }

    /// Shows one event.
    pub(super) fn event(&mut self, event: &Event) {
        if self.bars.is_empty() {
            if let Some(line) = event_line(event, self.name_width) {
                self.ui.status(&line);
            }
            return;
        }
        match event {
            Event::StepStarted { step, .. } => {
                for (_, bar) in &self.bars {
                    bar.set_message(doing(*step));
                }
            }
            Event::NodeDone { step, node, note } => {
                let done = note.clone().unwrap_or_else(|| done(*step).to_owned());
                self.on(node, |bar| {
                    bar.inc(1);
                    bar.set_message(done.clone());
                });
            }
            Event::Activating { node, .. } => {
                self.on(node, |bar| bar.set_message("activating"));
            }
            Event::Reverting { node } => self.on(node, |bar| bar.set_message("undoing")),
            Event::Reverted { node } => self.on(node, |bar| bar.set_message("as it was")),
            Event::RevertFailed { node, .. } => {
                self.on(node, |bar| bar.set_message("could not be undone"));
            }
            Event::Tested { .. }
            | Event::OwnersSeen { .. }
            | Event::Failed { .. }
            | Event::Interrupted => {}
        }
    }

    fn on(&self, node: &NodeName, act: impl Fn(&ProgressBar)) {
        for (_, bar) in self.bars.iter().filter(|(name, _)| name == node) {
            act(bar);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        for (_, bar) in &self.bars {
            bar.finish_and_clear();
        }
    }
}

fn style(ui: &Ui) -> ProgressStyle {
    let template = if ui.colours_err() {
        "  {prefix}  {bar:14.green}  {msg}"
    } else {
        "  {prefix}  {bar:14}  {msg}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Lock => "locking",
        Step::Prepare => "preparing",
        Step::Stage => "sending files",
        Step::Validate => "testing with nginx -t and keepalived -t",
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
        Step::Validate => "nginx -t and keepalived -t passed",
        Step::Activate => "activated: the daemons say that they use it",
        Step::Prove => "proven",
        Step::Confirm => "confirmed over a fresh connection",
    }
}

/// An event as a line that a log keeps.
pub(super) fn event_line(event: &Event, name_width: usize) -> Option<String> {
    let on = |node: &NodeName, words: &str| {
        Some(format!("{}  {words}\n", pad(node.as_str(), name_width)))
    };
    match event {
        Event::StepStarted { .. } | Event::Tested { .. } => None,
        Event::NodeDone { step, node, note } => match note {
            Some(note) => on(node, note),
            None => on(node, done(*step)),
        },
        Event::Activating { node, holds } if holds.is_empty() => on(node, "activating"),
        Event::Activating { node, holds } => {
            on(node, &format!("activating; it holds {}", and(holds)))
        }
        Event::OwnersSeen { owners } => {
            let owners: Vec<String> = owners
                .iter()
                .map(|(vip, node)| format!("{vip} is on {node}"))
                .collect();
            Some(format!("{}\n", and(&owners)))
        }
        Event::Failed { step, message } => Some(format!(
            "{} {message}\n",
            paint::bad(format!("{} failed:", step.name()))
        )),
        Event::Interrupted => Some("stopping on request\n".to_owned()),
        Event::Reverting { node } => on(node, "undoing"),
        Event::Reverted { node } => on(node, "as it was"),
        Event::RevertFailed { node, message } => {
            on(node, &paint::bad(format!("could not be undone: {message}")))
        }
    }
}
