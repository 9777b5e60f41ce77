//! Dumps as keepalived writes them.

use super::*;

/// From keepalived 2.2.7, in FAULT because its check fails.
const FAULT: &str = "\
------< VRRP Topology >------
 VRRP Instance = VI_1
   VRRP Version = 3
   State = FAULT
   Flags:
     Using unicast
   Wantstate = FAULT
   Number of interface and track script faults = 1
   Last transition = 1795831230.999123 (Sat Nov 28 02:00:30.999123 2026)
   Interface = eth0
   Using src_ip = 10.0.0.12 (from configuration)
   Virtual Router ID = 51
   Priority = 228
   Effective priority = 228
   Advert interval = 20 milli-sec
   Virtual IP (2):
     10.0.0.101/24 dev eth0 scope global
     10.0.0.100/24 dev eth0 scope global
   Unicast Peer :
     10.0.0.11 min_ttl 0 max_ttl 255
   Tracked scripts :
     check_nginx weight 0
 VRRP Instance = VI_2
   State = BACKUP
   Using src_ip = 10.0.0.12
------< VRRP Sockpool >------
   VRRP instances
     VI_1 vrid 51
------< VRRP Scripts >------
 VRRP Script = check_nginx
   Command = '/etc/keepalived/check_nginx.sh' 'fast'
   Result = 0
   Status = BAD
   VRRP instances :
   Tracking instances :
     VI_1, weight 0
     VI_2, weight -20
   State = idle
------< VRRP Track files >------
 Track file = hactl_nginx
   File = /run/hactl/nginx
   Status = -254
   Weight = 1
   Tracking instances :
     VI_1, weight 1
------< Interfaces >------
 Name = lo
   State = UP, RUNNING, no broadcast, loopback, no multicast
 Name = eth0
   IPv4 address = 10.0.0.12
   State = not UP, not RUNNING
   Tracking VRRP instances :
     VI_1, weight 0
";

#[test]
fn instances_and_what_they_watch() {
    let read = dump(FAULT);
    let [one, two] = read.instances.as_slice() else {
        panic!("{read:?}");
    };
    assert_eq!(one.state, InstanceState::Fault);
    assert_eq!((one.base_priority, one.effective_priority), (228, 228));
    assert_eq!(one.since, Some(1_795_831_230));
    assert_eq!(one.source, Some("10.0.0.12".parse().unwrap()));
    assert_eq!(one.wire.router_id, Some(51));
    let addresses = ["10.0.0.100", "10.0.0.101"].map(|address| address.parse().unwrap());
    assert_eq!(one.wire.addresses, addresses.into());
    assert_eq!((&two.state, two.source), (&InstanceState::Backup, None));
    let tracked = |name: &str, kind, instances: &[&str]| Tracked {
        name: name.to_owned(),
        kind,
        instances: instances.iter().map(|it| (*it).to_owned()).collect(),
    };
    assert_eq!(
        read.tracked,
        [
            tracked(
                "check_nginx",
                TrackedKind::Script {
                    path: "/etc/keepalived/check_nginx.sh".to_owned(),
                    is_failing: true,
                },
                &["VI_1"]
            ),
            tracked(
                "hactl_nginx",
                TrackedKind::File {
                    path: "/run/hactl/nginx".to_owned(),
                    value: -254,
                },
                &["VI_1"]
            ),
            tracked("lo", TrackedKind::Interface { is_up: true }, &[]),
            tracked("eth0", TrackedKind::Interface { is_up: false }, &["VI_1"]),
        ]
    );
}

#[test]
fn a_dump_without_the_sections_after_the_instances() {
    let text = "------< VRRP Topology >------\n VRRP Instance = web\n   VRRP Version = 3\n   State = MASTER\n   \
                Wantstate = MASTER\n   Priority = 254\n   Effective priority = 254\n VRRP Instance = two\n   State = BACKUP\n";
    let read = dump(text);
    assert_eq!(read.instances.len(), 2);
    assert_eq!(
        (
            &read.instances[0].state,
            read.instances[0].effective_priority
        ),
        (&InstanceState::Master, 254)
    );
    assert_eq!(read.instances[1].state, InstanceState::Backup);
    assert_eq!(read.tracked, []);
}
