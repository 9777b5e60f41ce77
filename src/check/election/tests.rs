//! Compares the election with measurements, and with a simulation of packets on a wire.

use proptest::prelude::*;

use super::model::{Nodes, State};
use super::*;
use crate::check::testing::{Wire, cluster, weight};
use crate::model::{OnNginxFailure, Preemption};

fn election(priorities: &[i64], on_failure: OnNginxFailure, preempt: bool) -> Election {
    let mut cluster = cluster(priorities);
    cluster.vrrp.on_nginx_failure = on_failure;
    if !preempt {
        cluster.vrrp.preemption = Preemption::Keep;
    }
    Election::of(&cluster, &cluster.instances[0])
}

fn found(election: &Election) -> Option<String> {
    election
        .simulate()
        .violation
        .map(|violation| violation.to_string())
}

#[test]
fn the_guides_ladder_is_caught() {
    let found = found(&election(&[100, 90, 80], weight(-20), true));
    let expected = "nginx dies on lb2; nginx dies on lb1 -> the VIP stays on lb1 (80), whose nginx is dead, since healthy lb3's 80 is not higher";
    assert_eq!(found.as_deref(), Some(expected));
}

#[test]
fn what_is_wrong_is_found_by_the_shortest_way() {
    for (priorities, on_failure, preempt, expected) in [
        (
            vec![100, 90, 80],
            weight(-5),
            true,
            Some(
                "nginx dies on lb1 -> the VIP stays on lb1 (95), whose nginx is dead, since healthy lb2's 90 is not higher",
            ),
        ),
        (
            vec![100, 90, 80],
            weight(-30),
            false,
            Some(
                "nginx dies on lb1 -> the VIP stays on lb1 (70), whose nginx is dead, since nopreempt lets healthy lb2 (90) accept its adverts",
            ),
        ),
        // All healthy nodes are clamped to 254, and a dead lb1 is not below that. It takes four events, since lb3 has
        // the highest address and wins the tie first.
        (
            vec![254, 252, 250],
            weight(20),
            true,
            Some(
                "nginx dies on lb1; nginx dies on lb2; nginx dies on lb3; nginx returns on lb2 -> the VIP stays on lb1 (254), whose nginx is dead, since healthy lb2's 254 is not higher",
            ),
        ),
        // Larger than the spread, but clamped to 1, which healthy lb2 has as well.
        (
            vec![100, 1],
            weight(-120),
            true,
            Some(
                "nginx dies on lb1 -> the VIP stays on lb1 (1), whose nginx is dead, since healthy lb2's 1 is not higher",
            ),
        ),
        (vec![100, 90, 80], weight(-21), true, None),
        (vec![100, 90, 80], weight(21), true, None),
        (vec![100, 90, 80], OnNginxFailure::Fault, true, None),
        (vec![100, 90, 80], OnNginxFailure::Fault, false, None),
        (vec![100], weight(-1), true, None),
    ] {
        let found = found(&election(&priorities, on_failure, preempt));
        assert_eq!(
            found.as_deref(),
            expected,
            "{priorities:?} {on_failure:?} {preempt}"
        );
    }
}

#[test]
fn nodes_that_cannot_be_told_apart_own_the_vip_together() {
    let mut twins = election(&[100, 100], OnNginxFailure::Fault, true);
    assert_eq!(found(&twins), None);
    twins.contenders[1].address = twins.contenders[0].address;
    let expected = "all healthy -> the VIP is on lb1 and lb2, which cannot be told apart by priority or address";
    assert_eq!(found(&twins).as_deref(), Some(expected));
}

#[test]
fn seven_nodes_are_searched_exhaustively_and_more_are_still_judged_right() {
    let priority_order = |count: i64| (0..count).map(|index| 250 - index).collect::<Vec<_>>();
    let seven = election(&priority_order(7), weight(-7), true).simulate();
    // With preemption, each of the 3^7 healths has one stable owner, except the all-dead one.
    assert_eq!((seven.states, seven.violation), (2187, None));
    for count in [8, 12, 70] {
        let good = election(&priority_order(count), weight(-count), true);
        assert_eq!(good.simulate().violation, None, "{count}");
        let bad = election(&priority_order(count), weight(1 - count), true).simulate();
        let violation = bad.violation.expect("a tie of the first with the last");
        assert!(
            matches!(violation.verdict, Verdict::OnDeadNginx { .. }),
            "{violation}"
        );
        assert_eq!(
            violation.events.len(),
            usize::try_from(count - 1).expect("small")
        );
    }
}

