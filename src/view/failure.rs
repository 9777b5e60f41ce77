//! Text for the causes of a failed change.

use super::error_report::{ErrorReport, merged};
use super::findings::with_rule;
use crate::agent::FailureCode;
use crate::apply::{Failure, FailureCause};
use crate::check::Rule;
use crate::health::{FaultCause, Problem};
use crate::report::{FailureRecord, ProblemRecord};

fn complaint(cause: &FailureCause) -> ErrorReport {
    let plain = ErrorReport::new(cause.to_string());
    match cause {
        FailureCause::Agent(error) => ErrorReport::of_agent(error),
        FailureCause::Refused { node, unit, output } => ErrorReport::new(with_rule(
            cause.to_string(),
            Rule::of_test(*unit),
        ))
        .on(node)
        .detail(output)
        .help("correct what the daemon names; test it with `hactl plan`, which changes nothing"),
        FailureCause::NotProven { problems } => plain.help(proof_help(problems)),
        FailureCause::Unfinished { node, .. } => plain
            .on(node)
            .help("wait for its host to roll it back when its timer ends; see `hactl status`"),
        FailureCause::OutOfTime => plain.help("allow more time with `--confirm-timeout`"),
        FailureCause::KeptSilent { node } => plain
            .on(node)
            .help("wait for its host to start it when its timer ends; see `hactl status`"),
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

/// The hint for the first problem that has one of its own, else the fix of its rule.
fn proof_help(problems: &[Problem]) -> &'static str {
    let of_problem = |problem: &Problem| match problem {
        Problem::SourceMissing { .. } => Some(NO_ADDRESS),
        Problem::NotElectable { causes, .. } => causes.first().map(of_cause),
        Problem::WrongHardware { .. } => Some(
            "look for another host with that hardware address, and for filters on the switch (port security, \
             ARP inspection): the owner announced itself and was not heard",
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
        "read `journalctl -u keepalived` on the nodes, and check that they hear each other \
         (IP protocol 112)",
    )
}

/// Leaves out nodes that stopped only because another one failed, unless no other cause is known.
fn complaints(failure: &Failure) -> Vec<ErrorReport> {
    let follows = |cause: &&FailureCause| matches!(cause, FailureCause::Agent(error) if error.code() == Some(FailureCode::CalledOff));
    let all = || failure.errors.iter();
    let is_known = !all().all(|cause| follows(&cause));
    let shown = all().filter(|cause| !(is_known && follows(cause)));
    merged(shown.map(complaint).collect())
}

/// Every cause, with those that several nodes share merged.
pub(super) fn failure_text(failure: &Failure, unicode: bool) -> String {
    let texts = complaints(failure)
        .into_iter()
        .map(|complaint| complaint.text(unicode));
    texts.collect::<Vec<_>>().concat()
}

/// The failure as JSON.
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
        causes: complaints(failure)
            .iter()
            .map(ErrorReport::record)
            .collect(),
        problems: problems.flatten().map(of_problem).collect(),
    }
}
