//! How commands end: the document that each prints, and its exit code.

use serde_json::{Value, json};

use super::*;
use crate::cli::Exit;
use crate::ops;
use crate::remote::fake::{Fault, Planned};
use crate::view::{ErrorReport, Format, Locks, Show, Ui};

#[derive(Debug, Clone, Copy)]
enum Verb {
    Plan,
    Apply,
    ApplyManual,
    Rollback(u64),
    Settle(PendingAction),
    Locks,
    BreakLocks { force: bool },
}

/// A cluster that hactl has set up and whose inventory has changed since, what happens to it, and how the command must
/// end: its exit code, and values in its document.
struct Case {
    name: &'static str,
    prepare: fn(&mut World),
    verb: Verb,
    exit: Exit,
    says: &'static [(&'static str, &'static str)],
    /// Nothing was written on a host.
    is_untouched: bool,
}

const GONE: fn(&mut World) = |world| world.host(3, |host| host.is_gone = true);

const INTERRUPTED: fn(&mut World) = |world| {
    world.host(2, |host| {
        host.journal = Some(("tx-0".to_owned(), "activated"));
    });
};

const LOCKED: fn(&mut World) = |world| world.host(2, |host| host.lock = Some("other".to_owned()));

/// Fails the next `times` calls of `verb` on a node.
fn fail(world: &World, node: usize, verb: &'static str, times: usize, fault: Fault) {
    let next = world.host(node, |host| host.calls_of(verb));
    let planned = (next..next + times).map(|nth| Planned {
        node: node - 1,
        verb,
        nth,
        fault,
    });
    world.cluster.state().faults.extend(planned);
}

