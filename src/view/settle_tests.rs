use std::time::Duration;

use insta::{assert_json_snapshot, assert_snapshot};

use super::lock::{break_question, broken_text, locks_text};
use super::samples::*;
use super::settle::settled_text;
use crate::agent::{Cause, Ending, Journal, Outcome, Phase};
use crate::apply::{Decision, FailureCause, Member, PendingAction, Step};
use crate::ops::{ChangeSeen, LockReport, NodeLock, SettleEnd, SettleReport, Unreachable};

use PendingAction::{Cancel, Confirm};

fn settled(verb: PendingAction, end: SettleEnd) -> SettleReport {
    let member = |node| Member {
        node: name(node),
        side: Decision::InDoubt,
        phase: Some(Phase::Activated),
    };
    let change = ChangeSeen {
        tx: "20261122T165000Z-1-00000000".to_owned(),
        by: "anna@desk".to_owned(),
        generation: Some(4),
        members: ["lb2", "lb3", "lb1"].map(member).into(),
        deadline: Some(deadline()),
    };
    SettleReport {
        verb,
        change: (!matches!(end, SettleEnd::Nothing { .. })).then_some(change),
        events: Vec::new(),
        end,
        elapsed: Duration::from_millis(840),
    }
}

fn text(verb: PendingAction, end: SettleEnd) -> String {
    plain(&settled_text(&settled(verb, end), true))
}

fn last(result: Ending, cause: Cause, why: &str) -> SettleEnd {
    let outcome = |node| {
        let outcome = Outcome {
            tx: "20261122T165000Z-1-00000000".to_owned(),
            result,
            cause,
            why: why.to_owned(),
            at: "2026-11-22T16:52:00Z".to_owned(),
            is_noted: false,
        };
        (name(node), outcome)
    };
    SettleEnd::Nothing {
        last: ["lb1", "lb2"].map(outcome).into(),
    }
}

fn unreached() -> crate::apply::Failure {
    let cause = FailureCause::Agent(unreachable("lb2"));
    failure(Step::Confirm, vec![cause])
}

#[test]
fn ends_of_a_change_that_waited() {
    let texts = [
        text(Confirm, SettleEnd::Committed),
        text(Cancel, SettleEnd::RolledBack),
        text(Cancel, SettleEnd::Committed),
        text(Confirm, SettleEnd::RolledBack),
    ];
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn nothing_to_end_tells_how_the_last_change_ended() {
    let none = || SettleEnd::Nothing { last: Vec::new() };
    let expired = || {
        last(
            Ending::Expired,
            Cause::Unconfirmed,
            "nobody confirmed it in time",
        )
    };
    let texts = [
        text(Confirm, none()),
        text(Confirm, last(Ending::Confirmed, Cause::Hactl, "by hactl")),
        text(Confirm, expired()),
        text(Cancel, last(Ending::Confirmed, Cause::Hactl, "by hactl")),
        text(Cancel, expired()),
    ];
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn what_could_not_be_decided_still_waits() {
    let end = SettleEnd::Pending {
        failure: Some(unreached()),
    };
    assert_snapshot!(text(Confirm, end));
}

#[test]
fn a_node_that_is_not_seen_to_have_decided_needs_a_person() {
    let end = SettleEnd::Diverged {
        failure: Some(unreached()),
        problems: vec!["lb3: cannot reach 10.0.0.13 by ssh".to_owned()],
    };
    assert_snapshot!(text(Cancel, end));
}

#[test]
fn ends_as_json() {
    let json = |verb, end| document("confirm", 0, &settled(verb, end))["outcome"].clone();
    assert_json_snapshot!([
        json(Confirm, SettleEnd::Committed),
        json(Cancel, SettleEnd::RolledBack),
        json(
            Confirm,
            SettleEnd::Pending {
                failure: Some(unreached())
            }
        ),
        json(
            Confirm,
            last(
                Ending::Expired,
                Cause::Unconfirmed,
                "nobody confirmed it in time"
            )
        ),
    ]);
}

fn node_lock(node: &str, pid: Option<&str>, phase: Option<Phase>) -> NodeLock {
    NodeLock {
        node: name(node),
        lock: pid.map(lock),
        is_holder_dead: false,
        journal: phase.map(|phase| Journal {
            tx: "20261122T165000Z-1-00000000".to_owned(),
            phase,
            by: "anna@desk".to_owned(),
            deadline: Some(deadline()),
            ..Journal::default()
        }),
    }
}

fn locks(nodes: Vec<NodeLock>) -> LockReport {
    LockReport {
        cluster: crate::model::ClusterName::new("web").unwrap(),
        nodes,
        unreachable: Vec::new(),
        broken: Vec::new(),
        errors: Vec::new(),
    }
}

#[test]
fn locks_at_work() {
    let report = locks(vec![
        node_lock("lb1", Some("4711"), None),
        node_lock("lb2", Some("4711"), Some(Phase::Activating)),
        node_lock("lb3", None, None),
    ]);
    assert_snapshot!(unbroken(&locks_text(&report)));
}

#[test]
fn locks_of_a_change_that_waits_and_of_the_dead() {
    let waits = locks(vec![
        node_lock("lb1", Some(""), Some(Phase::Activated)),
        node_lock("lb2", Some(""), Some(Phase::Offered)),
    ]);
    let mut dead = node_lock("lb1", Some("4711"), None);
    dead.is_holder_dead = true;
    let mut dead = locks(vec![dead]);
    dead.unreachable.push(Unreachable {
        node: name("lb2"),
        why: "lb2: cannot reach 10.0.0.12 by ssh".to_owned(),
        help: String::new(),
    });
    let texts = [waits, dead].map(|report| unbroken(&locks_text(&report)));
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn breaking_locks_says_what_it_means() {
    let mut idle = locks(vec![node_lock("lb1", Some("4711"), None)]);
    let mut busy = locks(vec![node_lock("lb1", Some(""), Some(Phase::Offered))]);
    let questions = [&idle, &busy].map(|report| {
        let text = anstream::adapter::strip_str(&break_question(report)).to_string();
        format!("{}\n", text.trim_end())
    });
    for report in [&mut idle, &mut busy] {
        report.broken.push(name("lb1"));
    }
    let ends = [&idle, &busy, &locks(vec![node_lock("lb1", None, None)])]
        .map(|report| plain(&broken_text(report, true)));
    assert_snapshot!([questions.join("\n"), ends.join("\n")].join("\n"));
}
