//! The network's view: neighbours learn an address's new owner, and a host reports whom it takes
//! for the owner.

use std::net::IpAddr;

use hactl::agent::{Answered, Door, ObserveRequest, ReachQuestion, VipDoors};

use crate::in_every_shell;
use crate::neighbour::{Neighbour, OWN, VIP, VIP6, WRONG, ip};
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    an_owner_corrects_its_neighbours_by_whatever_it_has,
    who_owns_nothing_announces_nothing,
    a_look_tells_what_a_host_has_wrong_and_leaves_it_so,
    a_look_hears_which_configuration_answers,
    who_has_an_address_is_asked_although_another_one_is_remembered,
    what_is_no_address_is_refused,
);

async fn an_owner_corrects_its_neighbours_by_whatever_it_has(world: &World) {
    inhabited(world);
    let far = Neighbour::of(world);
    world.sh(&format!(
        "ip address add {VIP}/32 dev eth0 && ip address add {VIP6}/128 dev eth0 nodad"
    ));
    let agent = world.agent();
    // The announcing programs are removed one by one.
    for (by, missing) in [
        (Some("perl"), None),
        (Some("python"), Some("perl")),
        (Some("arping"), Some("python3")),
        (None, Some("arping")),
    ] {
        if let Some(program) = missing {
            let text = "#!/bin/sh\nexit 127\n";
            let names: &[&str] = match program {
                "python3" => &["python3", "python"],
                "arping" => &["arping", "busybox"],
                _ => &[program],
            };
            for name in names {
                world.write(&format!("/stubs/{name}"), text);
                world.sh(&format!("chmod 755 /stubs/{name}"));
            }
        }
        far.mistakes();
        let vips = [ip(VIP), ip(VIP6), ip("10.9.0.101")];
        let done = agent.announce(&vips).await.unwrap();
        let done: Vec<(IpAddr, &str, Option<&str>)> = done
            .iter()
            .map(|it| (it.vip, it.interface.as_str(), it.by.as_deref()))
            .collect();
        let by6 = by.filter(|tool| *tool != "arping");
        assert_eq!(done, [(ip(VIP), "eth0", by), (ip(VIP6), "eth0", by6)]);
        if by.is_some() {
            far.learns(VIP, OWN);
        } else {
            far.learns(VIP, WRONG);
        }
        if by6.is_some() {
            far.learns(VIP6, OWN);
        } else {
            far.learns(VIP6, WRONG);
        }
    }
}

async fn who_owns_nothing_announces_nothing(world: &World) {
    inhabited(world);
    let far = Neighbour::of(world);
    // During a handover, a VIP on the loopback interface already belongs to the next owner.
    world.sh(&format!("ip address add {VIP}/32 dev lo"));
    far.mistakes();
    let done = world.agent().announce(&[ip(VIP), ip(VIP6)]).await.unwrap();
    assert_eq!(done, []);
    far.learns(VIP, WRONG);
    let seen = world.agent().reach(&question(None)).await.unwrap();
    let vip = &seen.vips[&ip(VIP)];
    assert!(vip.is_local() && !vip.is_owned(), "{vip:?}");
}

fn question(serves: Option<&str>) -> ReachQuestion {
    let doors = vec![
        Door {
            port: 80,
            is_http: true,
        },
        Door {
            port: 81,
            is_http: false,
        },
    ];
    let vips = [VIP, VIP6].map(|vip| VipDoors {
        vip: ip(vip),
        doors: doors.clone(),
    });
    ReachQuestion {
        serves: serves
            .into_iter()
            .flat_map(|id| [VIP, VIP6].map(|vip| (ip(vip), id.to_owned())))
            .collect(),
        vips: vips.into(),
    }
}