const CASES: &[Case] = &[
    Case {
        name: "a change",
        prepare: |_| (),
        verb: Verb::Apply,
        exit: Exit::Done,
        says: &[
            ("/outcome/result", "applied"),
            ("/outcome/generation", "2"),
            ("/recovered", "false"),
        ],
        is_untouched: false,
    },
    Case {
        name: "a plan with something to recover",
        prepare: INTERRUPTED,
        verb: Verb::Plan,
        exit: Exit::Done,
        says: &[
            ("/changes", "true"),
            ("/recovery/changes/0/tx", "tx-0"),
            ("/recovery/changes/0/direction", "roll_back"),
        ],
        is_untouched: true,
    },
    Case {
        name: "a change after one that was interrupted",
        prepare: INTERRUPTED,
        verb: Verb::Apply,
        exit: Exit::Done,
        says: &[
            ("/recovered", "true"),
            ("/recovery/changes/0/nodes/0", "lb2"),
            ("/outcome/result", "applied"),
        ],
        is_untouched: false,
    },
    Case {
        name: "a recovery that fails",
        prepare: |world| {
            INTERRUPTED(world);
            fail(world, 2, "revert", 2, Fault::Refused);
        },
        verb: Verb::Apply,
        exit: Exit::Mixed,
        says: &[("/error/nodes/0", "lb2")],
        is_untouched: false,
    },
    Case {
        name: "a daemon that refuses its files",
        prepare: |world| fail(world, 2, "validate-staged", 1, Fault::Refused),
        verb: Verb::Apply,
        exit: Exit::Unchanged,
        says: &[
            ("/outcome/result", "unchanged"),
            ("/outcome/failure/step", "validate"),
            ("/outcome/failure/causes/0/nodes/0", "lb2"),
        ],
        is_untouched: false,
    },
    Case {
        name: "an activation that fails",
        prepare: |world| fail(world, 1, "activate", 1, Fault::FailedAfter),
        verb: Verb::Apply,
        exit: Exit::RolledBack,
        says: &[
            ("/outcome/result", "rolled_back"),
            ("/outcome/failure/step", "activate"),
            ("/outcome/failure/causes/0/nodes/0", "lb1"),
        ],
        is_untouched: false,
    },
    Case {
        name: "half a cluster",
        prepare: GONE,
        verb: Verb::Apply,
        exit: Exit::Unchanged,
        says: &[],
        is_untouched: true,
    },
    Case {
        name: "half a cluster, and --limit",
        prepare: |world| {
            GONE(world);
            world.selection.limit = vec![name(1), name(2)];
        },
        verb: Verb::Apply,
        exit: Exit::Done,
        says: &[
            ("/outcome/result", "applied"),
            ("/notices/0/kind", "not_seen"),
            ("/notices/0/node", "lb3"),
        ],
        is_untouched: false,
    },
    Case {
        name: "--limit to some, and the rest answers",
        prepare: |world| world.selection.limit = vec![name(1), name(2)],
        verb: Verb::Apply,
        exit: Exit::Done,
        says: &[("/outcome/result", "applied"), ("/outcome/behind/0", "lb3")],
        is_untouched: false,
    },
    Case {
        name: "--limit to a node that the inventory lacks",
        prepare: |world| world.selection.limit = vec![name(9)],
        verb: Verb::Apply,
        exit: Exit::Usage,
        says: &[],
        is_untouched: true,
    },
    Case {
        name: "half a cluster, rolled back",
        prepare: GONE,
        verb: Verb::Rollback(0),
        exit: Exit::Unchanged,
        says: &[],
        is_untouched: true,
    },
    Case {
        name: "a rollback to what never was",
        prepare: |_| (),
        verb: Verb::Rollback(7),
        exit: Exit::Unchanged,
        says: &[],
        is_untouched: true,
    },
    Case {
        name: "somebody else's lock",
        prepare: LOCKED,
        verb: Verb::Apply,
        exit: Exit::Locked,
        says: &[
            ("/outcome/result", "unchanged"),
            ("/outcome/failure/step", "lock"),
        ],
        is_untouched: false,
    },
    Case {
        name: "locks, and half a cluster",
        prepare: |world| {
            LOCKED(world);
            GONE(world);
        },
        verb: Verb::Locks,
        exit: Exit::Done,
        says: &[
            ("/nodes/1/lock/tx", "other"),
            ("/unreachable/0/node", "lb3"),
        ],
        is_untouched: true,
    },
    Case {
        name: "a lock that is broken",
        prepare: LOCKED,
        verb: Verb::BreakLocks { force: false },
        exit: Exit::Done,
        says: &[("/broken/0", "lb2")],
        is_untouched: false,
    },
    Case {
        name: "a lock of a change under way",
        prepare: |world| {
            INTERRUPTED(world);
            LOCKED(world);
        },
        verb: Verb::BreakLocks { force: false },
        exit: Exit::Unchanged,
        says: &[("/error/nodes/0", "lb2")],
        is_untouched: true,
    },
    Case {
        name: "a change that waits",
        prepare: |_| (),
        verb: Verb::ApplyManual,
        exit: Exit::Done,
        says: &[("/outcome/result", "waiting")],
        is_untouched: false,
    },
    Case {
        name: "nothing to confirm",
        prepare: |_| (),
        verb: Verb::Settle(PendingAction::Confirm),
        exit: Exit::Done,
        says: &[("/outcome/result", "nothing_under_way")],
        is_untouched: true,
    },
    Case {
        name: "nothing to confirm on half a cluster",
        prepare: GONE,
        verb: Verb::Settle(PendingAction::Confirm),
        exit: Exit::Unchanged,
        says: &[("/error/nodes/0", "lb3")],
        is_untouched: true,
    },
];

/// The document of a report, validated against its schema as it is printed, and the exit code.
fn document<T: Show>(verb: &'static str, exit: Exit, report: &T) -> (Exit, Value) {
    let ui = Ui::captured(Format::Json);
    ui.show(verb, exit.code(), report);
    (exit, serde_json::from_str(&ui.what_was_captured()).unwrap())
}

fn refusal(verb: &'static str, error: &OpsError) -> (Exit, Value) {
    let (ui, exit) = (Ui::captured(Format::Json), Exit::of_error(error));
    ui.fail(verb, &ErrorReport::of_ops(error), exit.code());
    // The document follows the text for humans.
    let printed = ui.what_was_captured();
    let begins = printed.lines().take_while(|line| !line.starts_with('{'));
    let document: Vec<&str> = printed.lines().skip(begins.count()).collect();
    (exit, serde_json::from_str(&document.join("\n")).unwrap())
}

fn ended(verb: &'static str, report: Result<ApplyReport, OpsError>) -> (Exit, Value) {
    match report {
        Ok(report) => {
            let exit = report.outcome.as_ref().map_or(Exit::Done, Exit::of_outcome);
            document(verb, exit, &report)
        }
        Err(error) => refusal(verb, &error),
    }
}

