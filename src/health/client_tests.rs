//! What can be expected of this machine.

use std::net::IpAddr;

use super::*;
use crate::agent::{Answered, Reach, ReachedVip, Viewpoint};
use crate::model::NodeName;

const OWN: Answered = Answered::Http {
    status: 200,
    is_asked_for: true,
};
const OTHER: Answered = Answered::Http {
    status: 404,
    is_asked_for: false,
};
const OWNERS: &str = "02:00:00:00:00:01";

fn vip() -> IpAddr {
    "10.0.0.100".parse().unwrap()
}

fn look(
    from: Viewpoint,
    on: Option<&str>,
    learned: Option<&str>,
    answers: &[(u16, Answered)],
) -> Reach {
    let hardware = match from.node() {
        Some(node) => vec![format!("02:00:00:00:00:0{}", &node.as_str()[2..])],
        None => Vec::new(),
    };
    let seen = ReachedVip {
        interface: on.map(str::to_owned),
        learned: learned.map(str::to_owned),
        answers: answers.iter().copied().collect(),
    };
    Reach {
        from,
        hardware,
        vips: [(vip(), seen)].into(),
    }
}

/// lb1 owns the VIP and serves ports 80 and 443. This machine has `learned` a MAC address and `heard` these answers.
fn looks(learned: Option<&str>, heard: &[(u16, Answered)]) -> Vec<Reach> {
    let node = |name: &str| Viewpoint::Node(NodeName::new(name).unwrap());
    let own = [(80, OWN), (443, Answered::Open)];
    vec![
        look(node("lb1"), Some("eth0"), None, &own),
        look(node("lb2"), None, Some(OWNERS), &own),
        look(Viewpoint::Client, None, learned, heard),
    ]
}

fn found(looks: &[Reach]) -> Vec<Problem> {
    disagreements(looks, MustAnswer::WhatTheOwnerServes)
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_it_reached_before_it_must_reach() {
    use Answered::{Closed, Open};
    let lost = "this machine: gets no answer from 10.0.0.100 port 80, which lb1 serves";
    let other = "this machine: 10.0.0.100 port 80 does not serve what lb1 serves";
    for (before, after, expected) in [
        ([(80, OWN), (443, Open)], [(80, OWN), (443, Open)], vec![]),
        (
            [(80, OWN), (443, Open)],
            [(80, Closed), (443, Open)],
            vec![lost],
        ),
        (
            [(80, OWN), (443, Open)],
            [(80, OTHER), (443, Open)],
            vec![other],
        ),
        // Before, there was no answer either, or another machine with that address answered.
        (
            [(80, Closed), (443, Closed)],
            [(80, Closed), (443, Closed)],
            vec![],
        ),
        (
            [(80, OTHER), (443, Closed)],
            [(80, OTHER), (443, Closed)],
            vec![],
        ),
        (
            [(80, OTHER), (443, Closed)],
            [(80, Closed), (443, Closed)],
            vec![],
        ),
        // Reaching one port proves nothing about the other.
        (
            [(80, Closed), (443, Open)],
            [(80, Closed), (443, Open)],
            vec![],
        ),
    ] {
        let before = looks(None, &before);
        let served = Served::of(&before, &found(&before));
        let mut problems = found(&looks(None, &after));
        served.judge(&mut problems);
        assert_eq!(said(&problems), expected, "{before:?} {after:?}");
    }
}

#[test]
fn what_nobody_knows_of_before_is_judged_from_the_same_network_only() {
    let closed = [(80, Answered::Closed), (443, Answered::Closed)];
    let part = [(80, Answered::Closed), (443, Answered::Open)];
    for (learned, heard, judged, doubtful) in [
        (Some(OWNERS), closed, 2, 0),
        (Some(OWNERS), part, 0, 1),
        (None, closed, 0, 2),
        (None, part, 0, 1),
    ] {
        let looks = looks(learned, &heard);
        let (problems, rest) = split_doubtful(found(&looks), &looks);
        let counts = (problems.len(), rest.len());
        assert_eq!(counts, (judged, doubtful), "{learned:?} {heard:?}");
    }
}

#[test]
fn another_nodes_hardware_address_is_always_wrong() {
    let right = [(80, OWN), (443, Answered::Open)];
    let wrong = [(80, OTHER), (443, Answered::Closed)];
    let sends = "this machine: sends traffic for 10.0.0.100 to";
    for (learned, heard, expected) in [
        (
            "02:00:00:00:00:02",
            right,
            vec![format!(
                "{sends} 02:00:00:00:00:02, which belongs to lb2, but lb1 owns it"
            )],
        ),
        // A proxy in between answers with its own MAC address.
        ("02:00:00:00:00:09", right, vec![]),
        (
            "02:00:00:00:00:09",
            wrong,
            vec![format!(
                "{sends} 02:00:00:00:00:09, which belongs to no node, but lb1 owns it"
            )],
        ),
    ] {
        let looks = looks(Some(learned), &heard);
        let mut problems = found(&looks);
        Served::default().judge(&mut problems);
        assert_eq!(said(&problems), expected, "{learned} {heard:?}");
        assert_eq!(
            split_doubtful(found(&looks), &looks).0.len(),
            expected.len()
        );
    }
}
