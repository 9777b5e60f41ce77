//! Good histories, which must pass, and bad ones, each of which must be found.

use proptest::prelude::*;

use super::expect::Expect;
use super::history::{CHECKS, Check, judge};
use super::kind::Drill;
use super::record::{
    Adverts, ClockOffset, DrillEventKind, DrillRun, Event, LostStretch, Requests, Violation,
};
use super::window::{Mark, Window};
use crate::model::NodeName;

const ADVERTS: Adverts = Adverts {
    every_ms: 50.0,
    missing: 3,
};

fn name(node: &str) -> NodeName {
    NodeName::new(node).unwrap()
}

fn event(at_ms: f64, node: &str, what: DrillEventKind) -> Event {
    Event {
        at_ms,
        node: Some(name(node)),
        what,
    }
}

fn fault() -> DrillEventKind {
    DrillEventKind::Fault {
        name: "nginx-kill".to_owned(),
    }
}

fn state(state: &str) -> DrillEventKind {
    DrillEventKind::State {
        state: state.to_owned(),
    }
}

/// A run with `timeline`, in which every clock may be off by `error`.
fn run(error: f64, timeline: Vec<Event>) -> DrillRun {
    let offset = |node| ClockOffset {
        node: name(node),
        offset_ms: 3.0,
        error_ms: error,
    };
    DrillRun {
        drill: Drill::NginxKill,
        repeat: 1,
        vip: "10.0.0.100".parse().unwrap(),
        node: name("lb1"),
        from: name("lb1"),
        to: Some(name("lb2")),
        after: Some(name("lb1")),
        begin_ms: -500.0,
        end_ms: 10_000.0,
        hold_ms: None,
        path: "/health".to_owned(),
        beside: None,
        new: Requests::default(),
        held: super::record::Held::default(),
        downloads: None,
        phases: None,
        back_ms: None,
        predicted: None,
        budget_ms: Some(100.0),
        offsets: ["lb1", "lb2", "lb3"].map(offset).into(),
        timeline,
        violations: Vec::new(),
    }
}

fn found(run: &DrillRun) -> Vec<Violation> {
    judge(run, Expect::ORDINARY, ADVERTS, &CHECKS)
}

/// nginx dies on lb1, lb2 takes over, and lb1 takes the VIP back when its nginx answers again.
fn killed() -> Vec<Event> {
    vec![
        event(-400.0, "lb1", DrillEventKind::Owns),
        event(-400.0, "lb1", DrillEventKind::Serves),
        event(-400.0, "lb2", DrillEventKind::Serves),
        event(0.0, "lb1", fault()),
        event(1.0, "lb1", DrillEventKind::Silent),
        event(5.0, "lb1", state("FAULT")),
        event(6.0, "lb1", DrillEventKind::Released),
        event(9.0, "lb1", DrillEventKind::Serves),
        event(16.0, "lb2", DrillEventKind::Owns),
        event(800.0, "lb2", DrillEventKind::Released),
        event(801.0, "lb1", DrillEventKind::Owns),
    ]
}

/// lb1 loses power, then lb2, then both come back, the preferred one last.
fn cascade() -> Vec<Event> {
    vec![
        event(0.0, "lb1", fault()),
        event(0.0, "lb1", DrillEventKind::Cut),
        event(0.0, "lb1", DrillEventKind::Released),
        event(90.0, "lb2", DrillEventKind::Owns),
        event(2000.0, "lb2", fault()),
        event(2000.0, "lb2", DrillEventKind::Cut),
        event(2000.0, "lb2", DrillEventKind::Released),
        event(2090.0, "lb3", DrillEventKind::Owns),
        event(4000.0, "lb2", DrillEventKind::Joined),
        event(4400.0, "lb3", DrillEventKind::Released),
        event(4401.0, "lb2", DrillEventKind::Owns),
        event(6000.0, "lb1", DrillEventKind::Healed),
        event(6000.0, "lb1", DrillEventKind::Joined),
        event(6300.0, "lb2", DrillEventKind::Released),
        event(6301.0, "lb1", DrillEventKind::Owns),
    ]
}

fn without(timeline: Vec<Event>, drop: impl Fn(&Event) -> bool) -> Vec<Event> {
    timeline.into_iter().filter(|event| !drop(event)).collect()
}