impl Verb {
    async fn run(self, world: &World) -> (Exit, Value) {
        let (selection, access) = (&world.selection, &world.access);
        let (agree, events) = (|_: &Proposal<'_>| Consent::Given, lines());
        let auto = request(&agree, &events);
        match self {
            Self::Plan => match ops::plan(selection, access).await {
                Ok(report) => {
                    let shown = crate::view::Planned {
                        report: &report,
                        detail: crate::view::PlanDetail::Diffs,
                        saved: None,
                    };
                    document("plan", Exit::Done, &shown)
                }
                Err(error) => refusal("plan", &error),
            },
            Self::Apply => ended("apply", ops::apply(selection, access, auto).await),
            Self::ApplyManual => {
                let manual = ApplyRequest {
                    confirm: Confirmation::Manual,
                    ..auto
                };
                ended("apply", ops::apply(selection, access, manual).await)
            }
            Self::Rollback(to) => {
                let back = RollbackRequest { to: Some(to) };
                let report = ops::rollback(selection, access, back, auto).await;
                ended("rollback", report)
            }
            Self::Settle(verb) => {
                let events = lines();
                let request = SettleRequest {
                    verb,
                    events: &events,
                };
                match ops::settle(selection, access, request).await {
                    Ok(report) => document("confirm", Exit::of_settled(&report), &report),
                    Err(error) => refusal("confirm", &error),
                }
            }
            Self::Locks => match ops::lock_show(selection, access).await {
                Ok(report) => document("lock", Exit::Done, &Locks(&report)),
                Err(error) => refusal("lock", &error),
            },
            Self::BreakLocks { force } => {
                let request = LockBreakRequest {
                    force,
                    agree: &|_| true,
                };
                match ops::lock_break(selection, access, request).await {
                    Ok(report) => {
                        let shown = crate::view::BrokenLocks(&report);
                        document("lock", Exit::Done, &shown)
                    }
                    Err(error) => refusal("lock", &error),
                }
            }
        }
    }
}

/// A value as the tables spell it.
fn word(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "nothing".to_owned(),
    }
}

async fn hold(case: &Case, mut world: World) {
    (case.prepare)(&mut world);
    let (exit, said) = case.verb.run(&world).await;
    let name = case.name;
    assert_eq!(exit, case.exit, "{name}: {said:#}");
    assert_eq!(said["exit_code"], json!(exit.code()), "{name}");
    for (pointer, expected) in case.says {
        assert_eq!(
            word(said.pointer(pointer)),
            *expected,
            "{name}: {pointer} of {said:#}"
        );
    }
    let log = world.forget_calls();
    assert_eq!(
        writes(&log).is_empty(),
        case.is_untouched,
        "{name}: {log:?}"
    );
}

#[tokio::test]
async fn every_verb_ends_as_its_document_and_its_exit_code_say() {
    let world = World::live().await;
    world.edit("listen: [80]", "listen: [80, 8080]");
    let runs = CASES.iter().map(|case| hold(case, world.copy()));
    futures::future::join_all(runs).await;
}

/// A change pending confirmation ends as the operator says, even if some node does not answer.
#[tokio::test]
async fn a_change_that_waits_is_ended_where_its_nodes_can_be_asked() {
    use PendingAction::{Cancel, Confirm};
    let world = World::live().await;
    world.edit("listen: [80]", "listen: [80, 8080]");
    Verb::ApplyManual.run(&world).await;
    let gone = |number| {
        let world = world.copy();
        world.host(number, |host: &mut FakeHost| host.is_gone = true);
        world
    };
    let is_offered = |number: &usize| {
        world.host(*number, |host| {
            host.journal
                .as_ref()
                .is_some_and(|(_, phase)| *phase == "offered")
        })
    };
    let decider = (1..=3).find(is_offered).unwrap();
    let other = if decider == 3 { 2 } else { 3 };
    let cases = [
        (world.copy(), Confirm, Exit::Done, "confirmed"),
        (world.copy(), Cancel, Exit::Done, "undone"),
        // A missing node might need the decision, and the decider must be reached.
        (gone(other), Confirm, Exit::Unchanged, "nothing"),
        (gone(decider), Confirm, Exit::Unchanged, "nothing"),
        (gone(decider), Cancel, Exit::Unchanged, "nothing"),
    ];
    for (world, verb, exit, result) in cases {
        let (ended, said) = Verb::Settle(verb).run(&world).await;
        assert_eq!(ended, exit, "{verb:?}: {said:#}");
        assert_eq!(
            word(said.pointer("/outcome/result")),
            result,
            "{verb:?}: {said:#}"
        );
        world.forget_calls();
    }
}
