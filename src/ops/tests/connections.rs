//! Every connection that a command opens is closed, whatever happens to the command.

use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;

use super::*;
use crate::drill::Drill;
use crate::ops::{self, FailoverRequest};
use crate::remote::fake::{Fault, Planned};

type Run<'w> = Pin<Box<dyn Future<Output = ()> + 'w>>;

/// A command, on a cluster prepared for it. Its result does not matter here.
struct Verb {
    name: &'static str,
    prepare: fn(&mut World),
    run: fn(&World) -> Run<'_>,
}

const VERBS: [Verb; 13] = [
    Verb {
        name: "plan",
        prepare: edit,
        run: |world| Box::pin(async { drop(ops::plan(&world.selection, &world.access).await) }),
    },
    Verb {
        name: "apply",
        prepare: edit,
        run: apply_now,
    },
    Verb {
        name: "apply --check-only",
        prepare: edit,
        run: |world| Box::pin(async { drop(change(world, true, Consent::Given).await) }),
    },
    Verb {
        name: "apply, declined",
        prepare: edit,
        run: |world| Box::pin(async { drop(change(world, false, Consent::Declined).await) }),
    },
    Verb {
        name: "apply after an interrupted one",
        prepare: |world| {
            edit(world);
            world.host(2, |host| {
                host.journal = Some(("tx-0".to_owned(), "activated"));
            });
        },
        run: apply_now,
    },
    Verb {
        name: "apply --forget",
        prepare: |world| {
            let lb3 = "  - { name: lb3, address: 10.0.0.13, interface: eth0 }\n";
            world.edit(lb3, "");
            world.selection.forget = vec!["lb3".to_owned()];
            // It answers ARP, so it is observed.
            let neighbour = format!("neighbour\t10.0.0.13\t{}\t\n", hardware(&name(3)));
            world.host(1, |host| host.tells.push_str(&neighbour));
            world.host(3, |host| host.tells.push_str("vrrp\n"));
        },
        run: apply_now,
    },
    Verb {
        name: "rollback",
        prepare: |_| (),
        run: |world| {
            Box::pin(async {
                let (agree, events) = (|_: &Proposal<'_>| Consent::Given, lines());
                let back = RollbackRequest { to: Some(1) };
                drop(
                    ops::rollback(&world.selection, &world.access, back, soon(&agree, &events))
                        .await,
                );
            })
        },
    },
    Verb {
        name: "confirm",
        prepare: |_| (),
        run: |world| Box::pin(settle_waiting(world, PendingAction::Confirm)),
    },
    Verb {
        name: "cancel",
        prepare: |_| (),
        run: |world| Box::pin(settle_waiting(world, PendingAction::Cancel)),
    },
    Verb {
        name: "status",
        prepare: edit,
        run: |world| Box::pin(async { drop(ops::status(&world.selection, &world.access).await) }),
    },
    Verb {
        name: "history",
        prepare: |_| (),
        run: |world| Box::pin(async { drop(ops::history(&world.selection, &world.access).await) }),
    },
    Verb {
        name: "lock break",
        prepare: |world| world.host(2, |host| host.lock = Some("other".to_owned())),
        run: |world| {
            Box::pin(async {
                let request = LockBreakRequest {
                    force: false,
                    agree: &|_| true,
                };
                drop(ops::lock_show(&world.selection, &world.access).await);
                drop(ops::lock_break(&world.selection, &world.access, request).await);
            })
        },
    },
    Verb {
        name: "failover-test",
        prepare: |_| (),
        run: |world| Box::pin(drill(world)),
    },
];

fn edit(world: &mut World) {
    world.edit("listen: [80]", "listen: [80, 8080]");
}

fn apply_now(world: &World) -> Run<'_> {
    Box::pin(async { drop(change(world, false, Consent::Given).await) })
}