fn moved(mut timeline: Vec<Event>, index: usize, by: f64) -> Vec<Event> {
    timeline[index].at_ms += by;
    timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    timeline
}

#[test]
fn of_good_histories_nothing_is_said() {
    assert_eq!(found(&run(0.5, killed())), []);
    assert_eq!(found(&run(0.5, cascade())), []);
    assert_eq!(found(&run(0.0, Vec::new())), []);
}

#[test]
fn what_a_clock_may_explain_is_no_violation_and_a_little_more_is() {
    // lb1's release is seen 33 ms after lb2's takeover: together, both clocks may be off by 3 ms, and a handover may
    // take 30 ms.
    let late = moved(killed(), 6, 43.0);
    let late = without(late, |event| event.what == DrillEventKind::Silent);
    assert_eq!(found(&run(1.5, late.clone())), []);
    let lb1_lb2 = vec![name("lb1"), name("lb2")];
    let [
        Violation::TwoOwners {
            at_ms,
            length_ms,
            nodes,
        },
    ] = &found(&run(1.0, late))[..]
    else {
        panic!("two owners for 33 ms are more than a handover and 2 ms of error");
    };
    assert_eq!((*at_ms, nodes), (17.0, &lb1_lb2));
    assert!((length_ms - 31.0).abs() < 1e-9);
    // A gap of 102 ms is at least 99 ms if both of its ends may be off by 1.5 ms.
    let long = moved(killed(), 8, 87.0);
    assert_eq!(found(&run(1.5, long.clone())), []);
    assert_eq!(found(&run(0.1, long)).len(), 1);
    // A fault that is seen a little after its effect.
    let is_other = |event: &Event| event.at_ms > 16.0 || event.what != fault() && is_trouble(event);
    let after = moved(without(killed(), is_other), 3, 17.0);
    assert_eq!(found(&run(0.5, after.clone())), []);
    assert_eq!(found(&run(0.4, after)).len(), 1);
}

fn is_trouble(event: &Event) -> bool {
    matches!(
        event.what,
        DrillEventKind::Fault { .. } | DrillEventKind::Silent | DrillEventKind::Cut
    ) || event.what == state("FAULT")
        || event.what == state("STOP")
}

fn is_return(event: &Event) -> bool {
    matches!(
        event.what,
        DrillEventKind::Healed | DrillEventKind::Joined | DrillEventKind::Serves
    )
}

/// The history of [`killed`], modified.
fn changed(change: impl FnOnce(&mut Vec<Event>)) -> DrillRun {
    let mut timeline = killed();
    change(&mut timeline);
    run(0.5, timeline)
}

/// The same, and a while later `lb` gets the VIP from `from`.
fn and_then(from: &str, lb: &str) -> DrillRun {
    changed(|timeline| {
        timeline.push(event(3000.0, from, DrillEventKind::Released));
        timeline.push(event(3001.0, lb, DrillEventKind::Owns));
    })
}

/// Histories that must be found, each named after its defect.
fn bad() -> Vec<(&'static str, DrillRun)> {
    let mut bad = bad_owners();
    bad.extend(bad_takeovers());
    bad.extend(bad_records());
    bad
}

fn bad_owners() -> Vec<(&'static str, DrillRun)> {
    let gone = |event: &Event| event.what == DrillEventKind::Owns && event.at_ms > 0.0;
    let later = |what| changed(|timeline| timeline.insert(9, event(100.0, "lb2", what)));
    vec![
        (
            "lb1 answers again before it lets go",
            run(0.5, moved(killed(), 6, 60.0)),
        ),
        ("nobody for 130 ms", run(0.5, moved(killed(), 8, 120.0))),
        ("nobody until the end", run(0.5, without(killed(), gone))),
        (
            "lb2 has it, but nginx is dead there",
            later(DrillEventKind::Silent),
        ),
        (
            "lb2 has it, but nobody reaches it",
            later(DrillEventKind::Cut),
        ),
    ]
}

