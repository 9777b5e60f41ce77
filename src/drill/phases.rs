//! Splits a takeover into its phases, from a timeline.

use super::record::{DrillEventKind, Event, Millis, Phases, Requests};
use crate::model::NodeName;

/// Hosts' clocks agree no better than this, in milliseconds.
const BLUR: f64 = 5.0;

/// The node that took the VIP over from `from`. If timers fire close together, several nodes take it, and all but one
/// return to BACKUP when they receive an advertisement with a higher priority: the next owner is the one that kept it.
pub fn next_owner<'a>(timeline: &'a [Event], from: &NodeName) -> Option<&'a NodeName> {
    let until = returned(timeline, from).unwrap_or(Millis::INFINITY) - BLUR;
    let takes =
        |event: &&Event| event.what == DrillEventKind::Owns && event.node.as_ref() != Some(from);
    let mut owners = timeline
        .iter()
        .filter(|event| event.at_ms > -BLUR && event.at_ms < until)
        .filter(takes)
        .filter_map(|event| Some((event.node.as_ref()?, event.at_ms)));
    let kept_it = |owner: &NodeName, since: Millis| {
        let states = timeline.iter().filter_map(|event| match &event.what {
            DrillEventKind::State { state } if event.node.as_ref() == Some(owner) => {
                Some((event.at_ms, state))
            }
            _ => None,
        });
        let after = |(at_ms, state): &(Millis, &String)| {
            (since..until).contains(at_ms) && *state != "MASTER"
        };
        let next = states.filter(after).map(|(_, state)| state.as_str()).next();
        next != Some("BACKUP")
    };
    let last = owners.clone().next_back();
    let kept = owners.find(|&(owner, since)| kept_it(owner, since));
    kept.or(last).map(|(owner, _)| owner)
}

/// When `from`, which had released the VIP, took it again.
fn returned(timeline: &[Event], from: &NodeName) -> Option<Millis> {
    let (taken, _) = taken_over(timeline, from)?;
    let own =
        |event: &&Event| event.node.as_ref() == Some(from) && event.what == DrillEventKind::Owns;
    let back = timeline.iter().filter(|event| event.at_ms > taken + BLUR);
    back.filter(own).map(|event| event.at_ms).next()
}

fn taken_over<'a>(timeline: &'a [Event], from: &NodeName) -> Option<(Millis, &'a NodeName)> {
    timeline.iter().find_map(|event| match &event.node {
        Some(node) if event.what == DrillEventKind::Owns && node != from && event.at_ms > -BLUR => {
            Some((event.at_ms, node))
        }
        _ => None,
    })
}

/// Splits the time from the fault to the first request that was answered again. `None` if the VIP did not move away
/// from `from`. If no request was lost, it ends when a bystander learned the new owner, or when that had the address.
pub fn phases(timeline: &[Event], from: &NodeName, seen: &Requests) -> Option<Phases> {
    let (owned, _) = taken_over(timeline, from)?;
    let after = |event: &&Event| event.at_ms > -BLUR;
    let acts = |event: &&Event| {
        let own = event.node.as_ref() == Some(from);
        match &event.what {
            DrillEventKind::Released => own,
            DrillEventKind::State { state } => own != (state == "MASTER"),
            _ => false,
        }
    };
    let acted = timeline.iter().filter(after).find(acts);
    let acted = acted.map_or(owned, |event| event.at_ms);
    let announced = timeline.iter().filter(after).find(
        |event| matches!(&event.what, DrillEventKind::Announced { owner } if owner.as_ref() != Some(from)),
    );
    let heard = announced.map_or(owned, |event| event.at_ms).max(owned);
    // The gap of the takeover, not of a later failback.
    let gap = seen
        .gaps
        .iter()
        .rfind(|gap| gap.at_ms <= heard && gap.at_ms + gap.length_ms > -BLUR);
    let answered = gap.map_or(heard, |gap| gap.at_ms + gap.length_ms);
    let acted = acted.max(0.0);
    let owned = owned.max(acted);
    Some(Phases {
        detection_ms: acted,
        election_ms: owned - acted,
        announcement_ms: answered.max(owned) - owned,
    })
}

