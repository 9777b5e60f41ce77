//! Every path through the phases, one by one.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::agent::{AgentError, InstanceState};
use crate::apply::FailureCause;
use crate::health::Problem;

#[tokio::test]
async fn the_holder_comes_last_and_all_is_confirmed() {
    use Step::{Activate, Confirm, Lock, Prepare, Stage, Validate};
    let cluster = cluster();
    let run = run(&cluster, &plan()).await;
    assert!(matches!(run.result, ApplyResult::Applied { generation: 2 }));
    assert_eq!(cluster.order_of("activate"), ["lb2", "lb3", "lb1"]);
    assert_eq!(cluster.order_of("confirm").len(), 3);
    assert_eq!(cluster.order_of("connect").len(), 0);
    assert_eq!(truth(&cluster), "new");
    nobody_is_locked(&cluster);
    let steps = run.events.iter().filter_map(|event| match event {
        Event::StepStarted { step, .. } => Some(*step),
        _ => None,
    });
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [Lock, Prepare, Stage, Validate, Activate, Confirm]
    );
}

#[tokio::test]
async fn at_once_activates_all_before_it_looks_for_owners() {
    let cluster = cluster();
    let mut plan = plan();
    plan.strategy = Strategy::AtOnce {
        reason: "version".to_owned(),
        without_owner: None,
    };
    faults(&cluster, &[(1, "activate", 0, Fault::FailedAfter)]);
    let run = run(&cluster, &plan).await;
    assert_eq!(run.kind(), "rolled back");
    assert_eq!(cluster.order_of("activate").len(), 3);
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2"]);
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn at_once_confirms_nobody_while_a_node_asks_the_others() {
    let cluster = cluster();
    let mut plan = plan();
    plan.strategy = Strategy::AtOnce {
        reason: "version".to_owned(),
        without_owner: None,
    };
    // The node's timer fired before the first node was active, and it has queried that node already.
    let run = run_with(&cluster, &plan, |_, _| (), &|event| {
        if matches!(
            event,
            Event::NodeDone {
                step: Step::Activate,
                ..
            }
        ) {
            for host in cluster.state().hosts.values_mut() {
                if let Some((_, phase)) = &mut host.journal {
                    *phase = "asking";
                }
            }
        }
    })
    .await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Prove))
    );
    assert!(cluster.order_of("confirm").is_empty());
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn an_empty_plan_calls_nobody() {
    let cluster = cluster();
    let mut plan = plan();
    for node in &mut plan.nodes {
        node.changes.clear();
    }
    assert_eq!(run(&cluster, &plan).await.kind(), "nothing to do");
    assert!(cluster.state().log.is_empty());
}

#[tokio::test]
async fn a_taken_lock_changes_nothing_and_keeps_no_other() {
    let cluster = cluster();
    cluster.state().hosts.get_mut(&name(1)).unwrap().lock = Some("other".to_owned());
    let run = run(&cluster, &plan()).await;
    let ApplyResult::Unchanged(failure) = &run.result else {
        panic!("{}", run.kind());
    };
    let [FailureCause::Agent(AgentError::Locked { node, lock })] = &failure.errors[..] else {
        panic!("{:?}", failure.errors);
    };
    assert_eq!((node, lock.holder.as_str()), (&name(1), "ada@desk"));
    let state = cluster.state();
    let locks = state.hosts.values().map(|host| host.lock.clone());
    assert_eq!(
        locks.collect::<Vec<_>>(),
        [None, Some("other".to_owned()), None]
    );
    assert!(
        state
            .log
            .iter()
            .all(|(_, verb)| verb == "lock" || verb == "unlock")
    );
}

#[tokio::test]
async fn an_unfinished_change_is_left_to_its_owner() {
    let cluster = cluster();
    cluster.state().hosts.get_mut(&name(2)).unwrap().journal =
        Some(("other".to_owned(), "activated"));
    let mut plan = plan();
    plan.nodes[1].changes.splice(0..0, installs(&["nginx"]));
    let run = run(&cluster, &plan).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("unchanged", Some(Step::Lock))
    );
    assert!(cluster.order_of("revert").is_empty());
    assert!(cluster.state().hosts[&name(2)].journal.is_some());
    nobody_is_locked(&cluster);
}

