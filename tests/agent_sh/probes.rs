//! Probes: only the requested ones run, and those that run with every observation start no process.

use hactl::agent::{Adverts, ObserveRequest, Probing};

use crate::in_every_shell;
use crate::world::World;

in_every_shell!(
    what_networkd_manages_is_told_with_what_it_keeps,
    the_limit_is_that_of_the_newest_worker,
    adverts_are_those_of_two_seconds,
    nothing_is_probed_unless_it_is_asked,
    a_probe_of_every_look_starts_no_process,
);

const NETWORKD: &str = "
mkdir -p /sys/fs/cgroup/system.slice/systemd-networkd.service /run/systemd/netif/links /etc/systemd/network
for link in eth0=2 eth1=3 eth2=4 eth3=5; do
    mkdir -p /sys/class/net/${link%=*}
    echo up >/sys/class/net/${link%=*}/operstate
    echo ${link#*=} >/sys/class/net/${link%=*}/ifindex
done
for index in 2 3; do
    printf 'ADMIN_STATE=configured\\nNETWORK_FILE=/etc/systemd/network/%s.network\\n' $index >/run/systemd/netif/links/$index
    printf '[Network]\\nDHCP=yes\\n' >/etc/systemd/network/$index.network
done
mkdir /etc/systemd/network/3.network.d
printf '[Network]\\nKeepConfiguration=static' >/etc/systemd/network/3.network.d/keep.conf
printf 'ADMIN_STATE=unmanaged\\n' >/run/systemd/netif/links/4
";

const NGINX: &str = "
sh -c 'ulimit -Sn 99; sleep 60 & ulimit -Sn 77; exec sleep 60' >/dev/null 2>&1 &
echo $! >/run/units/nginx.service.pid
echo active >/run/units/nginx.service.active
";

fn asked(probing: Probing) -> ObserveRequest {
    ObserveRequest {
        probing: Some(probing),
        ..ObserveRequest::default()
    }
}

async fn what_networkd_manages_is_told_with_what_it_keeps(world: &World) {
    world.sh(NETWORKD);
    // The rest of the question is answered as well.
    let question = ObserveRequest {
        backends: vec![("127.0.0.1".to_owned(), 1)],
        ..asked(Probing::Always)
    };
    let seen = world.agent().observe(&question).await.unwrap();
    assert_eq!(seen.backends.len(), 1);
    let seen = seen.probed.networkd;
    let interfaces: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(interfaces, ["eth0", "eth1"]);
    assert_eq!(seen["eth0"].file, "/etc/systemd/network/2.network");
    assert_eq!(seen["eth0"].keep, None);
    assert_eq!(seen["eth1"].keep.as_deref(), Some("static"));
    // A stopped networkd removes no addresses.
    world.sh("rmdir /sys/fs/cgroup/system.slice/systemd-networkd.service");
    let seen = world.agent().observe(&question).await.unwrap();
    assert!(seen.probed.networkd.is_empty());
}

async fn the_limit_is_that_of_the_newest_worker(world: &World) {
    let question = asked(Probing::Always);
    let seen = world.agent().observe(&question).await.unwrap();
    assert_eq!(seen.probed.file_limit, None);
    world.sh(NGINX);
    let seen = world.agent().observe(&question).await.unwrap();
    let limit = seen.probed.file_limit;
    // Some kernels do not list a process's children.
    assert!(matches!(limit, Some(99 | 77)), "{limit:?}");
}

async fn adverts_are_those_of_two_seconds(world: &World) {
    world.sh("echo '# id 00' >/etc/keepalived/keepalived.conf; systemctl start keepalived.service");
    let question = asked(Probing::SeveralMasters);
    let seen = world.agent().observe(&question).await.unwrap();
    let within = Adverts {
        received: 0,
        sent: 100,
        rejected: 0,
    };
    assert_eq!(seen.probed.adverts["web"], within);
    assert!(!world.exists("/tmp/keepalived.stats"));
}

async fn nothing_is_probed_unless_it_is_asked(world: &World) {
    world.sh(NETWORKD);
    world.sh(NGINX);
    let seen = world
        .agent()
        .observe(&ObserveRequest::default())
        .await
        .unwrap();
    assert_eq!(seen.probed, hactl::agent::Probed::default());
}

async fn a_probe_of_every_look_starts_no_process(world: &World) {
    world.sh(NETWORKD);
    world.sh(NGINX);
    let last = || -> u64 {
        let text = world.sh("read -r _ _ _ _ last </proc/loadavg; echo $last");
        text.trim().parse().unwrap()
    };
    let mut started = Vec::new();
    for question in [ObserveRequest::default(), asked(Probing::Always)] {
        let before = last();
        let seen = world.agent().observe(&question).await.unwrap();
        assert_eq!(seen.probed.networkd.is_empty(), question.probing.is_none());
        started.push(last() - before);
    }
    assert_eq!(started[0], started[1]);
}
