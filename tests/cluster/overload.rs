//! Clients that exhaust nginx's connections: the VIP stays with its owner, and hactl tells an
//! overloaded nginx from one that hangs.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::cluster::{Cluster, VIP, machines};
use crate::lab::wait_for;

/// Many more than nginx accepts in these tests.
const CLIENTS: u32 = 400;
/// If checks failed, all three nodes would have resigned by then.
const WATCHED: Duration = Duration::from_secs(12);

/// Clients that start a request, never finish it, and reconnect when dropped.
struct SlowClients {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl SlowClients {
    fn start(cluster: &Cluster) -> Self {
        let namespace = fs::File::open(format!("/run/netns/{}", cluster.netns("ctl"))).unwrap();
        let server: SocketAddr = format!("{VIP}:80").parse().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        // Network namespaces are per thread, and apply to everything that the thread opens.
        let thread = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut clients = tokio::task::JoinSet::new();
                for _ in 0..CLIENTS {
                    let stop = Arc::clone(&stopping);
                    clients.spawn(async move {
                        while !stop.load(Ordering::Relaxed) {
                            never_finish(server, &stop).await;
                            sleep(Duration::from_millis(300)).await;
                        }
                    });
                }
                clients.join_all().await;
            });
        });
        Self { stop, thread }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

async fn never_finish(server: SocketAddr, stop: &AtomicBool) {
    let connected = timeout(Duration::from_secs(1), TcpStream::connect(server)).await;
    let Ok(Ok(mut stream)) = connected else {
        return;
    };
    let begun = b"GET / HTTP/1.1\r\nHost: lab\r\nX-Slow: ";
    if stream.write_all(begun).await.is_err() {
        return;
    }
    let mut byte = [0_u8; 1];
    while !stop.load(Ordering::Relaxed) {
        let closed = timeout(Duration::from_millis(100), stream.read(&mut byte)).await;
        if closed.is_ok() {
            return;
        }
    }
}

fn serves(cluster: &Cluster) -> bool {
    let mut curl = cluster.controller("curl");
    curl.args([
        "-sf",
        "-o",
        "/dev/null",
        "--max-time",
        "1",
        &format!("http://{VIP}/"),
    ]);
    curl.status().unwrap().success()
}

const JOURNAL: &str = "journalctl -q -t check_nginx -o cat --no-pager";

/// Whether the check script reports nginx as overloaded.
fn is_overloaded(cluster: &Cluster, node: &str) -> bool {
    let said = cluster.on(node, "/etc/keepalived/check_nginx.sh 2>&1; :");
    said.contains("check_nginx: overloaded: ")
}

/// The nodes whose nginx `status` reports as overloaded.
fn overloaded(cluster: &Cluster) -> Vec<String> {
    let json = cluster.run(&["status", "--format", "json"]).json();
    let nodes = json["nodes"].as_array().unwrap().iter();
    let full = nodes.filter(|node| node["overloaded"] == true);
    full.map(|node| node["node"].as_str().unwrap().to_owned())
        .collect()
}

fn the_owner_keeps_the_vip(settings: &str) {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    let inventory = cluster.inventory();
    let nginx = "nginx: { worker_processes: 1, worker_connections: 64 }";
    cluster.set_inventory(&format!("{inventory}{nginx}\n{settings}\n"));
    cluster.apply();
    let owner = cluster.owner(VIP);
    let clients = SlowClients::start(&cluster);
    wait_for("nginx to be full", || is_overloaded(&cluster, &owner));
    let (begun, mut unserved) = (Instant::now(), 0);
    while begun.elapsed() < WATCHED {
        assert_eq!(cluster.owners(VIP), std::slice::from_ref(&owner));
        unserved += u32::from(!serves(&cluster));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(unserved > 0, "nginx was not full");
    assert!(is_overloaded(&cluster, &owner));
    // At any moment a slow client may have just disconnected, so retry.
    wait_for("status to name the node that is full", || {
        overloaded(&cluster) == [owner.as_str()]
    });
    clients.end();
    let gone = Instant::now();
    wait_for("requests to be served", || serves(&cluster));
    let back = gone.elapsed();
    assert!(back < Duration::from_secs(10), "served after {back:?}");
    assert_eq!(cluster.owner(VIP), owner);
    wait_for("the overload to be over", || {
        cluster.on(&owner, JOURNAL).contains("nginx answers again")
    });
    // An overload across many checks is logged once, or a few times if it came and went.
    let journal = cluster.on(&owner, JOURNAL);
    let said = journal.matches("nginx is overloaded").count();
    assert!((1..=3).contains(&said), "{journal}");
    for node in cluster.nodes() {
        let log = cluster.on(&node, "journalctl -q -u keepalived -o cat --no-pager");
        assert!(!log.contains("Entering FAULT STATE"), "{node}: {log}");
    }
}

#[test]
fn clients_that_use_up_all_connections_take_the_vip_from_nobody() {
    the_owner_keeps_the_vip("vrrp: { failover: fast }");
}

#[test]
fn nor_do_they_where_a_dead_nginx_only_lowers_the_priority() {
    the_owner_keeps_the_vip("vrrp: { failover: standard, on_nginx_failure: { weight: -30 } }");
}

#[test]
fn an_overloaded_nginx_that_hangs_loses_the_vip_once() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    let inventory = cluster.inventory();
    let nginx = "nginx: { worker_processes: 1, worker_connections: 64 }";
    cluster.set_inventory(&format!("{inventory}{nginx}\n"));
    cluster.apply();
    let clients = SlowClients::start(&cluster);
    wait_for("nginx to be full", || is_overloaded(&cluster, "lb1"));
    cluster.on("lb1", "systemctl kill --signal=STOP nginx.service");
    wait_for("lb2 to take over", || cluster.owners(VIP) == ["lb2"]);
    // Clients that lb1's kernel has accepted keep waiting. New ones overload lb2, which keeps the
    // VIP.
    let more = SlowClients::start(&cluster);
    wait_for("lb2 to be full", || is_overloaded(&cluster, "lb2"));
    let begun = Instant::now();
    while begun.elapsed() < WATCHED / 2 {
        assert_eq!(cluster.owners(VIP), ["lb2"]);
        std::thread::sleep(Duration::from_millis(50));
    }
    clients.end();
    more.end();
    cluster.on("lb1", "systemctl kill --signal=CONT nginx.service");
    wait_for("lb1 to have it again", || {
        cluster.owners(VIP) == ["lb1"] && serves(&cluster)
    });
}
