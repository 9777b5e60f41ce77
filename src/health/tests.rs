//! Who owns what, and what is found wrong with it.

use std::net::IpAddr;

use super::*;
use crate::agent::{InstanceState, Observation, Service, VrrpState};
use crate::model::NodeName;

fn vip() -> IpAddr {
    "10.0.0.100".parse().unwrap()
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

/// A node whose daemons run.
fn seen(node: &str, state: InstanceState) -> Observation {
    let mut seen = Observation::of(name(node));
    for daemon in Daemon::ALL {
        let service = Service {
            active: "active".to_owned(),
            ..Service::default()
        };
        seen.services
            .insert(format!("{}.service", daemon.name()), service);
    }
    if state == InstanceState::Master {
        seen.addresses
            .push(("eth0".to_owned(), "10.0.0.100/32".parse().unwrap()));
    }
    seen.vrrp.push(VrrpState {
        instance: "VI_1".to_owned(),
        state,
        ..VrrpState::default()
    });
    seen
}

fn pair(one: InstanceState, other: InstanceState) -> Vec<Observation> {
    vec![seen("lb1", one), seen("lb2", other)]
}

#[test]
fn an_owner_and_a_backup_have_no_problem() {
    let pair = pair(InstanceState::Master, InstanceState::Backup);
    assert_eq!(problems(&pair, &[vip()]), []);
    assert_eq!(owners(&pair, &[vip()])[0].sole(), Some(&name("lb1")));
}

#[test]
fn no_owner_and_several() {
    let none = pair(InstanceState::Backup, InstanceState::Backup);
    assert_eq!(problems(&none, &[vip()]), [Problem::NoOwner { vip: vip() }]);
    assert_eq!(owners(&none, &[vip()])[0].sole(), None);
    let both = pair(InstanceState::Master, InstanceState::Master);
    let owners_of = vec![name("lb1"), name("lb2")];
    let several = Problem::SeveralOwners {
        vip: vip(),
        owners: owners_of,
    };
    assert_eq!(
        several.to_string(),
        "lb1 and lb2 own 10.0.0.100 at the same time"
    );
    assert_eq!(problems(&both, &[vip()]), [several]);
    assert_eq!(owners(&both, &[vip()])[0].sole(), None);
}

#[test]
fn an_address_handed_over_on_the_loopback_is_not_owned() {
    let mut pair = pair(InstanceState::Master, InstanceState::Backup);
    pair[1]
        .addresses
        .push(("lo".to_owned(), "10.0.0.100/32".parse().unwrap()));
    assert_eq!(problems(&pair, &[vip()]), []);
}

#[test]
fn a_node_that_could_not_take_over() {
    let mut pair = pair(InstanceState::Master, InstanceState::Fault);
    pair[1].services.clear();
    let [nginx, keepalived] = Daemon::ALL.map(|daemon| Problem::DaemonDown {
        node: name("lb2"),
        daemon,
    });
    let fault = Problem::NotElectable {
        node: name("lb2"),
        instance: "VI_1".to_owned(),
        state: InstanceState::Fault,
    };
    assert_eq!(fault.to_string(), "lb2: VI_1 is in FAULT");
    assert_eq!(problems(&pair, &[vip()]), [nginx, keepalived, fault]);
}
