//! A lab coming up.

use indicatif::ProgressBar;

use super::text::{comma, elapsed};
use super::ui::Ui;
use crate::lab::{ImageLayer, LabEvent};

/// Shows what happens while a lab is made.
#[derive(Debug)]
pub struct LabProgress {
    ui: Ui,
    bar: Option<ProgressBar>,
}

impl Ui {
    /// Follows a lab that is being made.
    pub fn lab_progress(&self) -> LabProgress {
        LabProgress {
            ui: self.clone(),
            bar: None,
        }
    }
}

impl LabProgress {
    /// Shows one event.
    pub fn event(&mut self, event: &LabEvent) {
        if let Some(line) = event_line(event) {
            self.ui.status(&line);
        }
    }
}

impl Drop for LabProgress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn layer_words(layer: ImageLayer) -> &'static str {
    match layer {
        ImageLayer::Base => "the machine image (Debian 12 with systemd and sshd)",
        ImageLayer::Installed => "the machine image with nginx and keepalived",
    }
}

/// An event as a line.
pub(super) fn event_line(event: &LabEvent) -> Option<String> {
    Some(match event {
        LabEvent::PrerequisitesMissing { packages } => {
            format!(
                "Installing on this machine, with apt: {}\n",
                comma(packages)
            )
        }
        LabEvent::PrerequisitesInstalled { took, .. } => {
            format!("Installed ({})\n", elapsed(*took))
        }
        LabEvent::ImageAwaited { layer } => format!(
            "Waiting for another process that builds {}\n",
            layer_words(*layer)
        ),
        LabEvent::ImageBuilding {
            layer,
            folder,
            usually,
        } => format!(
            "Building {} in {}; once per machine, about {}\n",
            layer_words(*layer),
            folder.display(),
            elapsed(*usually)
        ),
        LabEvent::ImageBuilt { took, .. } => format!("Built ({})\n", elapsed(*took)),
        LabEvent::LeftoverRemoved { name } => format!("Removed what was left of lab {name}\n"),
        LabEvent::NodeReady { node, took } => {
            format!("{node} is ready ({})\n", elapsed(*took))
        }
        _ => return None,
    })
}
