//! Applies changes to an in-memory cluster.

use serde_json::Value;

use super::*;
use crate::apply::ApplyResult;
use crate::ops::Stamped;
use crate::view::{Format, Ui};

#[tokio::test]
async fn a_change_is_applied_once() {
    let world = World::new();
    assert_eq!(applied(&world.apply(Consent::Given).await), Some(1));
    assert!(world.is_free());
    world.forget_calls();
    let again = world.apply(Consent::Given).await.unwrap();
    assert!(again.plan.is_empty());
    assert!(matches!(result(&again), ApplyResult::NothingToDo));
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
    world.edit("listen: [80]", "listen: [80, 8080]");
    assert_eq!(applied(&world.apply(Consent::Given).await), Some(2));
}

#[tokio::test]
async fn what_was_not_agreed_to_writes_nothing() {
    let world = World::live().await;
    world.edit("listen: [80]", "listen: [80, 8080]");
    let declined = world.apply(Consent::Declined).await.unwrap();
    assert!(declined.outcome.is_none());
    let checked = world.apply_as(&world.selection, Consent::Given, true).await;
    assert!(matches!(result(&checked.unwrap()), ApplyResult::Checked));
    plan(&world.selection, &world.access).await.unwrap();
    status(&world.selection, &world.access).await.unwrap();
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
    // Losses must be named.
    world.edit("10.0.0.100/24", "10.0.0.101/24");
    let losses = plan(&world.selection, &world.access)
        .await
        .unwrap()
        .plan
        .losses;
    assert!(!losses.is_empty());
    let unnamed = world.apply(Consent::Unnamed(losses)).await;
    assert!(matches!(unnamed, Err(OpsError::StopsServing { .. })));
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
}

#[tokio::test]
async fn a_node_that_somebody_else_works_on_is_left_alone() {
    let world = World::live().await;
    world.edit("listen: [80]", "listen: [80, 8080]");
    world.host(2, |host| host.lock = Some("other".to_owned()));
    let report = world.apply(Consent::Given).await.unwrap();
    assert!(matches!(result(&report), ApplyResult::Unchanged(_)));
    assert!(!world.forget_calls().contains(&"stage".to_owned()));
    let locks = lock_show(&world.selection, &world.access).await.unwrap();
    let held = locks.nodes.iter().filter(|node| node.lock.is_some());
    let held: Vec<&str> = held.map(|node| node.node.as_str()).collect();
    assert_eq!(held, ["lb2"]);
}

#[tokio::test]
async fn an_interrupted_change_is_recovered_once_it_was_agreed_to() {
    let world = World::live().await;
    world.edit("listen: [80]", "listen: [80, 8080]");
    // hactl died when only lb2 had the change: there is a journal, and no lock.
    world.host(2, |host| {
        host.journal = Some(("tx-0".to_owned(), "activated"));
    });
    let is_waiting = || world.host(2, |host| host.journal.is_some());
    assert!(is_waiting());
    world.forget_calls();
    let declined = world.apply(Consent::Declined).await.unwrap();
    assert!(!declined.recovery.is_empty() && !declined.is_recovered);
    let checked = world.apply_as(&world.selection, Consent::Given, true).await;
    assert!(!checked.unwrap().is_recovered);
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
    assert!(is_waiting());
    let report = world.apply(Consent::Given).await;
    assert!(report.as_ref().is_ok_and(|report| report.is_recovered));
    assert_eq!(applied(&report), Some(2));
    assert!(!is_waiting() && world.is_free());
    world.forget_calls();
}

#[tokio::test]
async fn a_node_that_does_not_answer_stops_a_change_and_is_told_by_status() {
    let world = World::live().await;
    world.edit("listen: [80]", "listen: [80, 8080]");
    world.host(3, |host| host.is_gone = true);
    let refused = world.apply(Consent::Given).await.err().unwrap();
    assert!(
        refused.hint().is_some_and(|hint| hint.contains("--limit")),
        "{refused}"
    );
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
    let report = status(&world.selection, &world.access).await.unwrap();
    assert!(!report.is_healthy());
    let gone: Vec<&str> = report
        .unreachable
        .iter()
        .map(|node| node.node.as_str())
        .collect();
    assert_eq!(gone, ["lb3"]);
    // The remaining nodes can be changed on request.
    let limited = Selection {
        limit: vec![name(1), name(2)],
        ..world.selection.clone()
    };
    let report = world.apply_as(&limited, Consent::Given, false).await;
    assert_eq!(applied(&report), Some(2));
    world.host(3, |host| host.is_gone = false);
    let behind = world.host(3, |host| host.recorded.clone());
    assert!(behind.is_some_and(|manifest| manifest.contains("generation\t1")));
}