fn bad_takeovers() -> Vec<(&'static str, DrillRun)> {
    let good = |timeline| run(0.5, timeline);
    vec![
        ("no fault", good(without(killed(), is_trouble))),
        ("no return", good(without(killed(), is_return))),
        (
            "lb1's trouble does not explain lb3's takeover from lb2",
            changed(|timeline| {
                timeline.truncate(9);
                timeline.push(event(3000.0, "lb2", DrillEventKind::Released));
                timeline.push(event(3001.0, "lb3", DrillEventKind::Owns));
            }),
        ),
        ("one fault explains one takeover", and_then("lb1", "lb2")),
        ("one return explains one takeover", and_then("lb1", "lb1")),
        (
            "who never had it cannot take it back",
            good(vec![
                event(0.0, "lb2", fault()),
                event(500.0, "lb2", DrillEventKind::Healed),
                event(900.0, "lb1", DrillEventKind::Released),
                event(901.0, "lb2", DrillEventKind::Owns),
            ]),
        ),
        (
            "a bystander's trouble explains nothing",
            good(vec![
                event(0.0, "lb3", fault()),
                event(20.0, "lb1", DrillEventKind::Released),
                event(25.0, "lb2", DrillEventKind::Owns),
            ]),
        ),
        (
            "what nobody was away from is no return",
            good(vec![
                event(10.0, "lb1", DrillEventKind::Serves),
                event(20.0, "lb1", DrillEventKind::Released),
                event(25.0, "lb1", DrillEventKind::Owns),
            ]),
        ),
    ]
}

fn bad_records() -> Vec<(&'static str, DrillRun)> {
    let mut unknown = changed(|_| {});
    unknown.offsets.remove(1);
    let mut answered = run(0.5, moved(killed(), 8, 600.0));
    answered.budget_ms = None;
    answered.new.count = 2000;
    vec![
        (
            "events out of order",
            changed(|timeline| timeline.swap(5, 8)),
        ),
        ("no time", changed(|timeline| timeline[10].at_ms = f64::NAN)),
        ("a clock that nobody compared", unknown),
        ("answered by nobody", answered),
    ]
}

#[test]
fn every_bad_history_is_found() {
    for (what, run) in bad() {
        assert_ne!(found(&run), [], "{what}");
    }
    let kinds: Vec<String> = bad()
        .iter()
        .map(|(what, run)| format!("{what}: {}", serde_json::to_string(&found(run)).unwrap()))
        .collect();
    insta::assert_snapshot!(kinds.join("\n"));
}

/// No check is redundant: without it, a bad history goes unnoticed.
#[test]
fn without_any_check_something_bad_goes_unnoticed() {
    for left_out in 0..CHECKS.len() {
        let mut checks: Vec<Check> = CHECKS.into();
        checks.remove(left_out);
        let unnoticed = bad()
            .into_iter()
            .filter(|(_, run)| judge(run, Expect::ORDINARY, ADVERTS, &checks).is_empty());
        assert_ne!(
            unnoticed.count(),
            0,
            "check {left_out} finds nothing of its own"
        );
    }
}

#[test]
fn lost_requests_explain_that_nobody_answered() {
    let mut run = run(0.5, moved(killed(), 8, 600.0));
    run.budget_ms = None;
    run.new.count = 2000;
    assert_eq!(found(&run).len(), 1);
    run.new.gaps = vec![LostStretch {
        at_ms: 10.0,
        length_ms: 600.0,
        lost: 120,
    }];
    assert_eq!(found(&run), []);
    run.new.gaps.clear();
    run.new.slowest_ms = 700.0;
    assert_eq!(found(&run), [], "one request waited for all of it");
}

#[test]
fn what_a_drill_is_expected_to_do_is_no_violation() {
    // VRRP is blocked from 0 to 3000: lb2 takes over, and lb1 keeps the VIP.
    let split = vec![
        event(0.0, "lb1", fault()),
        event(200.0, "lb2", DrillEventKind::Owns),
        event(3000.0, "lb1", DrillEventKind::Healed),
        event(3140.0, "lb2", DrillEventKind::Released),
    ];
    let expecting = |to, plus_ms, plus_adverts| Expect {
        two_owners: Some(Window {
            from: Mark::Fault,
            to,
            plus_ms,
            plus_adverts,
        }),
        ..Expect::ORDINARY
    };
    let judged =
        |timeline: &[Event], expect| judge(&run(0.5, timeline.to_vec()), expect, ADVERTS, &CHECKS);
    assert_eq!(judged(&split, Expect::ORDINARY).len(), 1);
    assert_eq!(judged(&split, expecting(Mark::Healed, 150, 0)), []);
    assert_eq!(judged(&split, expecting(Mark::Healed, 0, 3)), []);
    let [
        Violation::TwoOwners {
            at_ms, length_ms, ..
        },
    ] = judged(&split, expecting(Mark::Fault, 2000, 0))[..]
    else {
        panic!("they lasted longer than they may");
    };
    // From 2001, when the window and the clocks' errors have ended, to 3139.5.
    assert_eq!((at_ms, length_ms), (2001.0, 1138.5));
    assert_eq!(judged(&split, expecting(Mark::Healed, 10, 0)).len(), 1);
}

