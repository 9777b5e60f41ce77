//! What made a change fail.

use serde_json::{Value, json};

use super::complaint::Complaint;
use crate::apply::{Failure, FailureCause};

/// Every cause as a complaint.
fn complaint(cause: &FailureCause) -> Complaint {
    match cause {
        FailureCause::Agent(error) => Complaint::of_agent(error),
        FailureCause::Refused { output, .. } => Complaint::new(cause.to_string())
            .detail(output)
            .help("correct what it names; `hactl plan` tests without touching anything"),
        FailureCause::Owners { .. } => Complaint::new(cause.to_string())
            .help("look at `journalctl -u keepalived` on the nodes, and at whether they hear each other (protocol 112)"),
        FailureCause::Unfinished { .. } => Complaint::new(cause.to_string())
            .help("its host undoes it when its timer ends; `hactl status` tells when it is over"),
        FailureCause::Interrupted => Complaint::new(cause.to_string()),
    }
}

/// Every cause; the same words about several nodes are several complaints.
pub(super) fn failure_text(failure: &Failure, unicode: bool) -> String {
    failure
        .errors
        .iter()
        .map(|cause| complaint(cause).text(unicode))
        .collect()
}

/// The same as JSON.
pub(super) fn failure_json(failure: &Failure) -> Value {
    let causes: Vec<Value> = failure
        .errors
        .iter()
        .map(|cause| complaint(cause).json())
        .collect();
    json!({ "step": failure.step, "causes": causes })
}
