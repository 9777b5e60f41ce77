//! What made a change fail.

use super::complaint::{Complaint, merged};
use super::findings::with_rule;
use crate::agent::FailureCode;
use crate::apply::{Failure, FailureCause};
use crate::check::Rule;
use crate::health::{FaultCause, Problem};
use crate::report::{FailureRecord, ProblemRecord};

/// A cause as a complaint.
fn complaint(cause: &FailureCause) -> Complaint {
    let plain = Complaint::new(cause.to_string());
    match cause {
        FailureCause::Agent(error) => Complaint::of_agent(error),
        FailureCause::Refused { node, unit, output } => {
            Complaint::new(with_rule(cause.to_string(), Rule::of_test(*unit)))
                .on(node)
                .detail(output)
                .help("correct what it names; `hactl plan` tests it without touching anything")
        }
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

const NO_ADDRESS: &str =
    "give that address to the host, or correct `address` of that node in the inventory";

fn of_cause(cause: &FaultCause) -> &'static str {
    match cause {
        FaultCause::AddressMissing { .. } => NO_ADDRESS,
        FaultCause::InterfaceDown { .. } => {
            "bring the interface up: `ip link` and `journalctl -k` on that node tell why it is down"
        }
        FaultCause::ScriptFailing { .. } => {
            "run the check by hand on that node: it says why it fails"
        }
        FaultCause::TrackedFile {
            is_nginx_down: true,
            ..
        } => "look at `systemctl status nginx` and nginx's error log on that node",
        FaultCause::TrackedFile { .. } => "find out who writes that file on that node",
    }
}

/// What to look at, by the first thing that was seen from outside, or else for who owns what.
fn proof_help(problems: &[Problem]) -> &'static str {
    let of_problem = |problem: &Problem| match problem {
        Problem::SourceMissing { .. } => Some(NO_ADDRESS),
        Problem::NotElectable { causes, .. } => causes.first().map(of_cause),
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
    let of_rule = || {
        problems
            .iter()
            .find_map(Rule::of_problem)
            .map(|rule| rule.fix)
    };
    let first = problems.iter().find_map(of_problem).or_else(of_rule);
    first.unwrap_or(
        "look at `journalctl -u keepalived` on the nodes, and at whether they hear each other \
         (IP protocol 112)",
    )
}

/// Nodes that only waited for one that failed are not named beside it.
fn complaints(failure: &Failure) -> Vec<Complaint> {
    let follows = |cause: &&FailureCause| matches!(cause, FailureCause::Agent(error) if error.code() == Some(FailureCode::CalledOff));
    let all = || failure.errors.iter();
    let is_known = !all().all(|cause| follows(&cause));
    let shown = all().filter(|cause| !(is_known && follows(cause)));
    merged(shown.map(complaint).collect())
}

/// Every cause, the same on several nodes once.
pub(super) fn failure_text(failure: &Failure, unicode: bool) -> String {
    let texts = complaints(failure)
        .into_iter()
        .map(|complaint| complaint.text(unicode));
    texts.collect::<Vec<_>>().concat()
}

/// The same for programs.
pub(super) fn failure_record(failure: &Failure) -> FailureRecord<'_> {
    let problems = failure.errors.iter().filter_map(|cause| match cause {
        FailureCause::NotProven { problems } => Some(problems),
        _ => None,
    });
    let of_problem = |problem| ProblemRecord {
        problem,
        rule: Rule::of_problem(problem).map(|rule| rule.id),
    };
    FailureRecord {
        step: failure.step,
        causes: complaints(failure).iter().map(Complaint::record).collect(),
        problems: problems.flatten().map(of_problem).collect(),
    }
}
