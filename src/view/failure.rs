//! What made a change fail.

use serde_json::{Value, json};

use super::complaint::{Complaint, merged};
use crate::apply::{Failure, FailureCause};

/// A cause as a complaint.
fn complaint(cause: &FailureCause) -> Complaint {
    let plain = Complaint::new(cause.to_string());
    match cause {
        FailureCause::Agent(error) => Complaint::of_agent(error),
        FailureCause::Refused { node, output, .. } => plain
            .on(node)
            .detail(output)
            .help("correct what it names; `hactl plan` tests it without touching anything"),
        FailureCause::NotProven { .. } => plain.help(
            "look at `journalctl -u keepalived` on the nodes, and at whether they hear each other \
             (IP protocol 112)",
        ),
        FailureCause::Unfinished { node, .. } => plain
            .on(node)
            .help("its host undoes it when its timer ends; `hactl status` tells when that is over"),
        FailureCause::OutOfTime => plain.help("allow more time: --confirm-timeout"),
        FailureCause::Interrupted => plain,
    }
}

fn complaints(failure: &Failure) -> Vec<Complaint> {
    merged(failure.errors.iter().map(complaint).collect())
}

/// Every cause, the same on several nodes once.
pub(super) fn failure_text(failure: &Failure, unicode: bool) -> String {
    let texts = complaints(failure)
        .into_iter()
        .map(|complaint| complaint.text(unicode));
    texts.collect::<Vec<_>>().concat()
}

/// The same as JSON.
pub(super) fn failure_json(failure: &Failure) -> Value {
    let causes: Vec<Value> = complaints(failure).iter().map(Complaint::json).collect();
    json!({ "step": failure.step, "causes": causes })
}
