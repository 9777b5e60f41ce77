//! Labs.

use super::document::Document;
use super::paint;
use super::text::{columns, comma, count, elapsed};
use super::ui::Ui;
use crate::lab::{LabStatus, NodeState};

impl Ui {
    /// Tells how a lab that has just come up is used.
    pub fn show_lab_up(&self, lab: &LabStatus) {
        if self.is_json() {
            self.document(&Document::new("lab up").with("lab", lab));
        } else {
            self.data(&lab_up_text(lab));
        }
    }

    /// Tells what was removed.
    pub fn show_lab_down(&self, name: Option<&str>, removed: &[String]) {
        if self.is_json() {
            self.document(&Document::new("lab down").with("removed", removed));
            return;
        }
        let text = match (removed, name) {
            ([], Some(name)) => format!("There is no lab {name}.\n"),
            ([], None) => "There is no lab.\n".to_owned(),
            (removed, _) => format!("Removed {}.\n", comma(removed)),
        };
        self.data(&text);
    }

    /// Shows labs.
    pub fn show_lab_status(&self, labs: &[LabStatus]) {
        if self.is_json() {
            self.document(&Document::new("lab status").with("labs", labs));
        } else if labs.is_empty() {
            self.data("There is no lab. To make one: hactl lab up\n");
        } else {
            let texts: Vec<String> = labs.iter().map(lab_text).collect();
            self.data(&texts.join("\n"));
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

/// What can be done with a lab, as it is typed.
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
