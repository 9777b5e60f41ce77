use std::net::IpAddr;

use insta::{assert_json_snapshot, assert_snapshot};

use super::change_text::{agreement_question, outcome_text};
use super::progress_lines::Lines;
use super::recovery::recovery_text;
use super::samples::*;
use crate::agent::{AgentError, FailureCode, InstanceState};
use crate::apply::{ApplyResult, Event, FailureCause, RecoveryDirection, Step};
use crate::health::{FaultCause, Problem};
use crate::model::{NodeName, UnitId};
use crate::ops::{ApplyReport, InterruptedChange, Recovery, StaleLock};
use crate::plan::{Goal, Plan};

fn owners() -> Vec<(IpAddr, NodeName)> {
    vec![("10.0.0.100".parse().unwrap(), name("lb1"))]
}

fn shown(plan: Plan, result: ApplyResult) -> String {
    plain(&outcome_text(&report(plan, result), true))
}

fn rolling_back(to: u64) -> Plan {
    let plan = upstream_change();
    Plan {
        goal: Goal::Rollback { to },
        generation: if to == 0 { 0 } else { plan.generation },
        ..plan
    }
}

#[test]
fn good_ends_say_what_is_live() {
    let declined = ApplyReport {
        outcome: None,
        ..report(upstream_change(), ApplyResult::NothingToDo)
    };
    let texts = [
        shown(plan(vec![node("lb1")]), ApplyResult::NothingToDo),
        shown(upstream_change(), ApplyResult::Checked),
        shown(rolling_back(0), ApplyResult::Checked),
        shown(upstream_change(), ApplyResult::Applied { generation: 4 }),
        shown(rolling_back(2), ApplyResult::Applied { generation: 4 }),
        shown(rolling_back(0), ApplyResult::Applied { generation: 0 }),
        plain(&outcome_text(&declined, true)),
    ];
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn nodes_that_were_left_out_and_would_change_are_named() {
    let mut limited = report(upstream_change(), ApplyResult::Applied { generation: 4 });
    limited.behind = vec![name("lb4")];
    let text = outcome_text(&limited, true);
    assert_eq!(
        document("apply", 0, &limited)["outcome"]["behind"][0],
        "lb4"
    );
    assert_snapshot!(plain(&text));
}

#[test]
fn what_follows_from_another_failure_is_not_told_beside_it() {
    let waited = |node: &str| {
        FailureCause::Agent(AgentError::Failed {
            node: name(node),
            code: FailureCode::CalledOff,
            message: "another node could not take its part in the change".to_owned(),
            detail: String::new(),
        })
    };
    let failed = |errors| {
        let failure = failure(Step::Activate, errors);
        shown(upstream_change(), ApplyResult::RolledBack(failure))
    };
    let without = failed(vec![waited("lb2"), waited("lb3"), FailureCause::OutOfTime]);
    assert!(!without.contains("its part"), "{without}");
    let alone = failed(vec![waited("lb2")]);
    assert!(
        alone.contains("its part") && !alone.contains("-vvv"),
        "{alone}"
    );
}

#[test]
fn the_cause_of_a_fault_has_a_help_of_its_own() {
    let problems = vec![
        Problem::NoOwner {
            vip: "10.0.0.100".parse().unwrap(),
        },
        Problem::NotElectable {
            node: name("lb2"),
            instance: "VI_1".to_owned(),
            state: InstanceState::Fault,
            seconds: Some(15),
            causes: vec![FaultCause::AddressMissing {
                address: "10.0.0.42".parse().unwrap(),
            }],
        },
    ];
    let before = super::problems::problems_text(&problems[1..]);
    let errors = vec![FailureCause::NotProven { problems }];
    let result = ApplyResult::RolledBack(failure(Step::Prove, errors));
    let text = plain(&before) + &shown(upstream_change(), result);
    assert!(!text.contains("112"), "{text}");
    assert!(
        text.contains("help: give that address to the host"),
        "{text}"
    );
}

#[test]
fn a_refusal_on_all_nodes_is_told_once() {
    let refused = |node: &str| FailureCause::Refused {
        node: name(node),
        unit: UnitId::NGINX,
        output: format!(
            "2026/11/22 17:00:50 [emerg] {node}: unknown directive \"bogus\"\nnginx: test failed\n"
        )
        .replace(node, "11056#11056"),
    };
    let errors = ["lb2", "lb3", "lb1"].map(refused).into();
    let result = ApplyResult::Unchanged(failure(Step::Validate, errors));
    assert_snapshot!(shown(upstream_change(), result));
}

#[test]
fn a_lock_names_its_holder() {
    let locked = AgentError::Locked {
        node: name("lb1"),
        lock: Box::new(lock("4711")),
    };
    let result = ApplyResult::Unchanged(failure(Step::Lock, vec![FailureCause::Agent(locked)]));
    assert_snapshot!(shown(upstream_change(), result));
}

#[test]
fn a_lock_of_a_change_that_waits_tells_how_to_end_it() {
    let locked = |node| {
        FailureCause::Agent(AgentError::Locked {
            node: name(node),
            lock: Box::new(lock("")),
        })
    };
    let result = ApplyResult::Unchanged(failure(Step::Lock, vec![locked("lb1"), locked("lb2")]));
    assert_snapshot!(shown(upstream_change(), result));
}

fn waiting(generation: u64) -> ApplyResult {
    ApplyResult::Waiting {
        generation,
        deadline: deadline(),
    }
}

#[test]
fn a_change_that_waits_says_until_when_and_how_to_end_it() {
    let texts = [
        shown(upstream_change(), waiting(4)),
        shown(rolling_back(0), waiting(0)),
    ];
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_change_that_waits_as_json() {
    assert_json_snapshot!(document("apply", 0, &report(upstream_change(), waiting(4)))["outcome"]);
}

fn rolled_back() -> ApplyResult {
    let errors = vec![FailureCause::Agent(stale("lb1"))];
    ApplyResult::RolledBack(failure(Step::Activate, errors))
}

#[test]
fn a_failed_reload_is_rolled_back() {
    assert_snapshot!(shown(upstream_change(), rolled_back()));
}

#[test]
fn the_same_in_colour() {
    let text = outcome_text(&report(upstream_change(), rolled_back()), true);
    assert_snapshot!(coloured(&text));
}

#[test]
fn the_same_as_json() {
    assert_json_snapshot!(
        document("apply", 0, &report(upstream_change(), rolled_back()))["outcome"]
    );
}

fn mixed() -> ApplyResult {
    ApplyResult::Mixed {
        failure: failure(
            Step::Prove,
            vec![FailureCause::NotProven {
                problems: vec![
                    Problem::NoOwner {
                        vip: "10.0.0.100".parse().unwrap(),
                    },
                    Problem::NotElectable {
                        node: name("lb1"),
                        instance: "VI_1".to_owned(),
                        state: InstanceState::Fault,
                        seconds: Some(42),
                        causes: vec![FaultCause::InterfaceDown {
                            interface: "eth1".to_owned(),
                        }],
                    },
                    Problem::DaemonDown {
                        node: name("lb2"),
                        daemon: UnitId::KEEPALIVED,
                    },
                ],
            }],
        ),
        problems: vec![
            "cannot read the state of lb3: lb3: the connection ended during observe".to_owned(),
            "lb1: /etc/nginx/nginx.conf differs from before the change".to_owned(),
        ],
    }
}

#[test]
fn a_mixed_state_lists_what_a_person_has_to_look_at() {
    assert_snapshot!(shown(upstream_change(), mixed()));
}

#[test]
fn a_mixed_state_as_json() {
    assert_json_snapshot!(document("apply", 0, &report(upstream_change(), mixed()))["outcome"]);
}

#[test]
fn a_stop_and_an_unfinished_change() {
    let unfinished = FailureCause::Unfinished {
        node: name("lb2"),
        tx: "20261122T165000Z-1-00000000".to_owned(),
    };
    let texts = [
        shown(
            upstream_change(),
            ApplyResult::RolledBack(failure(Step::Activate, vec![FailureCause::Interrupted])),
        ),
        shown(
            upstream_change(),
            ApplyResult::Unchanged(failure(Step::Lock, vec![unfinished])),
        ),
    ];
    assert_snapshot!(texts.join("\n"));
}

#[test]
fn questions_say_what_is_agreed_to() {
    let questions = [upstream_change(), rolling_back(2), rolling_back(0)];
    let questions = questions.map(|plan| {
        agreement_question(&Recovery::default(), &plan)
            .trim_end()
            .to_owned()
    });
    assert_snapshot!(plain(&questions.join("\n")));
}

/// The log that `events` produce for `plan`.
fn log(plan: &Plan, events: &[Event]) -> String {
    let mut lines = Lines::new(plan);
    // Log lines are not wrapped, so that a search finds them whole.
    unbroken(
        &stamped(events)
            .iter()
            .map(|event| lines.event(event))
            .collect::<String>(),
    )
}

fn on_all(step: Step, note: Option<&str>) -> Vec<Event> {
    let done = |node: &str| Event::NodeDone {
        step,
        node: name(node),
        note: note.map(str::to_owned),
    };
    let mut events = vec![Event::StepStarted { step, nodes: 3 }];
    events.extend(["lb2", "lb1", "lb3"].map(done));
    events
}

fn until_validated() -> Vec<Event> {
    let tested = Event::Tested {
        node: name("lb1"),
        tests: vec![test(UnitId::NGINX, 0, ""), test(UnitId::KEEPALIVED, 0, "")],
    };
    [
        on_all(Step::Lock, None),
        on_all(
            Step::Prepare,
            Some("installed nginx, keepalived and 14 dependencies"),
        ),
        on_all(Step::Stage, None),
        vec![tested],
        on_all(Step::Validate, None),
        vec![Event::StepStarted {
            step: Step::Activate,
            nodes: 3,
        }],
    ]
    .concat()
}

fn activated(node: &str) -> Vec<Event> {
    vec![
        Event::Activating {
            node: name(node),
            holds: Vec::new(),
        },
        Event::NodeDone {
            step: Step::Activate,
            node: name(node),
            note: None,
        },
        Event::OwnersSeen { owners: owners() },
    ]
}

#[test]
fn a_log_of_a_first_apply() {
    let events = [
        until_validated(),
        activated("lb1"),
        activated("lb2"),
        activated("lb3"),
        on_all(Step::Confirm, None),
    ]
    .concat();
    assert_snapshot!(log(&first_plan(), &events));
}

#[test]
fn what_a_step_has_done_on_some_nodes_is_not_lost() {
    let mut lines = Lines::new(&upstream_change());
    let mut events = on_all(Step::Confirm, None);
    events.pop();
    let said: String = stamped(&events)
        .iter()
        .map(|event| lines.event(event))
        .collect();
    assert_eq!(said, "");
    let last = plain(&lines.finish());
    assert_eq!(last, "lb1, lb2: confirmed over a fresh connection\n");
}

fn interrupted(direction: RecoveryDirection) -> InterruptedChange {
    InterruptedChange {
        tx: "20261122T165000Z-1-00000000".to_owned(),
        by: "anna@desk".to_owned(),
        generation: Some(4),
        direction,
        nodes: vec![name("lb2"), name("lb3")],
    }
}

fn recovery(changes: Vec<InterruptedChange>) -> Recovery {
    let lock = StaleLock {
        node: name("lb1"),
        holder: "bob@desk".to_owned(),
        since: "2026-11-22T16:50:00Z".to_owned(),
        tx: "20261122T165001Z-1-00000000".to_owned(),
    };
    let stale_locks = if changes.is_empty() {
        vec![lock]
    } else {
        Vec::new()
    };
    Recovery {
        changes,
        stale_locks,
    }
}

#[test]
fn what_is_recovered_first_is_shown_asked_for_and_told() {
    use RecoveryDirection::{Complete, RollBack};
    let recoveries = [
        recovery(vec![interrupted(RollBack)]),
        recovery(vec![interrupted(Complete)]),
        recovery(Vec::new()),
    ];
    let mut text = String::new();
    for found in &recoveries {
        text += &recovery_text(found);
        for plan in [upstream_change(), plan(vec![node("lb1")])] {
            text += agreement_question(found, &plan).trim_end();
            text += "\n";
        }
    }
    let change = interrupted(RollBack);
    let events = [
        Event::RecoveryStarted {
            tx: change.tx.clone(),
            by: change.by,
            direction: RollBack,
            nodes: change.nodes,
        },
        Event::Reverting { node: name("lb2") },
        Event::Reverted { node: name("lb2") },
        Event::RecoveryFinished {
            tx: change.tx,
            direction: Some(RollBack),
        },
        Event::LockReleased {
            node: name("lb1"),
            holder: "bob@desk".to_owned(),
        },
        Event::LockNotReleased {
            node: name("lb3"),
            message: "lb3: the connection ended during unlock".to_owned(),
        },
    ];
    let mut lines = Lines::new(&upstream_change());
    text += &stamped(&events)
        .iter()
        .map(|event| lines.event(event))
        .collect::<String>();
    assert_snapshot!(plain(&text));
}

#[test]
fn a_log_of_an_apply_that_fails() {
    let failing = vec![
        Event::Activating {
            node: name("lb1"),
            holds: vec!["10.0.0.100".parse().unwrap()],
        },
        Event::Failed {
            step: Step::Activate,
            message: stale("lb1").to_string(),
        },
        Event::Reverting { node: name("lb1") },
        Event::RevertFailed {
            node: name("lb1"),
            message: "the connection ended during revert".to_owned(),
        },
        Event::Reverting { node: name("lb2") },
        Event::Reverted { node: name("lb2") },
    ];
    let events = [until_validated(), activated("lb2"), failing].concat();
    assert_snapshot!(log(&upstream_change(), &events));
}
