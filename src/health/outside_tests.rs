//! How nodes see a VIP, and which problems follow.

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

fn vip() -> IpAddr {
    "10.0.0.100".parse().unwrap()
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn seen_from(node: &str) -> Viewpoint {
    Viewpoint::Node(name(node))
}

fn hardware(node: &str) -> String {
    format!("02:00:00:00:00:0{}", &node[2..])
}

/// What `node` sees. It sends to the MAC address of the node `learned`.
fn look(node: &str, on: Option<&str>, learned: Option<&str>, answers: &[(u16, Answered)]) -> Reach {
    let seen = ReachedVip {
        interface: on.map(str::to_owned),
        learned: learned.map(hardware),
        answers: answers.iter().copied().collect(),
    };
    Reach {
        from: seen_from(node),
        hardware: vec![hardware(node)],
        vips: [(vip(), seen)].into(),
    }
}

/// lb1 owns the VIP and sees the answers `own`. lb2 sends to `learned` and gets the answers `heard`.
fn judged(
    own: &[(u16, Answered)],
    learned: Option<&str>,
    heard: &[(u16, Answered)],
) -> Vec<Problem> {
    let looks = [
        look("lb1", Some("eth0"), None, own),
        look("lb2", None, learned, heard),
        // A third node sees the same as lb1.
        look("lb3", None, Some("lb1"), own),
    ];
    disagreements(&looks, MustAnswer::WhatTheOwnerServes)
}

fn wrong(learned: &str, learned_is: Option<&str>) -> Problem {
    Problem::WrongHardware {
        from: seen_from("lb2"),
        vip: vip(),
        learned: hardware(learned),
        learned_is: learned_is.map(name),
        owner: name("lb1"),
    }
}

fn no_answer(port: u16) -> Problem {
    Problem::NotReached {
        from: seen_from("lb2"),
        vip: vip(),
        port,
        owner: name("lb1"),
    }
}

#[test]
fn what_a_node_sees_is_held_to_what_the_owner_sees() {
    use Answered::{Closed, Open};
    let other = Problem::OtherGeneration {
        from: seen_from("lb2"),
        vip: vip(),
        port: 80,
        owner: name("lb1"),
    };
    for (own, learned, heard, expected) in [
        (
            vec![(80, OWN), (443, Open)],
            Some("lb1"),
            vec![(80, OWN), (443, Open)],
            vec![],
        ),
        // Behind a router, no MAC address is learned.
        (vec![(80, OWN)], None, vec![(80, OWN)], vec![]),
        (
            vec![(80, OWN)],
            Some("lb3"),
            vec![(80, Closed)],
            vec![wrong("lb3", Some("lb3"))],
        ),
        (
            vec![(80, OWN)],
            Some("lb9"),
            vec![(80, OTHER)],
            vec![wrong("lb9", None)],
        ),
        // The wrong node serves the same.
        (
            vec![(80, OWN)],
            Some("lb3"),
            vec![(80, OWN)],
            vec![wrong("lb3", Some("lb3"))],
        ),
        (
            vec![(80, OWN)],
            Some("lb1"),
            vec![(80, Closed)],
            vec![no_answer(80)],
        ),
        (
            vec![(80, OWN)],
            Some("lb1"),
            vec![(80, Open)],
            vec![no_answer(80)],
        ),
        (vec![(80, OWN)], Some("lb1"), vec![(80, OTHER)], vec![other]),
        // The owner's own answer does not identify it either, so any answer will do.
        (vec![(80, OTHER)], Some("lb1"), vec![(80, OTHER)], vec![]),
        (vec![(80, Open)], Some("lb1"), vec![(80, Open)], vec![]),
        (
            vec![(443, Open)],
            Some("lb1"),
            vec![(443, Closed)],
            vec![no_answer(443)],
        ),
        (
            vec![(443, Closed)],
            Some("lb1"),
            vec![(443, Closed)],
            vec![],
        ),
    ] {
        let case = format!("{own:?} {learned:?} {heard:?}");
        assert_eq!(judged(&own, learned, &heard), expected, "{case}");
    }
}

#[test]
fn a_port_that_must_answer_is_held_to_the_inventory() {
    let closed = [(80, OWN), (443, Answered::Closed)];
    let looks = [look("lb1", Some("eth0"), None, &closed)];
    let expected = Problem::NotServed {
        node: name("lb1"),
        vip: vip(),
        port: 443,
        listens: false,
    };
    assert_eq!(disagreements(&looks, MustAnswer::All), [expected]);
    assert_eq!(disagreements(&looks, MustAnswer::WhatTheOwnerServes), []);
}

#[test]
fn what_the_owner_listens_on_and_does_not_answer_is_said_once() {
    let shut = [(80, Answered::Shut)];
    let lost = [(80, Answered::Closed)];
    let looks = [
        look("lb1", Some("eth0"), None, &shut),
        look("lb2", None, Some("lb1"), &lost),
    ];
    let expected = Problem::NotServed {
        node: name("lb1"),
        vip: vip(),
        port: 80,
        listens: true,
    };
    for must in [MustAnswer::All, MustAnswer::WhatTheOwnerServes] {
        assert_eq!(disagreements(&looks, must), std::slice::from_ref(&expected));
    }
}

#[test]
fn only_one_owner_is_a_measure() {
    let lost = [(80, Answered::Closed)];
    let other = look("lb2", None, Some("lb3"), &lost);
    for owners in [vec![], vec!["lb1", "lb3"]] {
        let mut looks: Vec<Reach> = owners
            .iter()
            .map(|node| look(node, Some("eth0"), None, &[(80, OWN)]))
            .collect();
        looks.push(other.clone());
        assert_eq!(disagreements(&looks, MustAnswer::All), []);
    }
}

#[test]
fn what_is_being_handed_over_is_not_asked_for_from_there() {
    let looks = [
        look("lb1", Some("eth0"), None, &[(80, OWN)]),
        look("lb2", Some("lo"), Some("lb3"), &[(80, OTHER)]),
    ];
    assert_eq!(disagreements(&looks, MustAnswer::All), []);
}

#[test]
fn problems_name_who_looked_and_whom_it_found() {
    let texts = [
        wrong("lb3", Some("lb3")).to_string(),
        wrong("lb9", None).to_string(),
        no_answer(443).to_string(),
    ];
    assert_eq!(
        texts,
        [
            "lb2: sends traffic for 10.0.0.100 to 02:00:00:00:00:03, which belongs to lb3, but lb1 owns it",
            "lb2: sends traffic for 10.0.0.100 to 02:00:00:00:00:09, which belongs to no node, but lb1 owns it",
            "lb2: gets no answer from 10.0.0.100 port 443, which lb1 serves",
        ]
    );
}