#[tokio::test]
async fn every_node_is_reverted_although_one_fails() {
    let cluster = cluster();
    faults(
        &cluster,
        &[
            (0, "activate", 0, Fault::FailedAfter),
            (2, "revert", 0, Fault::Refused),
            (2, "revert", 1, Fault::Refused),
        ],
    );
    let run = run(&cluster, &plan()).await;
    // A node whose rollback failed is tried once more at the end.
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2", "lb3"]);
    let ApplyResult::Mixed { failure, problems } = &run.result else {
        panic!("{}", run.kind());
    };
    assert_eq!(failure.step, Step::Activate);
    let told = problems.join("\n");
    for part in [
        "lb3: as the test wants it",
        "lb3: /etc/nginx/nginx.conf differs from before the change",
        "lb3: the change is still in its journal",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("lb1") && !told.contains("lb2"), "{told}");
    assert_eq!(truth(&cluster), "mixed");
}

#[tokio::test]
async fn a_host_that_comes_back_is_told_again() {
    let cluster = cluster();
    faults(
        &cluster,
        &[
            (0, "activate", 0, Fault::LostAfter),
            (0, "revert", 0, Fault::LostBefore),
            (0, "revert", 1, Fault::LostBefore),
        ],
    );
    assert_eq!(run(&cluster, &plan()).await.kind(), "rolled back");
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn a_host_that_cannot_undo_and_has_nothing_to_undo_is_as_it_was() {
    let cluster = cluster();
    faults(
        &cluster,
        &[
            (0, "activate", 0, Fault::Refused),
            (0, "revert", 0, Fault::Refused),
            (0, "revert", 1, Fault::Refused),
        ],
    );
    let run = run(&cluster, &plan()).await;
    assert_eq!(run.kind(), "rolled back");
    assert_eq!(run.failed_step(), Some(Step::Activate));
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn two_owners_or_none_bring_everything_back() {
    for holders in [vec![], vec![0, 2]] {
        let cluster = cluster();
        for index in 0..3 {
            cluster.state().hosts.get_mut(&name(index)).unwrap().holds = holds(&holders, index);
        }
        let run = run(&cluster, &plan()).await;
        assert_eq!(
            (run.kind(), run.failed_step()),
            ("rolled back", Some(Step::Prove))
        );
        assert_eq!(cluster.order_of("revert"), ["lb2"]);
        assert_eq!(truth(&cluster), "old");
    }
}

#[tokio::test]
async fn a_lost_confirmation_is_asked_for() {
    for (fault, confirmations) in [(Fault::LostBefore, 4), (Fault::LostAfter, 3)] {
        for index in 0..3 {
            let cluster = cluster();
            faults(&cluster, &[(index, "confirm", 0, fault)]);
            let run = run(&cluster, &plan()).await;
            assert_eq!(run.kind(), "applied");
            assert_eq!(cluster.order_of("confirm").len(), confirmations);
            assert_eq!(truth(&cluster), "new");
        }
    }
}

#[tokio::test]
async fn a_first_node_that_cannot_be_reached_anew_brings_everything_back() {
    let cluster = cluster();
    faults(&cluster, &[(1, "connect", 1, Fault::Refused)]);
    let run = run(&cluster, &plan()).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Confirm))
    );
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2"]);
    assert!(cluster.order_of("confirm").is_empty());
    assert_eq!(truth(&cluster), "old");
    nobody_is_locked(&cluster);
    // Once the first node is confirmed, the others are retried until they are.
    let cluster = self::cluster();
    faults(&cluster, &[(2, "connect", 1, Fault::Refused)]);
    assert_eq!(self::run(&cluster, &plan()).await.kind(), "applied");
    assert_eq!(truth(&cluster), "new");
}

/// Its sshd has stopped, and what was open stays open.
#[tokio::test]
async fn a_node_that_takes_no_new_connections_is_seen_to_be_rolled_back() {
    let cluster = cluster();
    let all: Vec<_> = (1..20)
        .map(|nth| (1, "connect", nth, Fault::Refused))
        .collect();
    faults(&cluster, &all);
    let run = run(&cluster, &plan()).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Confirm))
    );
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn a_first_node_whose_time_is_over_brings_everything_back() {
    let cluster = cluster();
    let forget = cluster.clone();
    let listen = move |event: &Event| {
        if matches!(
            event,
            Event::StepStarted {
                step: Step::Confirm,
                ..
            }
        ) {
            let mut state = forget.state();
            let host = state.hosts.get_mut(&name(1)).unwrap();
            (host.files, host.journal) = (old_files(), None);
        }
    };
    let run = run_with(&cluster, &plan(), |_, _| (), &listen).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Confirm))
    );
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn who_was_confirmed_goes_on_answering_one_that_could_not_be() {
    let cluster = cluster();
    // The last node is lost, comes back, and will query its peers.
    faults(&cluster, &[(0, "confirm", 0, Fault::Gone)]);
    assert_eq!(run(&cluster, &plan()).await.kind(), "mixed");
    let state = cluster.state();
    assert_eq!(state.hosts[&name(1)].confirmed.as_deref(), Some(TX));
    drop(state);
    // A node that loses its lock can no longer answer.
    assert_eq!(cluster.order_of("unlock"), Vec::<String>::new());
}