/// The same, with less patience than an operator.
fn soon<'a>(
    agree: &'a (dyn Fn(&Proposal<'_>) -> Consent + Sync),
    events: &'a Events<'a, Event>,
) -> ApplyRequest<'a> {
    ApplyRequest {
        confirm_timeout: Duration::from_secs(4),
        ..request(agree, events)
    }
}

async fn change(
    world: &World,
    check_only: bool,
    consent: Consent,
) -> Result<ApplyReport, OpsError> {
    let (agree, events) = (|_: &Proposal<'_>| consent.clone(), lines());
    let request = ApplyRequest {
        check_only,
        ..soon(&agree, &events)
    };
    ops::apply(&world.selection, &world.access, request).await
}

async fn settle_waiting(world: &World, verb: PendingAction) {
    let events = lines();
    let request = SettleRequest {
        verb,
        events: &events,
    };
    drop(ops::settle(&world.selection, &world.access, request).await);
}

/// The in-memory hosts do not support drills: one fails at the first clock reading.
async fn drill(world: &World) {
    let events = Events::new(&|_| ());
    let request = FailoverRequest {
        drills: vec![Drill::NginxKill],
        node: None,
        skip_impossible: false,
        hold: None,
        repeat: 1,
        probe_interval: Duration::from_millis(10),
        held_connections: 0,
        download: None,
        budget: None,
        agree: &|_, _| true,
        events: &events,
    };
    drop(ops::failover_test(&world.selection, &world.access, request).await);
}

async fn prepared(verb: &Verb) -> World {
    let mut world = World::live().await;
    if matches!(verb.name, "confirm" | "cancel") {
        edit(&mut world);
        let (agree, events) = (|_: &Proposal<'_>| Consent::Given, lines());
        let request = ApplyRequest {
            confirm: Confirmation::Manual,
            ..request(&agree, &events)
        };
        ops::apply(&world.selection, &world.access, request)
            .await
            .unwrap();
    }
    (verb.prepare)(&mut world);
    world.forget_calls();
    world
}

/// The calls of a command when nothing fails, each with the first node that receives it.
async fn calls(verb: &Verb, world: &World) -> BTreeMap<String, NodeName> {
    (verb.run)(world).await;
    let state = world.cluster.state();
    assert_eq!(state.closed, state.opened, "{}", verb.name);
    assert!(state.opened >= 3, "{}", verb.name);
    let mut calls = BTreeMap::from([("connect".to_owned(), name(2))]);
    for (node, call) in &state.log {
        calls.entry(call.clone()).or_insert_with(|| node.clone());
    }
    calls
}

async fn with_fault(verb: &Verb, world: World, node: &NodeName, call: &str, fault: Fault) {
    {
        let mut state = world.cluster.state();
        let place = state.hosts.keys().position(|own| own == node).unwrap();
        let nth = state.hosts[node].calls_of(call);
        state.faults.push(Planned {
            node: place,
            verb: call.to_owned().leak(),
            nth,
            fault,
        });
    }
    // An operator who has waited long enough presses Ctrl-C twice, which drops the command.
    let patience = match fault {
        Fault::Hangs => Duration::from_secs(1),
        _ => Duration::from_secs(15),
    };
    let ended = tokio::time::timeout(patience, (verb.run)(&world)).await;
    let what = format!("{}: {call} on {node}: {fault:?}", verb.name);
    let state = world.cluster.state();
    assert_eq!(state.closed + state.dropped, state.opened, "{what}");
    if ended.is_ok() {
        assert_eq!(state.dropped, 0, "{what}");
    }
}

async fn with_every_fault(verb: &Verb) {
    let begun = prepared(verb).await;
    let calls = calls(verb, &begun.copy()).await;
    let mut runs = Vec::new();
    for (call, node) in &calls {
        for fault in [Fault::Refused, Fault::LostBefore, Fault::Hangs] {
            runs.push(with_fault(verb, begun.copy(), node, call, fault));
        }
    }
    join_all(runs).await;
}

#[tokio::test]
async fn every_connection_that_was_made_is_closed_whatever_fails() {
    join_all(VERBS.iter().map(with_every_fault)).await;
}
