//! Output of `lab`.

use serde::Serialize;

use super::paint;
use super::show::Show;
use super::text::{columns, comma, count, elapsed};
use super::ui::Ui;
use crate::lab::{LabStatus, NodeState};
use crate::report::{LabDownBody, LabStatusBody, LabUpBody};

/// Output of `lab up`.
#[derive(Debug)]
pub struct LabUp<'a>(pub &'a LabStatus);

impl Show for LabUp<'_> {
    fn body(&self) -> impl Serialize {
        LabUpBody { lab: self.0 }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&lab_up_text(self.0));
    }
}

/// Output of `lab down`.
#[derive(Debug)]
pub struct LabDown<'a> {
    /// The requested lab. `None` means all.
    pub name: Option<&'a str>,
    pub removed: &'a [String],
}

impl Show for LabDown<'_> {
    fn body(&self) -> impl Serialize {
        LabDownBody {
            removed: self.removed,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&match (self.removed, self.name) {
            ([], Some(name)) => format!("There is no lab {name}.\n"),
            ([], None) => "There is no lab.\n".to_owned(),
            (removed, _) => format!("Removed {}.\n", comma(removed)),
        });
    }
}

/// Output of `lab status`.
#[derive(Debug)]
pub struct Labs<'a>(pub &'a [LabStatus]);

impl Show for Labs<'_> {
    fn body(&self) -> impl Serialize {
        LabStatusBody { labs: self.0 }
    }

    fn print(&self, ui: &Ui, _: u8) {
        if self.0.is_empty() {
            ui.data("There is no lab. To make one: hactl lab up\n");
        } else {
            let texts: Vec<String> = self.0.iter().map(lab_text).collect();
            ui.data(&texts.join("\n"));
        }
    }
}

pub(super) fn name_option(lab: &LabStatus) -> String {
    if lab.spec.name == crate::ops::DEFAULT_LAB {
        String::new()
    } else {
        format!(" --name {}", lab.spec.name)
    }
}

/// Commands to try on a lab.
pub(super) fn uses(lab: &LabStatus) -> String {
    let name = name_option(lab);
    let rows = [
        ("look", format!("hactl lab exec{name} -- hactl plan")),
        ("deploy", format!("hactl lab exec{name} -- hactl apply")),
        ("edit", lab.inventory.display().to_string()),
        ("log in", format!("hactl lab exec{name} --node lb1")),
        ("remove", format!("hactl lab down{name}")),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(what, how)| vec![format!("  {what}"), paint::accent(how)])
        .collect();
    columns(&rows)
}

pub(super) fn lab_up_text(lab: &LabStatus) -> String {
    format!(
        "Lab {} is up: {}, {}.\n\n{}",
        paint::strong(&lab.spec.name),
        count(lab.nodes.len(), "node"),
        count(lab.backends.len(), "backend"),
        uses(lab)
    )
}

pub(super) fn lab_text(lab: &LabStatus) -> String {
    let mut rows = Vec::new();
    for node in &lab.nodes {
        let state = match node.state {
            NodeState::On => paint::good("on"),
            NodeState::Cut => paint::warn("cut off"),
            NodeState::Off => paint::bad("off"),
        };
        let holds = if lab.vip_holders.contains(&node.name) {
            "holds the VIP"
        } else {
            ""
        };
        rows.push(vec![
            format!("  {}", node.name),
            node.address.to_string(),
            state,
            node.uptime.map_or(String::new(), elapsed),
            holds.to_owned(),
        ]);
    }
    for backend in &lab.backends {
        rows.push(vec![
            format!("  {}", backend.name),
            backend.address.to_string(),
            if backend.running {
                paint::good("on")
            } else {
                paint::bad("off")
            },
            String::new(),
            count(
                usize::try_from(backend.requests).unwrap_or(usize::MAX),
                "request",
            ),
        ]);
    }
    format!(
        "{}{}  {}\n{}",
        paint::strong(&lab.spec.name),
        if lab.complete { "" } else { " (incomplete)" },
        paint::faint(lab.inventory.display()),
        columns(&rows)
    )
}
