//! A change that the operator confirms or cancels from another machine.

use super::*;
use crate::agent::Reason;
use crate::apply::{Decision, Member, PendingAction, ProtocolResult, SettleOutcome, Waiting};

/// The change, in its own order: lb1 holds the VIP and comes last.
fn waiting(sides: [Decision; 3]) -> Waiting {
    let member = |(index, side)| Member {
        node: name(index),
        side,
        phase: None,
    };
    Waiting {
        tx: TX.to_owned(),
        members: [1, 2, 0].into_iter().zip(sides).map(member).collect(),
        left: Duration::from_mins(4),
    }
}

const UNDECIDED: [Decision; 3] = [Decision::InDoubt; 3];

async fn offered(cluster: &FakeCluster) -> Run {
    run_with(
        cluster,
        &plan(),
        |_, options| {
            options.confirm = Confirmation::Manual;
            options.confirm_timeout = Duration::from_mins(4);
        },
        &|_| (),
    )
    .await
}

/// Another operator, with separate connections.
async fn settle(cluster: &FakeCluster, verb: PendingAction, sides: [Decision; 3]) -> SettleOutcome {
    let stop = Arc::default();
    settle_until(cluster, verb, sides, stop).await
}

async fn settle_until(
    cluster: &FakeCluster,
    verb: PendingAction,
    sides: [Decision; 3],
    stop: Arc<std::sync::atomic::AtomicBool>,
) -> SettleOutcome {
    let nodes: Vec<Node> = (0..3).map(node).collect();
    let all: Vec<&Node> = nodes.iter().collect();
    Fleet::with(cluster, &all, 8, async |fleet, _| {
        let session = Session {
            fleet,
            connector: cluster,
            client: &Elsewhere,
            nodes: &nodes,
            vips: vec![doors()],
            owner_patience: Duration::ZERO,
            parallel: 8,
            stop,
            tell: &|_| (),
        };
        let why = Reason::cancelled("bob@sofa");
        crate::apply::settle(&session, &waiting(sides), verb, &why).await
    })
    .await
}

fn phases(cluster: &FakeCluster) -> Vec<&'static str> {
    let state = cluster.state();
    let phase = |host: &FakeHost| host.journal.as_ref().map_or("none", |(_, phase)| phase);
    state.hosts.values().map(phase).collect()
}

#[tokio::test]
async fn a_change_waits_with_its_locks_and_one_node_is_offered_it() {
    let cluster = cluster();
    let run = offered(&cluster).await;
    let ApplyResult::Waiting {
        generation,
        deadline,
    } = &run.result
    else {
        panic!("{}", run.kind());
    };
    assert_eq!((*generation, deadline.seconds_left), (2, 240));
    assert_eq!(phases(&cluster), ["activated", "offered", "activated"]);
    assert_eq!(cluster.order_of("confirm"), [""; 0]);
    let state = cluster.state();
    let locks = state.hosts.values().map(|host| host.lock.as_deref());
    assert_eq!(locks.collect::<Vec<_>>(), [Some(TX); 3]);
}

#[tokio::test]
async fn another_machine_confirms_the_deciding_node_first() {
    let cluster = cluster();
    offered(&cluster).await;
    let end = settle(&cluster, PendingAction::Confirm, UNDECIDED).await;
    assert_eq!(end.result, ProtocolResult::Committed);
    assert_eq!(cluster.order_of("confirm")[0], "lb2");
    assert_eq!(truth(&cluster), "new");
    nobody_is_locked(&cluster);
}

#[tokio::test]
async fn another_machine_cancels_at_the_deciding_node_first_and_reverts_in_reverse() {
    let cluster = cluster();
    offered(&cluster).await;
    let end = settle(&cluster, PendingAction::Cancel, UNDECIDED).await;
    assert_eq!(end.result, ProtocolResult::RolledBack);
    assert_eq!(cluster.order_of("withdraw"), ["lb2"]);
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2"]);
    assert_eq!(truth(&cluster), "old");
    nobody_is_locked(&cluster);
    let why = cluster.state().hosts[&name(0)].undone.clone().unwrap().1;
    assert_eq!(why, "cancelled by bob@sofa");
}

