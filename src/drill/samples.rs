//! A hand-made record for tests.

use super::kind::Drill;
use super::record::{
    Beside, ClockOffset, Downloads, DrillEventKind, DrillReport, DrillRun, Event, Held,
    LostStretch, Phases, Predicted, Requests,
};
use crate::model::NodeName;

pub(crate) fn name(node: &str) -> NodeName {
    NodeName::new(node).unwrap()
}

fn event(at_ms: f64, node: Option<&str>, what: DrillEventKind) -> Event {
    Event {
        at_ms,
        node: node.map(name),
        what,
    }
}

fn takeover(outage: f64) -> f64 {
    6.0 + outage * 0.6
}

fn timeline(outage: f64) -> Vec<Event> {
    let lb1 = |at, what| event(at, Some("lb1"), what);
    let lb2 = |at, what| event(at, Some("lb2"), what);
    let state = |state: &str| DrillEventKind::State {
        state: state.to_owned(),
    };
    let takeover = takeover(outage);
    let mut timeline = vec![
        lb1(-480.0, DrillEventKind::Owns),
        lb1(
            0.0,
            DrillEventKind::Fault {
                name: "nginx-kill".to_owned(),
            },
        ),
        lb1(0.6, DrillEventKind::Silent),
        lb1(3.1, state("FAULT")),
        lb1(3.4, DrillEventKind::Released),
        lb2(takeover, DrillEventKind::Owns),
        lb2(takeover + 0.1, state("MASTER")),
        lb1(1100.0, DrillEventKind::Serves),
        lb1(1101.0, state("BACKUP")),
        lb2(1402.0, DrillEventKind::Released),
        lb1(1402.6, DrillEventKind::Owns),
        lb1(1403.0, state("MASTER")),
    ];
    if outage > 0.0 {
        timeline.push(event(1.0, None, DrillEventKind::Lost));
        timeline.push(event(1.0 + outage, None, DrillEventKind::Answered));
        timeline.push(event(
            takeover + 1.0,
            None,
            DrillEventKind::Announced {
                owner: Some(name("lb2")),
            },
        ));
    }
    timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    timeline
}

/// nginx is killed on lb1, and users are cut off for `outage` milliseconds.
pub(crate) fn nginx_kill(repeat: u32, outage: f64) -> DrillRun {
    let lost = outage > 0.0;
    let gap = LostStretch {
        at_ms: 1.0,
        length_ms: outage,
        lost: 4,
    };
    DrillRun {
        drill: Drill::NginxKill,
        repeat,
        vip: "10.0.0.100".parse().unwrap(),
        node: name("lb1"),
        from: name("lb1"),
        to: Some(name("lb2")),
        after: Some(name("lb1")),
        begin_ms: -500.0,
        end_ms: 2600.0,
        hold_ms: None,
        path: "/health".to_owned(),
        beside: Some(Beside {
            path: "/".to_owned(),
            requests: Requests {
                count: 620,
                lost: 1,
                gaps: vec![LostStretch {
                    at_ms: 2.0,
                    length_ms: 5.0,
                    lost: 1,
                }],
                recovered: true,
                median_ms: 1.2,
                slowest_ms: 9.1,
            },
        }),
        new: Requests {
            count: 620,
            lost: if lost { 4 } else { 0 },
            gaps: lost.then_some(gap).into_iter().collect(),
            recovered: true,
            median_ms: 0.7,
            slowest_ms: 6.2,
        },
        held: Held {
            connections: 20,
            broken: 20,
            requests: 2480,
            lost: 20,
            longest_ms: outage + 4.0,
        },
        downloads: Some(Downloads {
            under_way: 2,
            broken: 2,
        }),
        phases: Some(Phases {
            detection_ms: 3.4,
            election_ms: takeover(outage) - 3.4,
            announcement_ms: 1.0,
        }),
        back_ms: Some(302.6),
        predicted: Some(Predicted {
            earliest_ms: 1.2,
            latest_ms: 41.0,
        }),
        budget_ms: Some(100.0),
        offsets: ["lb1", "lb2", "lb3"]
            .map(|node| ClockOffset {
                node: name(node),
                offset_ms: -0.14,
                error_ms: 0.31,
            })
            .into(),
        timeline: timeline(outage),
        violations: Vec::new(),
    }
}

/// Six runs of one drill, one of them without a lost request.
pub(crate) fn report() -> DrillReport {
    let outages = [18.0, 24.0, 31.0, 0.0, 22.0, 27.0];
    DrillReport {
        format: DrillReport::FORMAT,
        hactl: "0.1.0".to_owned(),
        cluster: "web".to_owned(),
        started: "2026-03-01T09:30:00Z".to_owned(),
        profile: "fast".to_owned(),
        advert_ms: 20.0,
        down_timer_adverts: 8,
        nodes: ["lb1", "lb2", "lb3"].map(name).into(),
        probe_interval_ms: 5.0,
        runs: (1..)
            .zip(outages)
            .map(|(repeat, outage)| nginx_kill(repeat, outage))
            .collect(),
    }
}