#[test]
fn a_fault_that_shall_not_move_the_vip_explains_no_takeover_but_what_it_leads_to_does() {
    let expect = Expect {
        moves_vip: false,
        ..Expect::ORDINARY
    };
    let judged = |timeline: &[Event]| judge(&run(0.5, timeline.to_vec()), expect, ADVERTS, &CHECKS);
    let mut lossy = vec![
        event(0.0, "lb1", fault()),
        event(100.0, "lb1", DrillEventKind::Released),
        event(101.0, "lb2", DrillEventKind::Owns),
    ];
    assert_eq!(judged(&lossy).len(), 1);
    lossy.insert(1, event(99.0, "lb1", state("FAULT")));
    assert_eq!(judged(&lossy), []);
}

#[test]
fn where_nobody_may_resign_fault_explains_no_takeover_and_there_is_an_owner_at_any_time() {
    let expect = Expect {
        moves_vip: false,
        nobody_resigns: true,
        ..Expect::ORDINARY
    };
    let judged = |timeline: &[Event]| judge(&run(0.5, timeline.to_vec()), expect, ADVERTS, &CHECKS);
    let stays = [
        event(-400.0, "lb1", DrillEventKind::Owns),
        event(0.0, "lb1", fault()),
        event(2000.0, "lb1", DrillEventKind::Healed),
    ];
    assert_eq!(judged(&stays), []);
    let resigns = [
        event(-400.0, "lb1", DrillEventKind::Owns),
        event(0.0, "lb1", fault()),
        event(1500.0, "lb1", state("FAULT")),
        event(1500.5, "lb1", DrillEventKind::Released),
        event(1502.0, "lb2", DrillEventKind::Owns),
    ];
    let found = judged(&resigns);
    let unexplained =
        |it: &Violation| matches!(it, Violation::Unexplained { to, .. } if to.as_str() == "lb2");
    assert!(found.iter().any(unexplained), "{found:?}");
    // No node takes over. 50 ms without an owner are within the run's budget, but not allowed here.
    let mut nobody = resigns[..4].to_vec();
    nobody.push(event(1550.5, "lb1", DrillEventKind::Owns));
    let found = judged(&nobody);
    assert!(
        found
            .iter()
            .any(|it| matches!(it, Violation::NoOwner { .. })),
        "{found:?}"
    );
}

/// Two nodes that miss the same advertisements both take over, and one yields: two owners, both explained.
#[test]
fn two_may_take_over_for_the_same_reason() {
    let mut timeline = killed();
    timeline.insert(9, event(16.4, "lb3", DrillEventKind::Owns));
    timeline.insert(10, event(16.6, "lb3", DrillEventKind::Released));
    assert_eq!(found(&run(0.5, timeline)), []);
}

/// A takeover and a failback, by clocks that are off.
#[derive(Debug, Clone)]
struct Round {
    /// Fault to release, to takeover, to recovery, to failback.
    waits: [f64; 4],
}

/// A history as the hosts' clocks record it.
#[derive(Debug, Clone)]
struct Story {
    rounds: Vec<Round>,
    error: f64,
    /// How far each of the two clocks is off, within the error.
    off: [f64; 2],
}

fn stories() -> impl Strategy<Value = Story> {
    let waits = [1.0..20.0, 1.0..60.0, 200.0..2000.0, 50.0..500.0];
    let rounds = prop::collection::vec(waits.prop_map(|waits| Round { waits }), 1..4);
    (rounds, 0.0..5.0_f64, [-1.0..1.0_f64, -1.0..1.0_f64]).prop_map(|(rounds, error, off)| Story {
        rounds,
        error,
        off: off.map(|off| off * error),
    })
}