#[tokio::test]
async fn who_comes_second_goes_the_way_of_the_first() {
    // The second operator has observed the hosts before the first one did anything.
    let cluster = cluster();
    offered(&cluster).await;
    settle(&cluster, PendingAction::Confirm, UNDECIDED).await;
    let end = settle(&cluster, PendingAction::Cancel, UNDECIDED).await;
    assert_eq!(end.result, ProtocolResult::Committed);
    assert_eq!(truth(&cluster), "new");

    let cluster = super::cluster();
    offered(&cluster).await;
    settle(&cluster, PendingAction::Cancel, UNDECIDED).await;
    let end = settle(&cluster, PendingAction::Confirm, UNDECIDED).await;
    assert_eq!(end.result, ProtocolResult::RolledBack);
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn a_confirmation_that_was_interrupted_is_carried_on_by_either() {
    for verb in [PendingAction::Confirm, PendingAction::Cancel] {
        let cluster = cluster();
        offered(&cluster).await;
        let sides = [Decision::Committed, Decision::InDoubt, Decision::InDoubt];
        {
            let mut state = cluster.state();
            let first = state.hosts.get_mut(&name(1)).unwrap();
            first.journal = None;
            first.confirmed = Some(TX.to_owned());
        }
        let end = settle(&cluster, verb, sides).await;
        assert_eq!(end.result, ProtocolResult::Committed, "{verb:?}");
        assert_eq!(truth(&cluster), "new");
    }
}

#[tokio::test]
async fn nothing_is_confirmed_before_it_was_offered() {
    let cluster = cluster();
    // The proof fails after all nodes were activated, and somebody confirms meanwhile.
    cluster
        .state()
        .hosts
        .get_mut(&name(0))
        .unwrap()
        .holds
        .clear();
    let run = offered(&cluster).await;
    assert_eq!(run.kind(), "rolled back");
    assert_eq!(cluster.order_of("offer"), [""; 0]);
    // If the answer to the offer is lost, the author withdraws it as any operator would.
    for fault in [Fault::LostBefore, Fault::LostAfter, Fault::Refused] {
        let cluster = super::cluster();
        faults(&cluster, &[(1, "offer", 0, fault)]);
        let run = offered(&cluster).await;
        assert_eq!(run.kind(), "rolled back", "{fault:?}");
        assert_eq!(cluster.order_of("withdraw"), ["lb2"]);
        assert_eq!(truth(&cluster), "old");
        nobody_is_locked(&cluster);
    }
}

#[tokio::test]
async fn who_cannot_reach_the_deciding_node_decides_nothing() {
    let cluster = cluster();
    offered(&cluster).await;
    // The first connection is the fleet's, the second one is for the confirmation.
    let done = cluster.state().hosts[&name(1)].calls_of("connect");
    faults(&cluster, &[(1, "connect", done + 1, Fault::LostBefore)]);
    let end = settle(&cluster, PendingAction::Confirm, UNDECIDED).await;
    assert_eq!(end.result, ProtocolResult::Pending);
    assert_eq!(phases(&cluster), ["activated", "offered", "activated"]);
    let state = cluster.state();
    let locks = state.hosts.values().map(|host| host.lock.as_deref());
    assert_eq!(locks.collect::<Vec<_>>(), [Some(TX); 3]);
}

#[tokio::test]
async fn a_wish_to_stop_before_anything_was_sent_leaves_it_waiting() {
    for verb in [PendingAction::Confirm, PendingAction::Cancel] {
        let cluster = cluster();
        offered(&cluster).await;
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let end = settle_until(&cluster, verb, UNDECIDED, stop).await;
        // What was started is completed, and what was not is left alone.
        match end.result {
            ProtocolResult::Pending => assert_eq!(phases(&cluster)[1], "offered"),
            ProtocolResult::Committed => assert_eq!(truth(&cluster), "new"),
            ProtocolResult::RolledBack => assert_eq!(truth(&cluster), "old"),
            ProtocolResult::Diverged => panic!("{verb:?}"),
        }
    }
}

/// For any single failure of a confirm or cancel, the result is what the hosts show.
#[tokio::test]
async fn the_verdict_is_what_the_hosts_show() {
    use Fault::{FailedAfter, LostAfter, LostBefore, Refused};
    for own in [PendingAction::Confirm, PendingAction::Cancel] {
        for verb in ["confirm", "withdraw", "revert", "observe", "connect"] {
            for fault in [Refused, FailedAfter, LostBefore, LostAfter] {
                for (host, nth) in (0..3).flat_map(|host| (0..4).map(move |nth| (host, nth))) {
                    let cluster = cluster();
                    offered(&cluster).await;
                    let done = {
                        let state = cluster.state();
                        state.hosts[&name(host)].calls_of(verb)
                    };
                    faults(&cluster, &[(host, verb, done + nth, fault)]);
                    let end = settle(&cluster, own, UNDECIDED).await;
                    let truth = truth(&cluster);
                    let what = format!("{own:?}: {verb} #{nth} on lb{}: {fault:?}", host + 1);
                    match (end.result, truth) {
                        (ProtocolResult::Committed, "new")
                        | (ProtocolResult::RolledBack, "old") => {}
                        (ProtocolResult::Pending, _) => {
                            assert_eq!(phases(&cluster)[1], "offered", "{what}");
                        }
                        // A rollback that failed, or whose answer was lost, is reported as such.
                        (ProtocolResult::Diverged, _) if matches!(verb, "revert" | "connect") => {}
                        (result, truth) => {
                            panic!("{what}: {result:?}, but the hosts are {truth}")
                        }
                    }
                }
            }
        }
    }
}
