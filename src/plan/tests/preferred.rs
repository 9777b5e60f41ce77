//! Which node owns the VIP after the election.

use super::*;
use crate::agent::{InstanceState, Tracked, TrackedKind, VrrpState};
use crate::model::FileRole;
use crate::plan::LeftOut;
use crate::plan::{Course, Loss, LostService, Strategy};

/// A node whose priority changes from `now` to `then`.
fn node(name: &str, now: u8, then: u8, holds: bool) -> (Desired, Observation) {
    let conf =
        |priority: u8| CONF.replace("_id 51\n", &format!("_id 51\n    priority {priority}\n"));
    let with = |id, priority| {
        let mut desired = desired(id, vec![]);
        desired.node = NodeName::new(name).unwrap();
        desired.tree.files[1].content = conf(priority).into_bytes();
        desired
    };
    let mut seen = after(&with(OLD, now));
    seen.node = NodeName::new(name).unwrap();
    let (state, vip) = if holds {
        (
            InstanceState::Master,
            Some(("eth0".to_owned(), "10.0.0.100/32".parse().unwrap())),
        )
    } else {
        (InstanceState::Backup, None)
    };
    seen.addresses.extend(vip);
    seen.vrrp.push(VrrpState {
        instance: "web".to_owned(),
        state,
        ..VrrpState::default()
    });
    (with(NEW, then), seen)
}

/// The preferred node, and whether it takes the VIP from lb1.
fn preferred(nodes: Vec<(Desired, Observation)>) -> Option<(String, bool)> {
    let vip = VIP.parse().unwrap();
    let plan = planned(Goal::Apply, nodes).unwrap();
    let next = plan.preferred.get(&vip)?.to_string();
    Some((next, matches!(plan.course(vip), Course::Moves { .. })))
}

fn next(name: &str, moves: bool) -> (String, bool) {
    (name.to_owned(), moves)
}

#[test]
fn a_node_that_is_preferred_from_now_on_takes_over() {
    let swapped = || vec![node("lb1", 100, 90, true), node("lb2", 90, 100, false)];
    assert_eq!(preferred(swapped()), Some(next("lb2", true)));
    let same = vec![node("lb1", 100, 100, true), node("lb2", 90, 90, false)];
    assert_eq!(preferred(same), Some(next("lb1", false)));
    let equal = vec![node("lb1", 100, 90, true), node("lb2", 90, 90, false)];
    assert_eq!(preferred(equal), Some(next("lb1", false)));

    // With `nopreempt` it does not, and with a delay nobody can say when it does.
    let with = |word: &str| {
        let mut waits = swapped();
        let conf = &mut waits[1].0.tree.files[1].content;
        let text = String::from_utf8(conf.clone()).unwrap();
        *conf = text
            .replace("    priority", &format!("    {word}\n    priority"))
            .into_bytes();
        waits
    };
    assert_eq!(preferred(with("nopreempt")), Some(next("lb1", false)));
    assert_eq!(preferred(with("preempt_delay 60")), None);
    // An included file may say anything.
    assert_eq!(preferred(with("include more.conf")), None);
    // A failing check counts by its weight, which the priority does not show.
    let mut lowered = swapped();
    lowered[1].1.tracked.push(Tracked {
        name: "check".to_owned(),
        kind: TrackedKind::Script {
            path: "/bin/false".to_owned(),
            is_failing: true,
        },
        instances: vec!["web".to_owned()],
    });
    assert_eq!(preferred(lowered), None);
    // A node in FAULT does not take over.
    let mut fault = swapped();
    fault[1].1.vrrp[0].state = InstanceState::Fault;
    assert_eq!(preferred(fault), Some(next("lb1", false)));
}

#[test]
fn a_node_whose_nginx_is_started_takes_over() {
    let mut nodes = vec![node("lb1", 90, 90, true), node("lb2", 100, 100, false)];
    nodes[1].1.vrrp[0].state = InstanceState::Fault;
    let nginx = nodes[1].1.services.get_mut("nginx.service").unwrap();
    nginx.active = "inactive".to_owned();
    assert_eq!(preferred(nodes), Some(next("lb2", true)));
}

fn course(nodes: Vec<(Desired, Observation)>) -> Course {
    let plan = planned(Goal::Apply, nodes).unwrap();
    plan.course(VIP.parse().unwrap())
}

