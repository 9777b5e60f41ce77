//! What every node is and does.

use super::document::Document;
use super::drift::{drift_words, notice_words};
use super::paint;
use super::text::{columns, comma, count};
use super::ui::Ui;
use crate::agent::Service;
use crate::ops::{NodeStatus, StatusReport, VipStatus};

impl Ui {
    /// Shows what `status` found.
    pub fn show_status(&self, report: &StatusReport) {
        if self.is_json() {
            let document = Document::new("status")
                .with("healthy", &report.is_healthy())
                .with_fields(report);
            self.document(&document);
        } else {
            self.data(&status_text(report));
        }
    }
}

/// A row per node, the VIPs, and everything that is not as it should be.
pub(super) fn status_text(report: &StatusReport) -> String {
    let mut rows = vec![
        [
            "NODE",
            "VIP",
            "VRRP",
            "NGINX",
            "KEEPALIVED",
            "GEN",
            "BACKENDS",
        ]
        .map(|title| paint::faint(title))
        .to_vec(),
    ];
    rows.extend(report.nodes.iter().map(row));
    let mut text = columns(&rows);
    text.push('\n');
    for vip in &report.vips {
        text.push_str(&vip_line(vip));
    }
    for line in troubles(report) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

fn row(node: &NodeStatus) -> Vec<String> {
    let vrrp: Vec<String> = node
        .vrrp
        .iter()
        .map(|vrrp| format!("{} {}", vrrp.state, vrrp.effective_priority))
        .collect();
    let up = node.backends.iter().filter(|backend| backend.up).count();
    let backends = format!("{up}/{}", node.backends.len());
    vec![
        paint::strong(&node.node),
        if node.holds.is_empty() {
            "-".to_owned()
        } else {
            paint::good(comma(&node.holds))
        },
        if vrrp.is_empty() {
            "-".to_owned()
        } else {
            comma(&vrrp)
        },
        service_word(&node.nginx),
        service_word(&node.keepalived),
        node.generation
            .map_or("-".to_owned(), |number| number.to_string()),
        if up == node.backends.len() {
            backends
        } else {
            paint::bad(backends)
        },
    ]
}

fn service_word(service: &Service) -> String {
    if service.is_active() {
        paint::good("up")
    } else if service.active.is_empty() || service.load == "not-found" {
        paint::bad("missing")
    } else {
        paint::bad(&service.active)
    }
}

fn vip_line(vip: &VipStatus) -> String {
    match vip.owners.as_slice() {
        [owner] => format!("{} is on {}\n", vip.address, paint::good(owner)),
        [] => paint::bad(format!("{} is on no node\n", vip.address)),
        several => paint::bad(format!(
            "{} is on {} at the same time\n",
            vip.address,
            comma(several)
        )),
    }
}

fn troubles(report: &StatusReport) -> Vec<String> {
    let mut lines: Vec<String> = report
        .notices
        .iter()
        .map(notice_words)
        .map(paint::warn)
        .collect();
    for node in &report.nodes {
        let on = |words: String| format!("{}: {words}", node.node);
        lines.extend(
            node.drift
                .iter()
                .map(|drift| paint::warn(on(drift_words(drift)))),
        );
        for path in &node.changed_by_hand {
            lines.push(paint::warn(on(format!("{path} was changed by hand"))));
        }
        if !node.pending.is_empty() {
            let files = count(node.pending.len(), "file");
            lines.push(on(format!(
                "{files} would change with the next apply: hactl plan"
            )));
        }
        let down: Vec<String> = node
            .backends
            .iter()
            .filter(|backend| !backend.up)
            .map(|backend| format!("{}:{}", backend.host, backend.port))
            .collect();
        if !down.is_empty() {
            lines.push(paint::bad(on(format!("no connection to {}", comma(&down)))));
        }
    }
    lines
}
