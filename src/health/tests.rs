//! Owners of VIPs, and the problems that are found.

use std::net::IpAddr;

use super::*;
use crate::agent::{
    Hook, HookState, InstanceState, ListensAt, Observation, PeerAnswer, PeerDoor, PeerPort,
    Service, Serving, Tracked, TrackedKind, VrrpState, Wire,
};
use crate::model::{NodeName, UnitId};
use crate::units;

fn vip() -> IpAddr {
    "10.0.0.100".parse().unwrap()
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

/// A node with running daemons.
fn seen(node: &str, state: InstanceState) -> Observation {
    let mut seen = Observation::of(name(node));
    for daemon in units::ids() {
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

/// A healthy first node, and a second one with a problem.
fn beside(change: impl FnOnce(&mut Observation)) -> Vec<Observation> {
    let mut pair = pair(InstanceState::Master, InstanceState::Backup);
    change(&mut pair[1]);
    pair
}

fn hook(state: HookState) -> Vec<Observation> {
    beside(|lb2| {
        lb2.hooks.push(Hook {
            path: "/etc/keepalived/notify.sh".to_owned(),
            state,
        });
    })
}

fn peers(answers: [PeerAnswer; 2]) -> Vec<Observation> {
    let mut three = beside(|lb2| {
        let own = ("eth0".to_owned(), "10.0.0.12/24".parse().unwrap());
        lb2.addresses.push(own);
    });
    three.push(seen("lb3", InstanceState::Backup));
    for (index, answer) in [0, 2].into_iter().zip(answers) {
        three[index].peers.push(PeerPort {
            door: door("10.0.0.12", ListensAt::All),
            answer,
        });
    }
    three
}

fn door(address: &str, listens: ListensAt) -> PeerDoor {
    PeerDoor {
        address: address.parse().unwrap(),
        port: 80,
        listens,
    }
}

/// The answers that lb1 gets on lb2's own address and lb2 on lb1's, with nginx listening on the VIPs only.
fn vip_peers(of_lb2: PeerAnswer, of_lb1: PeerAnswer) -> Vec<Observation> {
    let mut pair = pair(InstanceState::Master, InstanceState::Backup);
    for (index, peer, answer) in [(0, 1, of_lb2), (1, 0, of_lb1)] {
        let own = format!("10.0.0.1{}", peer + 1);
        let net = format!("{own}/24").parse().unwrap();
        pair[peer].addresses.push(("eth0".to_owned(), net));
        pair[index].peers.push(PeerPort {
            door: door(&own, ListensAt::Vips),
            answer,
        });
    }
    pair
}

/// The problems of a cluster, as text.
fn said(seen: &[Observation]) -> Vec<String> {
    let found = problems(seen, &[vip()]);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn each_problem_trips_and_passes() {
    let unwell = [
        (
            hook(HookState::Missing),
            "lb2: keepalived cannot run /etc/keepalived/notify.sh: it does not exist",
        ),
        (
            hook(HookState::NotExecutable),
            "lb2: keepalived cannot run /etc/keepalived/notify.sh: it is not an executable file",
        ),
        (
            hook(HookState::Unsafe {
                component: "/etc/keepalived".to_owned(),
            }),
            "lb2: keepalived cannot run /etc/keepalived/notify.sh: users other than root can change \
             /etc/keepalived",
        ),
        (
            peers([PeerAnswer::Silent; 2]),
            "lb2: no peer can connect to 10.0.0.12 port 80: no answer, as when a firewall drops it",
        ),
        (
            peers([PeerAnswer::Refused; 2]),
            "lb2: no peer can connect to 10.0.0.12 port 80: refused, so nothing listens there or a \
             firewall rejects it",
        ),
        (
            vip_peers(PeerAnswer::Silent, PeerAnswer::Refused),
            "lb2: 10.0.0.12 port 80 does not answer peers, although other nodes refuse the connection: a \
             firewall may drop traffic to that port, also for the VIP",
        ),
        (
            beside(|lb2| lb2.vrrp[0].source = Some("10.0.0.12".parse().unwrap())),
            "lb2: VI_1 sends its adverts from 10.0.0.12, which is on no interface there",
        ),
    ];
    for (seen, words) in unwell {
        assert_eq!(said(&seen), [words]);
    }
    let well = [
        hook(HookState::Ready),
        // A port without a listener so far.
        {
            let mut seen = peers([PeerAnswer::Refused; 2]);
            seen[1].serving = Some(Serving::default());
            seen
        },
        vip_peers(PeerAnswer::Refused, PeerAnswer::Refused),
        // Firewalls that admit users to the VIP only.
        vip_peers(PeerAnswer::Silent, PeerAnswer::Silent),
        peers([PeerAnswer::Open; 2]),
        peers([PeerAnswer::Silent, PeerAnswer::Open]),
        beside(|lb2| {
            lb2.vrrp[0].source = Some("10.0.0.12".parse().unwrap());
            let own = ("eth0".to_owned(), "10.0.0.12/24".parse().unwrap());
            lb2.addresses.push(own);
        }),
    ];
    for seen in well {
        assert_eq!(said(&seen), [""; 0]);
    }
}

#[test]
fn an_owner_that_should_not_be_one() {
    let mut pair = pair(InstanceState::Master, InstanceState::Backup);
    pair[0].services.remove("nginx.service");
    assert_eq!(
        said(&pair),
        [
            "lb1: owns 10.0.0.100 without a running nginx, while lb2 could serve",
            "lb1: nginx is not running",
        ]
    );
    pair[0].services.remove("keepalived.service");
    pair[0].vrrp.clear();
    assert_eq!(
        said(&pair)[0],
        "lb1: has 10.0.0.100 without a running keepalived"
    );
}

#[test]
fn settings_that_the_nodes_do_not_share() {
    let wire = |router_id| Wire {
        router_id: Some(router_id),
        version: Some(3),
        ..Wire::default()
    };
    let mut pair = beside(|lb2| lb2.vrrp[0].wire = wire(52));
    // A keepalived that does not report its settings is not a mismatch.
    assert_eq!(said(&pair), [""; 0]);
    pair[0].vrrp[0].wire = wire(51);
    assert_eq!(
        said(&pair),
        ["lb2: VI_1 runs with virtual_router_id 52, lb1 with 51"]
    );
    pair[0].vrrp[0].wire = wire(52);
    assert_eq!(said(&pair), [""; 0]);
}

#[test]
fn a_fault_has_its_causes_and_its_age() {
    let tracked = |name: &str, kind, instance: &str| Tracked {
        name: name.to_owned(),
        kind,
        instances: vec![instance.to_owned()],
    };
    let pair = beside(|lb2| {
        lb2.clock = 1_000_060.5;
        lb2.vrrp[0].state = InstanceState::Fault;
        lb2.vrrp[0].since = Some(1_000_000);
        lb2.vrrp[0].source = Some("10.0.0.12".parse().unwrap());
        let check = TrackedKind::Script {
            path: "/etc/keepalived/check_nginx.sh".to_owned(),
            is_failing: true,
        };
        let file = |value| TrackedKind::File {
            path: "/run/hactl/nginx".to_owned(),
            value,
        };
        lb2.tracked = vec![
            tracked("check_nginx", check.clone(), "VI_1"),
            tracked("other", check, "VI_2"),
            tracked("hactl_nginx", file(-254), "VI_1"),
            tracked("weighed", file(-30), "VI_1"),
            tracked("eth1", TrackedKind::Interface { is_up: false }, "VI_1"),
            tracked("eth0", TrackedKind::Interface { is_up: true }, "VI_1"),
        ];
        let failed = |text: &str| ("check_nginx".to_owned(), text.to_owned());
        lb2.script_failures = vec![
            failed("failed (timed out)"),
            failed("failed (exited with status 3)"),
        ];
    });
    assert_eq!(
        said(&pair),
        [
            "lb2: VI_1 is in FAULT for 60 s: the host does not have its address 10.0.0.12, the check \
             /etc/keepalived/check_nginx.sh failed (exited with status 3), /run/hactl/nginx says -254, \
             the interface eth1 is down"
        ]
    );
}

/// The file has that value as long as nginx is down, and for a moment afterwards.
#[test]
fn a_tracked_file_is_explained_by_an_nginx_that_does_not_run() {
    let waits = |lb2: &mut Observation| {
        lb2.vrrp[0].state = InstanceState::Fault;
        lb2.tracked = vec![Tracked {
            name: "hactl_nginx".to_owned(),
            kind: TrackedKind::File {
                path: "/run/hactl/nginx".to_owned(),
                value: -254,
            },
            instances: vec!["VI_1".to_owned()],
        }];
    };
    let fault = "lb2: VI_1 is in FAULT: /run/hactl/nginx says -254";
    assert_eq!(said(&beside(waits)), [fault]);
    let stopped = beside(|lb2| {
        waits(lb2);
        let nginx = lb2.services.get_mut("nginx.service").unwrap();
        nginx.active = "inactive".to_owned();
    });
    assert_eq!(
        said(&stopped),
        [
            "lb2: nginx is not running",
            &format!("{fault}, and nginx is not running"),
        ]
    );
}

/// A change fails only for the problems that it causes.
#[test]
fn what_was_wrong_before_excuses_the_same_on_the_same_node_only() {
    let fault_for = |node: &str, causes: &[FaultCause]| Problem::NotElectable {
        node: name(node),
        instance: "VI_1".to_owned(),
        state: InstanceState::Fault,
        seconds: None,
        causes: causes.to_vec(),
    };
    let fault = |node: &str| fault_for(node, &[]);
    let check = |failure: &str| FaultCause::ScriptFailing {
        name: "check_nginx".to_owned(),
        path: "/etc/keepalived/check_nginx.sh".to_owned(),
        failure: Some(failure.to_owned()),
    };
    let address = FaultCause::AddressMissing {
        address: "10.0.0.63".parse().unwrap(),
    };
    let failing = [fault_for("lb3", &[check("timed out")])];
    assert!(fault_for("lb3", &[check("exited with status 3")]).is_in(&failing));
    // Caused by the change, on a node that had a problem before.
    assert!(!fault_for("lb3", &[check("timed out"), address.clone()]).is_in(&failing));
    assert!(!fault_for("lb3", &[address]).is_in(&failing));
    let down = |node: &str, daemon| Problem::DaemonDown {
        node: name(node),
        daemon,
    };
    let before = [down("lb3", UnitId::KEEPALIVED)];
    assert!(fault("lb3").is_in(&before));
    assert!(!fault("lb2").is_in(&before));
    assert!(!down("lb3", UnitId::NGINX).is_in(&before));
    let no_owner = Problem::NoOwner { vip: vip() };
    assert!(!no_owner.is_in(std::slice::from_ref(&no_owner)));
}

#[test]
fn a_node_that_could_not_take_over() {
    let mut pair = pair(InstanceState::Master, InstanceState::Fault);
    pair[1].services.clear();
    let down = |daemon| Problem::DaemonDown {
        node: name("lb2"),
        daemon,
    };
    let fault = Problem::NotElectable {
        node: name("lb2"),
        instance: "VI_1".to_owned(),
        state: InstanceState::Fault,
        seconds: None,
        causes: Vec::new(),
    };
    assert_eq!(fault.to_string(), "lb2: VI_1 is in FAULT");
    assert_eq!(
        problems(&pair, &[vip()]),
        [down(UnitId::NGINX), down(UnitId::KEEPALIVED), fault]
    );
}

#[test]
fn a_vip_that_is_only_to_come_has_no_problem_yet() {
    let mut pair = pair(InstanceState::Backup, InstanceState::Backup);
    for node in &mut pair {
        let text = "generation\t1\nvips\t10.0.0.99 10.0.0.100\n";
        node.recorded = Some(crate::agent::Manifest::parse(text));
    }
    let to_come: IpAddr = "10.0.0.101".parse().unwrap();
    let found = known_problems(&pair, &[vip(), to_come]);
    assert_eq!(found, [Problem::NoOwner { vip: vip() }]);
}

#[test]
fn a_node_that_is_not_changed_may_own_the_vip() {
    let mut pair = pair(InstanceState::Master, InstanceState::Fault);
    for node in &mut pair {
        node.recorded = Some(crate::agent::Manifest::parse("generation\t1\n"));
    }
    let (owner, broken) = (&pair[..1], &pair[1..]);
    let fault = |found: Vec<Problem>| matches!(found[..], [Problem::NotElectable { .. }]);
    assert!(fault(known_problems_beside(
        broken,
        &[Some(&pair[0])],
        &[vip()]
    )));
    assert!(fault(known_problems_beside(broken, &[None], &[vip()])));
    assert_eq!(
        known_problems_beside(owner, &[Some(&pair[1])], &[vip()]),
        []
    );
    assert_eq!(known_problems_beside(broken, &[], &[vip()]).len(), 2);
}
