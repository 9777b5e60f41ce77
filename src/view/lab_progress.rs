//! A lab coming up.

use indicatif::ProgressBar;

use super::text::{comma, elapsed, wrap};
use super::ui::Ui;
use crate::lab::{ImageLayer, LabEvent, Release};

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

fn layer_words(layer: ImageLayer, release: Release) -> String {
    match layer {
        ImageLayer::Base => format!("the {release} machine image (with systemd and sshd)"),
        ImageLayer::Installed => format!("the {release} machine image with nginx and keepalived"),
    }
}

/// An event as a line.
pub(super) fn event_line(event: &LabEvent) -> Option<String> {
    let words = match event {
        LabEvent::PrerequisitesMissing { packages } => {
            format!("Installing on this machine, with apt: {}", comma(packages))
        }
        LabEvent::PrerequisitesInstalled { took, .. } => {
            format!("Installed ({})", elapsed(*took))
        }
        LabEvent::ImageAwaited { layer, release } => format!(
            "Waiting for another process that builds {}",
            layer_words(*layer, *release)
        ),
        LabEvent::ImageBuilding {
            layer,
            release,
            folder,
            usually,
        } => format!(
            "Building {} in {}; once per machine, about {}",
            layer_words(*layer, *release),
            folder.display(),
            elapsed(*usually)
        ),
        LabEvent::ImageBuilt { took, .. } => format!("Built ({})", elapsed(*took)),
        LabEvent::LeftoverRemoved { name } => format!("Removed what was left of lab {name}"),
        LabEvent::NodeReady { node, took } => {
            format!("{node} is ready ({})", elapsed(*took))
        }
        _ => return None,
    };
    Some(format!("{}\n", wrap(&words, 0, "  ")))
}
