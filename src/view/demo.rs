//! Narration of the demo: the reason for each step and its command line. The command prints its own output.

use std::process::ExitStatus;
use std::time::Instant;

use super::error_report::ErrorReport;
use super::lab::name_option;
use super::paint;
use super::text::{elapsed, wrap};
use super::ui::Ui;
use crate::lab::LabStatus;

/// Narrates one demo.
#[derive(Debug)]
pub struct DemoView {
    ui: Ui,
    started: Instant,
    step: usize,
}

impl Ui {
    pub fn demo(&self) -> DemoView {
        DemoView {
            ui: self.clone(),
            started: Instant::now(),
            step: 0,
        }
    }
}

impl DemoView {
    /// Presents the lab.
    pub fn lab(&self, lab: &LabStatus) {
        self.ui.data(&lab_text(lab));
    }

    /// Announces the next command.
    pub fn command(&mut self, why: &str, args: &[String]) {
        self.step += 1;
        self.ui.data(&step_text(
            self.step,
            why,
            &format!("hactl {}", args.join(" ")),
        ));
    }

    /// Shows an edit of the inventory.
    pub fn edit(&mut self, why: &str, lab: &LabStatus, from: &str, to: &str) {
        self.step += 1;
        let command = format!("$EDITOR {}", lab.inventory.display());
        self.ui.data(&format!(
            "{}{}\n{}\n",
            step_text(self.step, why, &command),
            paint::bad(format!("- {from}")),
            paint::good(format!("+ {to}"))
        ));
    }

    /// Reports that a command failed.
    pub fn stopped(&self, lab: &LabStatus, args: &[String], status: ExitStatus) {
        let complaint = ErrorReport::new(format!("hactl {} ended with {status}", args.join(" ")));
        self.ui.complain(&complaint.help(format!(
            "the lab is still up: look around with hactl lab exec{0} -- hactl status, or remove it with hactl lab down{0}",
            name_option(lab)
        )));
    }

    /// Reports that the user interrupted the demo.
    pub fn interrupted(&self, lab: &LabStatus) {
        self.ui.status(&format!(
            "Stopped. The lab is still up; to remove it: hactl lab down{}\n",
            name_option(lab)
        ));
    }

    pub fn end(&self, lab: &LabStatus) {
        self.ui.data(&format!(
            "\n{} in {}. The lab is still up:\n\n{}",
            paint::good("Demo complete"),
            elapsed(self.started.elapsed()),
            super::lab::uses(lab)
        ));
    }
}

pub(super) fn lab_text(lab: &LabStatus) -> String {
    let nodes: Vec<String> = lab
        .nodes
        .iter()
        .map(|node| format!("{} {}", node.name, node.address))
        .collect();
    let words = format!(
        "Lab {} is up: {} machines ({}), {} backends, one shared VIP.",
        lab.spec.name,
        nodes.len(),
        nodes.join(", "),
        lab.backends.len()
    );
    format!("{}\n", wrap(&words, 0, ""))
}

pub(super) fn step_text(number: usize, why: &str, command: &str) -> String {
    format!(
        "\n{}\n{}\n\n",
        paint::accent(wrap(&format!("# {number}. {why}"), 0, "#    ")),
        paint::strong(format!("$ {command}"))
    )
}