fn moves(to: &str) -> Course {
    let to = NodeName::new(to).unwrap();
    Course::Moves { to }
}

#[test]
fn a_move_is_told_where_all_change_at_once_too() {
    let mut nodes = vec![node("lb1", 100, 90, true), node("lb2", 90, 100, false)];
    for (desired, _) in &mut nodes {
        let conf = &mut desired.tree.files[1].content;
        let text = String::from_utf8(conf.clone()).unwrap();
        *conf = text.replace("_id 51", "_id 52").into_bytes();
    }
    let plan = planned(Goal::Apply, nodes).unwrap();
    assert!(matches!(plan.strategy, Strategy::AtOnce { .. }));
    assert_eq!(plan.course(VIP.parse().unwrap()), moves("lb2"));
}

#[test]
fn what_cannot_be_told_is_no_stay() {
    let swapped = || vec![node("lb1", 100, 100, true), node("lb2", 90, 90, false)];
    assert_eq!(course(swapped()), Course::Stays);
    // Two nodes own it.
    let vip = || ("eth0".to_owned(), "10.0.0.100/32".parse().unwrap());
    let mut split = swapped();
    split[1].1.addresses.push(vip());
    assert_eq!(course(split), Course::Unknown);
    // The VIP is removed.
    let mut plan = planned(Goal::Apply, swapped()).unwrap();
    let address = VIP.parse().unwrap();
    plan.losses.push(Loss {
        node: NodeName::new("lb1").unwrap(),
        name: VIP.to_owned(),
        service: LostService::Vip {
            instance: "web".to_owned(),
            address,
        },
    });
    assert_eq!(plan.course(address), Course::Ends);
}

#[test]
fn an_owner_that_is_restarted_gets_its_vip_back_where_it_may() {
    let restarted = |then: u8, word: &str| {
        let mut nodes = vec![node("lb1", 100, then, true), node("lb2", 90, 90, false)];
        let (desired, seen) = &mut nodes[0];
        let conf = &mut desired.tree.files[1].content;
        let text = String::from_utf8(conf.clone()).unwrap();
        *conf = text
            .replace("    priority", &format!("{word}    priority"))
            .into_bytes();
        let limit = "/etc/systemd/system/nginx.service.d/50-hactl.conf";
        let unit = tree_file(FileRole::NginxUnit, limit, "[Service]\nLimitNOFILE=9\n");
        desired.tree.files.push(unit);
        seen.files.insert(path(limit), live("[Service]\n"));
        let plan = planned(Goal::Apply, nodes).unwrap();
        let of_lb1 = plan.nodes.iter().find(|node| node.node.as_str() == "lb1");
        assert!(of_lb1.unwrap().moves_vip());
        plan.course(VIP.parse().unwrap())
    };
    assert_eq!(restarted(100, ""), Course::Returns);
    assert_eq!(restarted(100, "    nopreempt\n"), moves("lb2"));
    assert_eq!(restarted(100, "    preempt_delay 60\n"), Course::Leaves);
    assert_eq!(restarted(80, ""), moves("lb2"));
}

#[test]
fn a_node_does_not_get_the_priority_of_one_that_is_left_out() {
    let limited = |changed: (Desired, Observation), left_out: (Desired, Observation)| {
        build(Request {
            cluster: ClusterName::new("web").unwrap(),
            goal: Goal::Apply,
            vips: vec![VIP.parse().unwrap()],
            addresses: Vec::new(),
            left_out: vec![LeftOut::Seen(Box::new(left_out))],
            nodes: vec![changed],
            redactor: Redactor::new([7; 32]),
            take_over: None,
        })
    };
    // lb1 would give up that priority, if it were changed.
    let swap = limited(node("lb3", 90, 100, false), node("lb1", 100, 90, true));
    assert_eq!(
        swap.err().unwrap().to_string(),
        "cannot change the nodes without lb1: lb3 would have priority 100 in web, which lb1 keeps"
    );
    // They are equal already, so this change is not at fault.
    limited(node("lb3", 100, 100, false), node("lb1", 100, 90, true)).unwrap();
    limited(node("lb3", 80, 90, false), node("lb1", 100, 100, true)).unwrap();
}
