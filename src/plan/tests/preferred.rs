//! Who has the VIP once the election is over.

use super::*;
use crate::agent::{InstanceState, VrrpState};

/// A node with the priority `now`, which gets `then`.
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
    let holder = plan.nodes.iter().find(|node| node.holds.contains(&vip));
    Some((next, plan.taken_over_by(holder.unwrap(), vip).is_some()))
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
    assert_eq!(preferred(equal), None);

    // One that waits for an owner's end, or for a while, does not.
    for word in ["nopreempt", "preempt_delay 60"] {
        let mut waits = swapped();
        let conf = &mut waits[1].0.tree.files[1].content;
        let text = String::from_utf8(conf.clone()).unwrap();
        *conf = text
            .replace("    priority", &format!("    {word}\n    priority"))
            .into_bytes();
        assert_eq!(preferred(waits), None, "{word}");
    }
    // Nor one that is in FAULT.
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
