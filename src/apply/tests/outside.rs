//! The view from outside: what nodes find when they probe the VIP through the network.

use super::*;
use crate::agent::Viewpoint;
use crate::apply::FailureCause;
use crate::health::Problem;
use crate::remote::fake::hardware;

/// lb3 believes that lb2 owns the VIP. An announcement corrects that unless `is_deaf`.
fn misleads(cluster: &FakeCluster, is_deaf: bool) {
    let mut state = cluster.state();
    let host = state.hosts.get_mut(&name(2)).unwrap();
    host.stale.insert(VIP.to_owned(), hardware(&name(1)));
    host.is_deaf = is_deaf;
}

fn problem() -> Problem {
    Problem::WrongHardware {
        from: Viewpoint::Node(name(2)),
        vip: VIP.parse().unwrap(),
        learned: hardware(&name(1)),
        learned_is: Some(name(1)),
        owner: name(0),
    }
}

fn is_activated(event: &Event, index: usize) -> bool {
    matches!(event, Event::NodeDone { step: Step::Activate, node, .. } if *node == name(index))
}

#[tokio::test]
async fn an_owner_announces_itself_before_the_nodes_look() {
    let cluster = cluster();
    let run = run_with(&cluster, &plan(), |_, _| (), &|event| {
        if is_activated(event, 1) {
            misleads(&cluster, false);
        }
    })
    .await;
    assert_eq!((run.kind(), truth(&cluster)), ("applied", "new"));
    let announced = cluster.order_of("announce");
    assert!(!announced.is_empty() && announced.iter().all(|node| node == "lb1"));
}

#[tokio::test]
async fn a_node_that_does_not_reach_the_owner_fails_the_proof() {
    let cluster = cluster();
    let run = run_with(&cluster, &plan(), |_, _| (), &|event| match event {
        _ if is_activated(event, 1) => misleads(&cluster, true),
        Event::Reverted { node } if *node == name(1) => {
            cluster.state().hosts.get_mut(&name(2)).unwrap().is_deaf = false;
        }
        _ => {}
    })
    .await;
    let ApplyResult::RolledBack(failure) = &run.result else {
        panic!("{}", run.kind());
    };
    assert_eq!(failure.step, Step::Prove);
    let [FailureCause::NotProven { problems }] = &failure.errors[..] else {
        panic!("{:?}", failure.errors);
    };
    assert_eq!(problems[..], [problem()]);
    assert_eq!(truth(&cluster), "old");
    let again = run
        .events
        .iter()
        .any(|event| matches!(event, Event::ReachedAgain { owners } if owners[0].1 == name(0)));
    assert!(again, "{:?}", run.events);
}

#[tokio::test]
async fn an_undo_after_which_a_node_does_not_reach_the_owner_needs_a_person() {
    let cluster = cluster();
    faults(&cluster, &[(2, "activate", 0, Fault::FailedAfter)]);
    let run = run_with(&cluster, &plan(), |_, _| (), &|event| {
        if matches!(event, Event::Reverted { .. }) {
            misleads(&cluster, true);
        }
    })
    .await;
    let ApplyResult::Mixed { problems, .. } = &run.result else {
        panic!("{}", run.kind());
    };
    assert_eq!(problems[..], [problem().to_string()]);
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn an_undo_is_not_blamed_for_what_was_so_before() {
    let cluster = cluster();
    misleads(&cluster, true);
    let run = run(&cluster, &plan()).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Prove))
    );
}

#[tokio::test]
async fn an_undo_after_which_nobody_owns_the_vip_needs_a_person() {
    let cluster = cluster();
    faults(&cluster, &[(2, "activate", 0, Fault::FailedAfter)]);
    let run = run_with(&cluster, &plan(), |_, _| (), &|event| {
        if matches!(event, Event::Reverted { .. }) {
            cluster.state().hosts.get_mut(&name(0)).unwrap().holds = Vec::new();
        }
    })
    .await;
    let ApplyResult::Mixed { problems, .. } = &run.result else {
        panic!("{}", run.kind());
    };
    assert_eq!(problems[..], ["no node owns 10.0.0.100"]);
}

#[tokio::test]
async fn a_port_that_the_change_opens_is_missed_only_where_it_is_active() {
    let cluster = cluster();
    cluster
        .state()
        .hosts
        .get_mut(&name(0))
        .unwrap()
        .opens_with_change = true;
    let opened = run(&cluster, &plan()).await;
    assert_eq!((opened.kind(), truth(&cluster)), ("applied", "new"));
}