#[tokio::test]
async fn an_apply_tells_each_event_as_it_happens_and_ends_with_its_report() {
    let world = World::new();
    let ui = Ui::captured(Format::Ndjson);
    let line = |event: &Stamped<Event>| ui.event("apply", event);
    let events = Events::new(&line);
    let request = request(&|_| Consent::Given, &events);
    let report = apply(&world.selection, &world.access, request)
        .await
        .unwrap();
    ui.show("apply", 0, &report);
    let printed = ui.what_was_captured();
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, told) = lines.split_last().unwrap();
    assert_eq!(last["event"], "report");
    assert_eq!(last["report"]["outcome"]["result"], "applied");
    assert_eq!(
        told.len(),
        last["report"]["events"].as_array().unwrap().len()
    );
    for (place, event) in told.iter().enumerate() {
        assert_eq!(event["index"], place + 1, "{event}");
        assert_eq!(event["format"], 2, "{event}");
        assert!(event["at_ms"].is_u64(), "{event}");
    }
    let end = &told.last().unwrap()["progress"];
    assert_eq!((&end["number"], &end["steps"]), (&7.into(), &7.into()));
    assert_eq!(end["nodes_done"], end["nodes"]);
}

#[tokio::test]
async fn a_change_waits_for_the_operator_and_ends_as_he_says() {
    for (verb, kept) in [
        (PendingAction::Confirm, true),
        (PendingAction::Cancel, false),
    ] {
        let world = World::live().await;
        world.edit("listen: [80]", "listen: [80, 8080]");
        let events = lines();
        let request = ApplyRequest {
            confirm: Confirmation::Manual,
            ..request(&|_| Consent::Given, &events)
        };
        let report = apply(&world.selection, &world.access, request)
            .await
            .unwrap();
        assert!(matches!(
            result(&report),
            ApplyResult::Waiting { generation: 2, .. }
        ));
        // No other change is possible meanwhile.
        world.edit("8080]", "8081]");
        let other = world.apply(Consent::Given).await;
        assert!(other.is_err(), "{verb:?}");
        let report = settle(
            &world.selection,
            &world.access,
            SettleRequest {
                verb,
                events: &lines(),
            },
        )
        .await
        .unwrap();
        let ended = match report.end {
            SettleEnd::Committed => true,
            SettleEnd::RolledBack => false,
            other => panic!("{other:?}"),
        };
        assert_eq!(ended, kept);
        assert!(world.is_free());
        let generation = world.host(1, |host| host.recorded.clone()).unwrap();
        assert_eq!(generation.contains("generation\t2"), kept);
        world.forget_calls();
    }
}

#[tokio::test]
async fn locks_are_broken_where_that_is_agreed_to() {
    let world = World::live().await;
    world.host(2, |host| host.lock = Some("other".to_owned()));
    for agrees in [false, true] {
        let request = LockBreakRequest {
            force: false,
            agree: &|_| agrees,
        };
        let report = lock_break(&world.selection, &world.access, request)
            .await
            .unwrap();
        assert_eq!(report.broken.len(), usize::from(agrees));
        assert_eq!(world.is_free(), agrees);
        world.forget_calls();
    }
}

#[tokio::test]
async fn an_inventory_that_means_other_hosts_changes_none() {
    let world = World::live().await;
    // Another cluster, a node that it lacks, and a member that has not been taken out.
    world.edit("cluster: web", "cluster: shop");
    let error = world.apply(Consent::Given).await.err().unwrap();
    assert!(error.hint().unwrap().contains("--take-over web"), "{error}");
    world.edit("cluster: shop", "cluster: web");
    let limited = Selection {
        limit: vec![name(9)],
        ..world.selection.clone()
    };
    let error = world.apply_as(&limited, Consent::Given, false).await;
    assert!(matches!(error, Err(OpsError::UnknownNode { .. })));
    world.edit(
        "  - { name: lb3, address: 10.0.0.13, interface: eth0 }\n",
        "",
    );
    let error = world.apply(Consent::Given).await.err().unwrap();
    assert!(error.to_string().contains("lb3"), "{error}");
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
}