impl Story {
    /// The run as the hosts' clocks record it.
    fn run(&self) -> DrillRun {
        let mut now = 0.0;
        let mut timeline = Vec::new();
        for round in &self.rounds {
            let [release, takeover, healed, back] = round.waits;
            let mut at = |wait: f64, node: usize, what| {
                now += wait;
                timeline.push(event(now + self.off[node], ["lb1", "lb2"][node], what));
            };
            at(0.0, 0, fault());
            at(0.5, 0, DrillEventKind::Silent);
            at(release, 0, DrillEventKind::Released);
            at(takeover, 1, DrillEventKind::Owns);
            at(healed, 0, DrillEventKind::Serves);
            at(back, 1, DrillEventKind::Released);
            at(0.1, 0, DrillEventKind::Owns);
            now += 1000.0;
        }
        timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        DrillRun {
            end_ms: now,
            ..run(self.error, timeline)
        }
    }

    fn index_of(run: &DrillRun, node: &str, what: &DrillEventKind, round: usize) -> usize {
        let of = |event: &Event| event.node == Some(name(node)) && event.what == *what;
        let mut places = (0..run.timeline.len()).filter(|index| of(&run.timeline[*index]));
        places.nth(round).unwrap()
    }
}

fn sorted(mut run: DrillRun) -> DrillRun {
    run.timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn clocks_within_their_errors_make_no_violation(story in stories()) {
        prop_assert_eq!(found(&story.run()), []);
    }

    #[test]
    fn an_overlap_beyond_the_errors_is_found(story in stories(), round in 0..4_usize, by in 0.1..50.0_f64) {
        let mut run = story.run();
        let round = round % story.rounds.len();
        // lb2 releases the VIP only after lb1 has taken it back.
        let takes = Story::index_of(&run, "lb1", &DrillEventKind::Owns, round);
        let after = run.timeline[takes].at_ms + 30.0 + 2.0 * story.error + by;
        let lets_go = Story::index_of(&run, "lb2", &DrillEventKind::Released, round);
        run.timeline[lets_go].at_ms = after;
        let found = found(&sorted(run));
        let is_it = |one: &Violation| matches!(one, Violation::TwoOwners { .. });
        prop_assert!(found.iter().any(is_it), "{:?}", found);
    }

    #[test]
    fn a_gap_beyond_the_budget_is_found(story in stories(), round in 0..4_usize, by in 0.1..50.0_f64) {
        let mut run = story.run();
        let round = round % story.rounds.len();
        let gone = Story::index_of(&run, "lb1", &DrillEventKind::Silent, round);
        let takes = Story::index_of(&run, "lb2", &DrillEventKind::Owns, round);
        let at = run.timeline[gone].at_ms + 100.0 + 2.0 * story.error + by;
        run.timeline[takes].at_ms = at;
        let found = found(&sorted(run));
        prop_assert!(matches!(found[..], [Violation::NoOwner { .. }]), "{:?}", found);
    }

    #[test]
    fn a_takeover_whose_cause_is_taken_away_is_found(story in stories(), round in 0..4_usize, back in any::<bool>()) {
        let mut run = story.run();
        let round = round % story.rounds.len();
        let takes = Story::index_of(&run, if back { "lb1" } else { "lb2" }, &DrillEventKind::Owns, round);
        let (at, to) = (run.timeline[takes].at_ms, run.timeline[takes].node.clone().unwrap());
        let causes = if back {
            vec![Story::index_of(&run, "lb1", &DrillEventKind::Serves, round)]
        } else {
            vec![
                Story::index_of(&run, "lb1", &fault(), round),
                Story::index_of(&run, "lb1", &DrillEventKind::Silent, round),
            ]
        };
        for cause in causes.into_iter().rev() {
            run.timeline.remove(cause);
        }
        let found = found(&run);
        prop_assert!(found.contains(&Violation::Unexplained { at_ms: at, to }), "{:?}", found);
    }

    #[test]
    fn events_out_of_order_are_found(story in stories(), one in 0..100_usize, other in 0..100_usize) {
        let mut run = story.run();
        let length = run.timeline.len();
        let (one, other) = (one % length, other % length);
        prop_assume!(run.timeline[one].at_ms.total_cmp(&run.timeline[other].at_ms).is_ne());
        run.timeline.swap(one, other);
        let found = found(&run);
        prop_assert!(matches!(found[..], [Violation::Unclear { .. }]), "{:?}", found);
    }
}
