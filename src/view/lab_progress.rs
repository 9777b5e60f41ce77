//! Progress while a lab is created.

use super::text::{comma, elapsed, wrap};
use super::ui::Ui;
use crate::lab::{ImageLayer, LabEvent, Release};
use crate::ops::Stamped;

#[derive(Debug)]
pub struct LabProgress {
    ui: Ui,
    verb: &'static str,
}

impl Ui {
    pub fn lab_progress(&self, verb: &'static str) -> LabProgress {
        LabProgress {
            ui: self.clone(),
            verb,
        }
    }
}

impl LabProgress {
    pub fn event(&self, event: &Stamped<LabEvent>) {
        self.ui.event(self.verb, event);
        if let Some(line) = event_line(&event.event) {
            self.ui.status(&line);
        }
    }
}

fn layer_words(layer: ImageLayer, release: Release) -> String {
    match layer {
        ImageLayer::Base => format!("the {release} machine image (with systemd and sshd)"),
        ImageLayer::Family => format!("the {release} machine image, from Debian's"),
        ImageLayer::Installed => format!("the {release} machine image with nginx and keepalived"),
    }
}

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
        LabEvent::NodeReady { node, took, .. } => {
            format!("{node} is ready ({})", elapsed(*took))
        }
        _ => return None,
    };
    Some(format!("{}\n", wrap(&words, 0, "  ")))
}
