//! What made a change fail.

use serde_json::{Value, json};

use super::complaint::{Complaint, merged};
use crate::apply::{Failure, FailureCause};
use crate::health::Problem;

/// A cause as a complaint.
fn complaint(cause: &FailureCause) -> Complaint {
    let plain = Complaint::new(cause.to_string());
    match cause {
        FailureCause::Agent(error) => Complaint::of_agent(error),
        FailureCause::Refused { node, output, .. } => plain
            .on(node)
            .detail(output)
            .help("correct what it names; `hactl plan` tests it without touching anything"),
        FailureCause::NotProven { problems } => plain.help(proof_help(problems)),
        FailureCause::Unfinished { node, .. } => plain
            .on(node)
            .help("its host undoes it when its timer ends; `hactl status` tells when that is over"),
        FailureCause::OutOfTime => plain.help("allow more time: --confirm-timeout"),
        FailureCause::KeptSilent { node } => plain.on(node).help(
            "its host starts it when its timer has ended; `hactl status` tells when that is over",
        ),
        FailureCause::Interrupted => plain,
    }
}

/// What to look at, by the first thing that was seen from outside, or else for who owns what.
fn proof_help(problems: &[Problem]) -> &'static str {
    let of_problem = |problem: &Problem| match problem {
        Problem::WrongHardware { .. } => Some(
            "the owner has announced itself and is not heard: look for another host with that hardware \
             address, and at what the switch filters (port security, ARP inspection)",
        ),
        Problem::NotReached { .. } => Some(
            "open that port on the owner for the other nodes, too (`nft list ruleset` there): they look as \
             your users do",
        ),
        Problem::OtherGeneration { .. } => Some(
            "look for another server with that address: `ip neigh show to VIP` tells where it is",
        ),
        Problem::NotServed { .. } => Some("look at `ss -ltn` and nginx's error log on that node"),
        _ => None,
    };
    let of_rule = || problems.iter().find_map(Problem::rule).map(|rule| rule.fix);
    let first = problems.iter().find_map(of_problem).or_else(of_rule);
    first.unwrap_or(
        "look at `journalctl -u keepalived` on the nodes, and at whether they hear each other \
         (IP protocol 112)",
    )
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
    let problems = failure.errors.iter().filter_map(|cause| match cause {
        FailureCause::NotProven { problems } => Some(problems),
        _ => None,
    });
    let problems: Vec<&Problem> = problems.flatten().collect();
    let mut json = json!({ "step": failure.step, "causes": causes });
    if !problems.is_empty() {
        json["problems"] = json!(problems);
    }
    json
}
