//! Test packets of VRRP's protocol between two hosts.

use std::time::Duration;

use hactl::agent::{AdvertTest, AdvertTestRequest, agent_script};
use hactl::model::{InterfaceName, Peering};

use crate::in_every_shell;
use crate::neighbour::{Neighbour, ip};
use crate::world::World;

in_every_shell!(
    two_hosts_hear_each_other_whatever_they_send_with,
    what_a_firewall_drops_is_not_heard,
    what_a_connection_would_let_in_is_not_heard,
    a_virtual_router_is_heard_and_a_test_is_none,
    without_perl_and_python_nothing_is_known,
);

const TOKEN: &str = "0123abcd";

fn request(address: &str, peer: &str) -> AdvertTestRequest {
    AdvertTestRequest {
        address: ip(address),
        interface: InterfaceName::new("eth0").unwrap(),
        virtual_router_id: 250,
        interval: Duration::from_millis(20),
        duration: Duration::from_millis(400),
        margin: Duration::from_millis(1500),
        token: TOKEN.to_owned(),
        peers: vec![ip(peer)],
    }
}

/// A neighbour that is ready to take part.
fn neighbour(world: &World) -> Neighbour<'_> {
    let far = Neighbour::of(world);
    world.write("/agent", agent_script());
    for (link, index) in [
        ("eth0", world.sh("cat /proc/self/net/dev_mcast")),
        ("far0", far.sh("cat /proc/self/net/dev_mcast")),
    ] {
        let own = index.lines().find(|line| line.contains(link)).unwrap();
        let index = own.split_whitespace().next().unwrap();
        world.sh(&format!("mkdir -p /sys/class/net/{link}"));
        world.write(
            &format!("/sys/class/net/{link}/ifindex"),
            format!("{index}\n"),
        );
    }
    far
}

/// Lets both send at the same time. Returns what the world heard.
async fn exchange(world: &World, far: &Neighbour<'_>, own: &str, peer: &str) -> AdvertTest {
    let family = if own.contains(':') { 6 } else { 4 };
    far.sh(&format!(
        "sh /agent adverts {family} {peer} far0 250 20000 400 1500 {TOKEN} {own} >/far.out 2>&1 & :"
    ));
    world
        .agent()
        .test_adverts(&request(own, peer))
        .await
        .unwrap()
}

fn remove(world: &World, programs: &[&str]) {
    for name in programs {
        world.write(&format!("/stubs/{name}"), "#!/bin/sh\nexit 127\n");
        world.sh(&format!("chmod 755 /stubs/{name}"));
    }
}

async fn two_hosts_hear_each_other_whatever_they_send_with(world: &World) {
    let far = neighbour(world);
    for missing in [None, Some("perl")] {
        remove(world, missing.as_slice());
        for (own, peer) in [("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")] {
            let test = exchange(world, &far, own, peer).await;
            assert_eq!(test.failure, None);
            assert_eq!(test.sent, 20);
            for by in [Peering::Unicast, Peering::Multicast] {
                let heard = test.heard_from(ip(peer), by).unwrap();
                assert_eq!(heard.received, 20, "{missing:?} {heard:?}");
            }
        }
    }
}

async fn what_a_firewall_drops_is_not_heard(world: &World) {
    let far = neighbour(world);
    world.sh("nft add table inet f && nft 'add chain inet f i { type filter hook input priority 0; }' && nft add rule inet f i ip daddr 224.0.0.18 drop");
    let test = exchange(world, &far, "10.9.0.1", "10.9.0.2").await;
    let peer = ip("10.9.0.2");
    assert_eq!(test.heard_from(peer, Peering::Multicast), None);
    assert!(test.heard_from(peer, Peering::Unicast).is_some());
    // What the host itself refuses to send is named.
    world.sh("nft flush ruleset && nft add table inet f && nft 'add chain inet f o { type filter hook output priority 0; }' && nft add rule inet f o ip protocol 112 drop");
    let test = exchange(world, &far, "10.9.0.1", "10.9.0.2").await;
    assert_eq!(test.unsent.len(), 2, "{test:?}");
}

/// A backup sends nothing that connection tracking would know.
async fn what_a_connection_would_let_in_is_not_heard(world: &World) {
    let far = neighbour(world);
    world.sh("nft add table inet f && nft 'add chain inet f i { type filter hook input priority 0; }' && nft add rule inet f i ct state established accept && nft add rule inet f i ip protocol 112 drop");
    for missing in [None, Some("perl")] {
        remove(world, missing.as_slice());
        for _ in 0..2 {
            let test = exchange(world, &far, "10.9.0.1", "10.9.0.2").await;
            assert_eq!((test.sent, test.heard), (20, Vec::new()));
        }
    }
}

async fn a_virtual_router_is_heard_and_a_test_is_none(world: &World) {
    let far = neighbour(world);
    // An advert of VRRPv2 for virtual_router_id 61, again and again.
    far.sh("perl -MSocket -e 'socket(S,2,3,112);setsockopt(S,0,32,inet_aton(q(10.9.0.2)));for(1..80){send(S,pack(q(C6na4),0x21,61,100,1,0,1,0,inet_aton(q(10.9.0.9))),0,pack_sockaddr_in(0,inet_aton(q(224.0.0.18))));select(undef,undef,undef,0.05)}' >/dev/null 2>&1 & :");
    let test = exchange(world, &far, "10.9.0.1", "10.9.0.2").await;
    let routers = test.routers.iter();
    let routers: Vec<(u8, u8, u8)> = routers
        .map(|own| (own.virtual_router_id, own.version, own.priority))
        .collect();
    assert_eq!(routers, [(61, 2, 100)]);
}

async fn without_perl_and_python_nothing_is_known(world: &World) {
    neighbour(world);
    remove(world, &["perl", "python3", "python"]);
    let test = world
        .agent()
        .test_adverts(&request("10.9.0.1", "10.9.0.2"))
        .await
        .unwrap();
    assert!(test.failure.is_some(), "{test:?}");
    // An interface that does not exist is told in the program's own words.
    world.sh("rm /stubs/perl");
    let request = AdvertTestRequest {
        interface: InterfaceName::new("eth9").unwrap(),
        ..request("10.9.0.1", "10.9.0.2")
    };
    let test = world.agent().test_adverts(&request).await.unwrap();
    let failure = test.failure.unwrap();
    assert!(failure.contains("eth9"), "{failure}");
}