#[tokio::test]
async fn packages_that_cannot_go_again_are_told() {
    let cluster = cluster();
    let mut plan = plan();
    plan.nodes[0].changes.splice(0..0, installs(&["nginx"]));
    faults(&cluster, &[(0, "stage", 0, Fault::Refused)]);
    assert_eq!(run(&cluster, &plan).await.kind(), "unchanged");
    assert_eq!(truth(&cluster), "old");
    let cluster = self::cluster();
    faults(
        &cluster,
        &[
            (0, "stage", 0, Fault::Refused),
            (1, "revert", 0, Fault::Refused),
        ],
    );
    assert_eq!(self::run(&cluster, &plan).await.kind(), "mixed");
    assert_eq!(truth(&cluster), "mixed");
    nobody_is_locked(&cluster);
}

#[tokio::test]
async fn a_wish_to_stop_is_heard_at_every_step() {
    for step in Step::ALL {
        let cluster = cluster();
        let stop = Arc::new(AtomicBool::new(false));
        let listener = Arc::clone(&stop);
        let listen = move |event: &Event| {
            let is_it = match event {
                Event::StepStarted { step: own, .. } => *own == step,
                Event::OwnersSeen { .. } => step == Step::Prove,
                _ => false,
            };
            if is_it {
                listener.store(true, Ordering::Relaxed);
            }
        };
        let run = run_with(&cluster, &plan(), |session, _| session.stop = stop, &listen).await;
        let expected = match step {
            Step::Lock | Step::Prepare | Step::Stage | Step::Validate => ("unchanged", "old"),
            Step::Activate | Step::Prove => ("rolled back", "old"),
            // Confirmations are in flight, so the change is completed instead of torn apart.
            Step::Confirm => ("applied", "new"),
        };
        assert_eq!((run.kind(), truth(&cluster)), expected, "{step:?}");
        let told = run
            .events
            .iter()
            .any(|event| matches!(event, Event::Interrupted));
        assert_eq!(told, step != Step::Confirm);
        nobody_is_locked(&cluster);
    }
}

#[tokio::test]
async fn the_nodes_of_a_step_are_those_that_change() {
    let cluster = cluster();
    let mut plan = plan();
    // Two of the three already match.
    for node in &mut plan.nodes[1..] {
        node.changes.clear();
    }
    assert_eq!(plan.changing().count(), 1);
    let run = run(&cluster, &plan).await;
    assert_eq!(run.kind(), "applied");
    let confirming = run.events.iter().find_map(|event| match event {
        Event::StepStarted {
            step: Step::Confirm,
            nodes,
        } => Some(*nodes),
        _ => None,
    });
    assert_eq!(confirming, Some(1));
}

#[tokio::test]
async fn a_lock_that_cannot_be_released_is_told() {
    let cluster = cluster();
    faults(&cluster, &[(1, "unlock", 0, Fault::Refused)]);
    let run = run(&cluster, &plan()).await;
    assert_eq!(run.kind(), "applied");
    let told: Vec<_> = run
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LockNotReleased { node, .. } => Some(node.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [name(1)]);
}

#[tokio::test]
async fn a_node_in_fault_fails_the_proof_unless_it_was_so_before() {
    let broken = || {
        let cluster = cluster();
        for host in cluster.state().hosts.values_mut().skip(2) {
            host.instance = Some("FAULT");
        }
        cluster
    };
    let fault = Problem::NotElectable {
        node: name(2),
        instance: "VI_1".to_owned(),
        state: InstanceState::Fault,
        seconds: Some(7),
        causes: Vec::new(),
    };
    let cluster = broken();
    let run = run(&cluster, &plan()).await;
    assert_eq!((run.kind(), truth(&cluster)), ("rolled back", "old"));
    assert_eq!(run.failed_step(), Some(Step::Prove));
    let cluster = broken();
    let before = vec![fault];
    let run = run_with(
        &cluster,
        &plan(),
        |_, options| options.before = before,
        &|_| (),
    )
    .await;
    assert_eq!((run.kind(), truth(&cluster)), ("applied", "new"));
    let told = |event: &Event| matches!(event, Event::ProblemsRemain { problems } if problems[0].node() == Some(&name(2)));
    assert!(run.events.iter().any(told));
}