/// Time from `ending`, when the fault began to end, until the VIP was on `after` for good and requests were answered.
/// `None` if it did not return there.
pub fn time_to_return(
    timeline: &[Event],
    after: &NodeName,
    seen: &Requests,
    ending: Millis,
) -> Option<f64> {
    let owners = timeline
        .iter()
        .filter(|event| event.what == DrillEventKind::Owns);
    let back = owners.clone().next_back()?;
    let was_elsewhere = owners.filter(|event| event.at_ms > -BLUR).count() > 1;
    if back.node.as_ref() != Some(after) || !was_elsewhere {
        return None;
    }
    let gap = seen.gaps.iter().rfind(|gap| gap.at_ms >= ending);
    let answered = gap.map_or(back.at_ms, |gap| gap.at_ms + gap.length_ms);
    Some((answered.max(back.at_ms) - ending).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::record::LostStretch;

    fn name(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn event(at_ms: Millis, node: &str, what: DrillEventKind) -> Event {
        Event {
            at_ms,
            node: Some(name(node)),
            what,
        }
    }

    fn state(state: &str) -> DrillEventKind {
        DrillEventKind::State {
            state: state.to_owned(),
        }
    }

    fn lost(gaps: &[(f64, f64)]) -> Requests {
        let gap = |&(at_ms, length_ms)| LostStretch {
            at_ms,
            length_ms,
            lost: 1,
        };
        Requests {
            gaps: gaps.iter().map(gap).collect(),
            ..Requests::default()
        }
    }

    fn takeover() -> Vec<Event> {
        let announced = DrillEventKind::Announced {
            owner: Some(name("lb2")),
        };
        vec![
            event(-900.0, "lb1", DrillEventKind::Owns),
            event(-900.0, "lb1", state("MASTER")),
            event(29.0, "lb1", state("FAULT")),
            event(29.5, "lb1", DrillEventKind::Released),
            event(30.0, "lb2", state("MASTER")),
            event(30.5, "lb2", DrillEventKind::Owns),
            event(31.0, "lb3", announced),
            event(1300.0, "lb2", DrillEventKind::Released),
            event(1300.5, "lb1", DrillEventKind::Owns),
        ]
    }

    fn split(timeline: &[Event], gaps: &[(f64, f64)]) -> String {
        let phases = phases(timeline, &name("lb1"), &lost(gaps)).unwrap();
        format!(
            "{:.1} + {:.1} + {:.1}",
            phases.detection_ms, phases.election_ms, phases.announcement_ms
        )
    }

    #[test]
    fn the_phases_sum_to_the_time_until_the_first_good_request() {
        let gaps = [(1.0, 34.0), (1299.0, 5.0)];
        assert_eq!(split(&takeover(), &gaps), "29.0 + 1.5 + 4.5");
        assert_eq!(next_owner(&takeover(), &name("lb1")), Some(&name("lb2")));
    }

    /// As seen on busy machines.
    #[test]
    fn of_several_whose_timers_ended_together_the_next_owner_is_who_kept_it() {
        let lb1 = name("lb1");
        let at_once = vec![
            event(-900.0, "lb1", DrillEventKind::Owns),
            event(22.2, "lb1", state("FAULT")),
            event(23.2, "lb1", DrillEventKind::Released),
            event(174.6, "lb3", state("MASTER")),
            event(174.6, "lb2", state("MASTER")),
            event(174.7, "lb3", DrillEventKind::Owns),
            event(174.8, "lb2", DrillEventKind::Owns),
            event(175.3, "lb3", state("BACKUP")),
            event(175.4, "lb3", DrillEventKind::Released),
            event(3276.5, "lb2", state("BACKUP")),
            event(3276.7, "lb1", DrillEventKind::Owns),
            event(3277.5, "lb2", DrillEventKind::Released),
        ];
        assert_eq!(next_owner(&at_once, &lb1), Some(&name("lb2")));
        // With a third node, which yields last.
        let mut three = at_once.clone();
        three.insert(6, event(174.7, "lb4", DrillEventKind::Owns));
        three.insert(10, event(175.5, "lb4", state("BACKUP")));
        three.insert(11, event(175.6, "lb4", DrillEventKind::Released));
        assert_eq!(next_owner(&three, &lb1), Some(&name("lb2")));
        // In the opposite order, lb3 was an owner for a moment, too, which makes no difference.
        let mut swapped = at_once.clone();
        swapped.swap(5, 6);
        assert_eq!(next_owner(&swapped, &lb1), Some(&name("lb2")));
        // lb3 had released it before lb2 took it.
        let mut in_turn = at_once;
        in_turn[6].at_ms = 175.6;
        in_turn[6..9].rotate_left(1);
        assert_eq!(next_owner(&in_turn, &lb1), Some(&name("lb2")));
    }

    #[test]
    fn an_owner_that_fails_in_its_turn_was_the_next_one() {
        let timeline = [
            event(-900.0, "lb1", DrillEventKind::Owns),
            event(23.2, "lb1", DrillEventKind::Released),
            event(24.8, "lb2", DrillEventKind::Owns),
            event(1025.3, "lb2", state("FAULT")),
            event(1025.4, "lb2", DrillEventKind::Released),
            event(1026.0, "lb3", DrillEventKind::Owns),
            event(2000.0, "lb2", state("BACKUP")),
            event(3001.0, "lb1", DrillEventKind::Owns),
        ];
        assert_eq!(next_owner(&timeline, &name("lb1")), Some(&name("lb2")));
    }

    #[test]
    fn without_a_lost_request_the_announcement_ends_it() {
        assert_eq!(split(&takeover(), &[]), "29.0 + 1.5 + 0.5");
        let gap_of_the_return = [(1299.0, 5.0)];
        assert_eq!(split(&takeover(), &gap_of_the_return), "29.0 + 1.5 + 0.5");
    }

    #[test]
    fn a_silent_owner_is_missed_by_the_next_one() {
        let timeline = [
            event(-900.0, "lb1", DrillEventKind::Owns),
            event(170.0, "lb2", state("MASTER")),
            event(171.0, "lb2", DrillEventKind::Owns),
        ];
        assert_eq!(split(&timeline, &[(2.0, 173.0)]), "170.0 + 1.0 + 4.0");
    }

    #[test]
    fn a_vip_that_stays_has_no_phases() {
        let stays = &takeover()[..2];
        assert_eq!(phases(stays, &name("lb1"), &lost(&[(3.0, 80.0)])), None);
    }

    #[test]
    fn the_return_ends_when_the_last_request_is_answered() {
        let (timeline, lb1) = (takeover(), name("lb1"));
        let back = |gaps: &[(f64, f64)]| time_to_return(&timeline, &lb1, &lost(gaps), 1000.0);
        assert_eq!(back(&[(1.0, 34.0)]), Some(300.5));
        assert_eq!(back(&[(1.0, 34.0), (1299.0, 5.0)]), Some(304.0));
        // It was back before systemd reported the daemon as started.
        assert_eq!(
            time_to_return(&timeline, &lb1, &lost(&[]), 1301.0),
            Some(0.0)
        );
        let elsewhere = |timeline| time_to_return(timeline, &name("lb2"), &lost(&[]), 40.0);
        assert_eq!(elsewhere(&timeline[..]), None);
        assert_eq!(elsewhere(&timeline[..6]), None);
    }
}