/// Who owns the VIP according to the simulated packets.
fn on_the_wire(election: &Election, state: State) -> Vec<usize> {
    let mut wire = Wire::new(election.preempt);
    for (index, node) in election.contenders.iter().enumerate() {
        let std::net::IpAddr::V4(address) = node.address else {
            unreachable!("the sample is IPv4");
        };
        let failed = match election.on_nginx_failure {
            OnNginxFailure::Fault => None,
            OnNginxFailure::Weight { weight } => Some(weight.get()),
        };
        let health = (state.up.contains(index), state.serving.contains(index));
        let was_master = state.owners.contains(index);
        wire.connect(
            node.priority.get(),
            address.to_bits(),
            health,
            failed,
            was_master,
        );
    }
    wire.settle()
}

/// Every combination of dead nodes and dead nginx, with every possible owner and none.
fn every_state(count: usize) -> impl Iterator<Item = State> {
    let healths = 3_usize.pow(u32::try_from(count).expect("a small cluster"));
    (0..healths).flat_map(move |code| {
        let digit = move |index: u32| code / 3_usize.pow(index) % 3;
        let select = move |wanted: fn(usize) -> bool| -> Nodes {
            let indices = (0..count).zip(0u32..);
            indices
                .filter(|(_, power)| wanted(digit(*power)))
                .map(|(index, _)| index)
                .collect()
        };
        let (up, serving) = (select(|digit| digit > 0), select(|digit| digit > 1));
        let owners = (0..count)
            .map(|owner| Nodes::NONE.with(owner))
            .chain([Nodes::NONE]);
        owners.map(move |owners| State {
            up,
            serving,
            owners,
        })
    })
}

fn settings() -> impl Strategy<Value = (OnNginxFailure, bool)> {
    let weights = prop_oneof![
        Just(OnNginxFailure::Fault),
        (-253_i64..=-1).prop_map(weight),
        (1_i64..=253).prop_map(weight),
        (-12_i64..=-1).prop_map(weight),
    ];
    (weights, any::<bool>())
}

/// Orders of priorities, many with ties, close together, or at a limit.
fn priority_orders(nodes: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        prop::collection::vec(1_i64..=254, nodes.clone()),
        prop::collection::vec(95_i64..=105, nodes.clone()),
        prop::collection::vec(248_i64..=254, nodes.clone()),
        prop::collection::vec(1_i64..=6, nodes),
    ]
}

fn agrees_with_the_wire(election: &Election) {
    for state in every_state(election.contenders.len()) {
        let settled: Vec<_> = election
            .settle(state.up, state.serving, state.owners)
            .iter()
            .collect();
        assert_eq!(
            settled,
            on_the_wire(election, state),
            "{election:?} {state:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_election_agrees_with_packets_on_a_wire(
        priority_order in priority_orders(1..=5), (on_failure, preempt) in settings(),
    ) {
        agrees_with_the_wire(&election(&priority_order, on_failure, preempt));
    }

    #[test]
    fn the_search_misses_no_wrong_state(
        priority_order in priority_orders(1..=5), (on_failure, preempt) in settings(),
    ) {
        // The search follows events one by one. Here, every owner is combined with every health, reachable or not.
        let election = election(&priority_order, on_failure, preempt);
        let wrong = every_state(priority_order.len()).any(|state| {
            let owners = election.settle(state.up, state.serving, state.owners);
            election.judge(state, State { owners, ..state }).is_some()
        });
        prop_assert_eq!(election.simulate().violation.is_some(), wrong);
    }

    #[test]
    fn the_search_replays(priority_order in priority_orders(2..=7), (on_failure, preempt) in settings()) {
        // The events in the message lead, packet by packet, to the state in the message.
        let election = election(&priority_order, on_failure, preempt);
        let Some(violation) = election.simulate().violation else { return Ok(()) };
        let position = |name: &crate::model::NodeName| {
            election.contenders.iter().position(|node| node.node == *name).expect("a contender")
        };
        let mut state = election.all_healthy();
        for event in &violation.events {
            let index = position(&event.node);
            match event.event {
                EventKind::NginxDies => state.serving = state.serving.without(index),
                EventKind::NginxReturns => state.serving = state.serving.with(index),
                EventKind::NodeDies => {
                    state.up = state.up.without(index);
                    state.serving = state.serving.without(index);
                }
                EventKind::NodeReturns => {
                    state.up = state.up.with(index);
                    state.serving = state.serving.with(index);
                }
                EventKind::NodeReturnsWithoutNginx => state.up = state.up.with(index),
            }
            state.owners = on_the_wire(&election, state).into_iter().collect();
        }
        let Verdict::OnDeadNginx { owner, healthy, .. } = &violation.verdict else {
            return Err(TestCaseError::fail("another verdict"));
        };
        prop_assert_eq!(state.owners.iter().collect::<Vec<_>>(), vec![position(owner)]);
        prop_assert!(!state.serving.contains(position(owner)));
        prop_assert!(state.serving.contains(position(healthy)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn seven_nodes_agree_with_packets_on_a_wire(
        priority_order in priority_orders(6..=7), (on_failure, preempt) in settings(),
    ) {
        agrees_with_the_wire(&election(&priority_order, on_failure, preempt));
    }
}
