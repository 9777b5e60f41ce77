//! Probes: only the requested ones run, and those that run with every observation start no process.

use hactl::agent::{Adverts, ObserveRequest, Probing};

use crate::in_every_shell;
use crate::world::World;

in_every_shell!(
    what_networkd_manages_is_told_with_what_it_keeps,
    the_limit_is_that_of_the_newest_worker,
    adverts_are_those_of_two_seconds,
    preflight_reads_what_makes_a_host_unfit,
    a_container_has_its_hosts_clock,
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
        probing: vec![probing],
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

/// Stubs for programs that the world lacks, or whose answer depends on the machine.
const UNFIT: &str = r#"
mkdir -p /etc/ufw /stubs
echo 'ENABLED=yes' >/etc/ufw/ufw.conf
stub() { cat >/stubs/$1; chmod 755 /stubs/$1; }
stub timedatectl <<'END'
#!/bin/sh
[ "$1" = show ] && echo no
END
stub getenforce <<'END'
#!/bin/sh
echo Enforcing
END
stub getsebool <<'END'
#!/bin/sh
[ "$1" = httpd_can_network_connect ] || exit 1
echo "$1 --> off"
END
stub df <<'END'
#!/bin/sh
echo 'Filesystem     1024-blocks Used Available Capacity Mounted on'
case $1 in
-Pk) echo '/dev/vda1 100 90 10 90% /' ;;
-Pi) echo '/dev/vda1 0 0 0 - /' ;;
esac
END
stub ss <<'END'
#!/bin/sh
echo 'tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("apache2",pid=7,fd=6))'
END
"#;

async fn preflight_reads_what_makes_a_host_unfit(world: &World) {
    world.sh(UNFIT);
    let seen = world.agent().observe(&asked(Probing::Preflight)).await;
    let seen = seen.unwrap().probed.preflight.unwrap();
    assert_eq!(seen.clock_is_synchronised, Some(false));
    assert!(seen.ufw_is_enabled);
    assert_eq!(seen.selinux.as_deref(), Some("Enforcing"));
    let booleans = seen.selinux_booleans.iter();
    let booleans: Vec<(&str, bool)> = booleans.map(|(name, on)| (name.as_str(), *on)).collect();
    assert_eq!(booleans, [("httpd_can_network_connect", false)]);
    let space = seen.space["/var/lib"];
    assert_eq!((space.kib, space.inodes), (10, None));
    assert_eq!(seen.listeners[0].programs, ["apache2"]);
}

async fn a_container_has_its_hosts_clock(world: &World) {
    world.sh(UNFIT);
    world.sh("mkdir -p /run/systemd; echo systemd-nspawn >/run/systemd/container");
    let seen = world.agent().observe(&asked(Probing::Preflight)).await;
    assert_eq!(
        seen.unwrap()
            .probed
            .preflight
            .unwrap()
            .clock_is_synchronised,
        None
    );
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
        assert_eq!(seen.probed.networkd.is_empty(), question.probing.is_empty());
        started.push(last() - before);
    }
    assert_eq!(started[0], started[1]);
}
