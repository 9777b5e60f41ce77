//! Changes that one host rejects: every node is left as before, and the host's own message is
//! shown.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;

use nix::sched::{CloneFlags, setns};

use crate::cluster::{Cluster, VIP, machines};
use crate::snapshot::Snapshot;

/// Everything that must be unchanged after a failed change.
struct Before {
    etc: BTreeMap<String, Snapshot>,
    served: Vec<String>,
    listening: Vec<String>,
    owner: String,
}

impl Before {
    fn of(cluster: &Cluster) -> Self {
        Self {
            etc: cluster.all_etc(),
            served: cluster.all_served(),
            listening: listening(cluster),
            owner: cluster.owner(VIP),
        }
    }

    #[track_caller]
    fn is_now(&self, cluster: &Cluster) {
        cluster.assert_etc(&self.etc);
        assert_eq!(self.served, cluster.all_served());
        assert_eq!(self.listening, listening(cluster));
        assert_eq!(self.owner, cluster.owner(VIP));
        assert_eq!(cluster.get(&format!("http://{VIP}/health")), "ok\n");
        cluster.assert_no_traces();
    }
}

/// Without `Recv-Q`: the probe from outside connects, and a listener in this test never accepts.
fn listening(cluster: &Cluster) -> Vec<String> {
    let sockets = "ss -Hltn | while read -r state _ backlog local peer; do
        echo \"$state $backlog $local $peer\"; done | sort -u";
    let nodes = cluster.nodes().into_iter();
    nodes.map(|node| cluster.on(&node, sockets)).collect()
}

const HEALTH: &str = "sites:
  - listen: [80]
    proxy: backend
    locations:
      - { path: /health, exact: true, return: { code: 200, body: \"ok\\n\" } }
";
const SITES: &str = "sites:\n  - { listen: [80], proxy: backend }\n";

fn applied() -> Option<Cluster> {
    let cluster = Cluster::up(&machines())?;
    cluster.edit(SITES, HEALTH);
    cluster.apply();
    Some(cluster)
}

#[test]
fn what_one_daemon_refuses_changes_nothing_anywhere() {
    let Some(cluster) = applied() else {
        return;
    };
    let inventory = cluster.inventory();
    let other = format!("{inventory}sysctl: {{ net.ipv4.tcp_fin_timeout: 20 }}\n")
        .replace("[80]", "[80, 8088]");

    cluster.on("lb2", "mv /etc/nginx/mime.types /root/");
    let before = Before::of(&cluster);
    cluster.set_inventory(&other);
    for arguments in [&["apply", "--yes"][..], &["plan"]] {
        cluster
            .run(arguments)
            .exits(1)
            .says("lb2")
            .says("refuses the")
            .says("open() \"/etc/nginx/mime.types\" failed");
        before.is_now(&cluster);
    }
    cluster.on("lb2", "mv /root/mime.types /etc/nginx/");

    cluster.on(
        "lb3",
        r#"mv /usr/sbin/keepalived /usr/sbin/keepalived.real
        cat >/usr/sbin/keepalived <<'END'
#!/bin/sh
for argument; do
    if [ "$argument" = -t ]; then
        echo "(Line 7) something that only this build minds" >&2
        exit 5
    fi
done
exec /usr/sbin/keepalived.real "$@"
END
        chmod 755 /usr/sbin/keepalived"#,
    );
    let before = Before::of(&cluster);
    for arguments in [
        &["apply", "--yes"][..],
        &["apply", "--check-only"],
        &["plan"],
    ] {
        cluster
            .run(arguments)
            .exits(1)
            .says("lb3")
            .says("refuses the")
            .says("something that only this build minds");
        before.is_now(&cluster);
    }
    cluster.on("lb3", "mv /usr/sbin/keepalived.real /usr/sbin/keepalived");

    // There was nothing wrong with the change itself.
    cluster.run(&["apply", "--check-only"]).exits(0);
    before.is_now(&cluster);
    cluster.apply().says("generation 2 is live");
}

#[test]
fn what_only_shows_when_it_runs_is_noticed_and_rolled_back() {
    let Some(cluster) = applied() else {
        return;
    };
    let inventory = cluster.inventory();

    // The port is taken on the node that comes last, so that the others have changed by then.
    let last = cluster.owner(VIP);
    let taken = listen_in(&cluster.netns(&last), "0.0.0.0:8088");
    let before = Before::of(&cluster);
    cluster.edit("[80]", "[80, 8088]");
    cluster
        .run(&["apply", "--yes"])
        .exits(4)
        .says(&format!("{last}: nginx was told to load"))
        .says("bind() to 0.0.0.0:8088 failed")
        .says("Rolled back");
    before.is_now(&cluster);
    drop(taken);

    let refused = format!("{inventory}sysctl: {{ net.ipv4.tcp_syn_retries: 500 }}\n");
    cluster.set_inventory(&refused);
    let before = Before::of(&cluster);
    cluster
        .run(&["apply", "--yes"])
        .exits(4)
        .says("the kernel refuses net.ipv4.tcp_syn_retries = 500")
        .says("Invalid argument");
    before.is_now(&cluster);
    cluster
        .run(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("net.ipv4.tcp_syn_retries 6 -> 500");

    // A valid sysctl precedes the rejected one, and has to be restored, too.
    let mixed = refused.replace("{ net", "{ net.ipv4.tcp_fin_timeout: 33, net");
    cluster.set_inventory(&mixed);
    cluster.run(&["apply", "--yes"]).exits(4);
    before.is_now(&cluster);
    for node in cluster.nodes() {
        let kernel = cluster.on(&node, "cat /proc/sys/net/ipv4/tcp_fin_timeout");
        assert_eq!(kernel, "30\n", "{node}");
    }
}

/// A listener inside a network namespace. A socket keeps the namespace in which it was created.
fn listen_in(netns: &str, address: &'static str) -> TcpListener {
    let namespace = fs::File::open(format!("/run/netns/{netns}")).unwrap();
    let thread = std::thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        TcpListener::bind(address).unwrap()
    });
    thread.join().unwrap()
}