async fn a_look_tells_what_a_host_has_wrong_and_leaves_it_so(world: &World) {
    inhabited(world);
    let far = Neighbour::of(world);
    far.sh(&format!(
        "ip address add {VIP}/32 dev far0 && ip address add {VIP6}/128 dev far0 nodad"
    ));
    for vip in [VIP, VIP6] {
        world.sh(&format!(
            "ip neigh replace {vip} lladdr {WRONG} dev eth0 nud stale"
        ));
    }
    let agent = world.agent();
    for _ in 0..2 {
        let seen = agent.reach(&question(Some(ID))).await.unwrap();
        assert!(seen.hardware.contains(&OWN.to_owned()), "{seen:?}");
        for vip in [VIP, VIP6] {
            let vip = &seen.vips[&ip(vip)];
            assert!(!vip.is_local());
            assert_eq!(vip.learned.as_deref(), Some(WRONG));
            assert!(vip.answers.values().all(|it| *it == Answered::Closed));
            assert_eq!(vip.answers.len(), 2);
        }
    }
    // Without a neighbour entry the host asks, and gets the right answer.
    world.sh("ip neigh flush all");
    let seen = agent.reach(&question(Some(ID))).await.unwrap();
    for vip in [VIP, VIP6] {
        let learned = &seen.vips[&ip(vip)].learned;
        assert_eq!(learned.as_deref(), Some("02:00:00:00:00:08"));
    }
}

/// A cached entry of the previous owner hides the current one.
async fn who_has_an_address_is_asked_although_another_one_is_remembered(world: &World) {
    inhabited(world);
    let far = Neighbour::of(world);
    let agent = world.agent();
    let question = ObserveRequest {
        neighbours: [VIP, VIP6, "10.9.0.77"].map(ip).into(),
        ..ObserveRequest::default()
    };
    let remembers = |state: &str| {
        for vip in [VIP, VIP6] {
            world.sh(&format!(
                "ip neigh replace {vip} lladdr {WRONG} dev eth0 nud {state}"
            ));
        }
    };
    // No host has the address.
    for state in ["reachable", "stale"] {
        remembers(state);
        let seen = agent.observe(&question).await.unwrap();
        assert!(seen.neighbours.is_empty(), "{state}: {:?}", seen.neighbours);
    }
    far.sh(&format!(
        "ip address add {VIP}/32 dev far0 && ip address add {VIP6}/128 dev far0 nodad"
    ));
    for state in ["reachable", "stale"] {
        remembers(state);
        let seen = agent.observe(&question).await.unwrap();
        for vip in [VIP, VIP6] {
            let found = seen.neighbours.get(&ip(vip));
            let found = found.map(|it| (it.hardware.as_str(), it.is_remembered));
            assert_eq!(found, Some(("02:00:00:00:00:08", false)), "{state}, {vip}");
        }
        assert_eq!(seen.neighbours.len(), 2, "{state}");
    }
}

async fn a_look_hears_which_configuration_answers(world: &World) {
    inhabited(world);
    let far = Neighbour::of(world);
    far.sh(&format!(
        "ip address add {VIP}/32 dev far0 && ip address add {VIP6}/128 dev far0 nodad"
    ));
    let folder = "/srv/www/.well-known/hactl";
    world.write(&format!("{folder}/{ID}"), format!("{ID}\n"));
    far.sh("busybox httpd -p [::]:80 -h /srv/www");
    let agent = world.agent();
    let http = |status, is_asked_for| Answered::Http {
        status,
        is_asked_for,
    };
    for (asked, wanted) in [
        (Some(ID), http(200, true)),
        (Some("ba9876543210"), http(404, false)),
    ] {
        let seen = agent.reach(&question(asked)).await.unwrap();
        for vip in [VIP, VIP6] {
            let answers = &seen.vips[&ip(vip)].answers;
            assert_eq!(answers[&80], wanted, "{seen:?}");
            assert_eq!(answers[&81], Answered::Closed);
        }
    }
    // The owner queries itself the same way.
    world.sh(&format!(
        "ip address add {VIP}/32 dev eth0; busybox httpd -p 80 -h /srv/www"
    ));
    let seen = agent.reach(&question(Some(ID))).await.unwrap();
    let own = &seen.vips[&ip(VIP)];
    assert!(own.is_owned());
    assert_eq!((own.answers[&80], &own.learned), (http(200, true), &None));
}

async fn what_is_no_address_is_refused(world: &World) {
    inhabited(world);
    for verb in ["announce", "reach"] {
        for stream in [
            "vip\t$(id)\nend\n",
            "vip\t-a\nend\n",
            "listener\t10.9.0.1\tx\t/\nend\n",
        ] {
            let said = world.raw(&[verb], stream.as_bytes());
            assert!(said.contains("fail\tprotocol\t"), "{verb} {stream}: {said}");
        }
    }
}
