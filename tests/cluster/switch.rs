//! Simultaneous changes of all nodes, on hosts that are slow, fail, or lose their operator. The
//! number of VIP owners is watched throughout.

#![expect(clippy::print_stderr, reason = "what was measured is shown")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clients::Load;
use crate::cluster::{Cluster, VIP, changes_of, machines};

/// The observed VIP owners.
#[derive(Debug, Default)]
struct Watched {
    looks: u64,
    /// Several owners in two observations in a row. One alone does not count, since it does not
    /// query all nodes at the same instant.
    two_owners: Vec<String>,
    /// The longest time without an owner.
    longest_gap: Duration,
}

/// Observes all nodes until `work` is done.
fn watch<T>(cluster: &Cluster, work: impl FnOnce() -> T) -> (T, Watched) {
    let over = AtomicBool::new(false);
    let watched = Mutex::new(Watched::default());
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (begun, mut before, mut last) = (Instant::now(), 1, Instant::now());
            while !over.load(Ordering::Relaxed) {
                let owners = cluster.owners(VIP);
                let mut watched = watched.lock().unwrap();
                watched.looks += 1;
                if owners.len() > 1 && before > 1 {
                    let at = begun.elapsed();
                    watched
                        .two_owners
                        .push(format!("{at:?}: {}", owners.join(" and ")));
                }
                if !owners.is_empty() {
                    last = Instant::now();
                }
                watched.longest_gap = watched.longest_gap.max(last.elapsed());
                before = owners.len();
                drop(watched);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    });
    let watched = watched.into_inner().unwrap();
    assert!(watched.two_owners.is_empty(), "{:#?}", watched.two_owners);
    eprintln!(
        "{} looks, never two owners, none for {:?} at most",
        watched.looks, watched.longest_gap
    );
    (done, watched)
}

/// Sets a drop-in for keepalived's unit on a node.
fn unit(cluster: &Cluster, node: &str, setting: &str) {
    let folder = "/etc/systemd/system/keepalived.service.d";
    let text = format!(
        "mkdir -p {folder}; printf '[Service]\\n%s\\n' '{setting}' >{folder}/test.conf; systemctl daemon-reload"
    );
    cluster.on(node, &text);
}

fn to_multicast(cluster: &Cluster) {
    let plain = cluster.inventory();
    cluster.set_inventory(&format!("{plain}vrrp: {{ peering: multicast }}\n"));
}

/// The delay that a busy machine adds to VRRP's timers and to the observations.
const SLACK: Duration = Duration::from_millis(700);

/// A cluster built by hand: multicast, VRRPv2 with a password, its own names and ids, and a script
/// without script security, which keepalived reports as an error but runs.
const BY_HAND: &str = r#"
rm -f /etc/nginx/sites-enabled/default
cat >/etc/nginx/conf.d/web.conf <<'END'
server {
    listen 80 default_server;
    location / { proxy_pass http://192.168.1.10:8080; }
}
END
cat >/etc/keepalived/keepalived.conf <<END
vrrp_script chk_nginx {
    script "/usr/bin/pgrep nginx"
    interval 2
    weight -50
}
vrrp_instance web {
    state BACKUP
    interface eth0
    virtual_router_id 77
    priority $PRIORITY
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass by-hand
    }
    virtual_ipaddress {
        10.0.0.100/24
    }
    track_script {
        chk_nginx
    }
}
END
systemctl enable -q nginx keepalived && systemctl restart nginx keepalived"#;

fn build_by_hand(cluster: &Cluster) {
    for (index, node) in cluster.nodes().iter().enumerate() {
        let priority = 100 - 10 * index;
        cluster.on(node, &format!("PRIORITY={priority}\n{BY_HAND}"));
    }
    crate::lab::wait_for("an owner", || cluster.owners(VIP) == ["lb1"]);
}

/// Gives every node a second address on eth0, and an interface on another network.
fn add_networks(cluster: &Cluster) {
    let switch = cluster.netns("sw");
    let mut lines = "link add beside netns @ type bridge\n".replace('@', &switch);
    for number in 1..=3 {
        let node = cluster.netns(&format!("lb{number}"));
        writeln!(
            lines,
            "link add beside netns {node} type veth peer name beside{number} netns {switch}"
        )
        .unwrap();
    }
    ip(&lines, None);
    let ports = (1..=3).map(|number| format!("link set beside{number} master beside up\n"));
    ip(
        &format!("link set beside up\n{}", ports.collect::<String>()),
        Some(&switch),
    );
    for number in 1..=3 {
        let lines = format!(
            "addr add 10.0.0.2{number}/24 dev eth0\naddr add 10.7.0.1{number}/24 dev beside\nlink set beside up\n"
        );
        ip(&lines, Some(&cluster.netns(&format!("lb{number}"))));
    }
}

/// Runs lines of `ip -batch`, in a network namespace if one is given.
#[track_caller]
fn ip(lines: &str, netns: Option<&str>) {
    let mut ip = Command::new("ip");
    if let Some(netns) = netns {
        ip.args(["-n", netns]);
    }
    let mut ip = ip
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    ip.stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    assert!(ip.wait().unwrap().success(), "{lines}");
}

/// The inventory with the nodes at other addresses or interfaces. ssh keeps using the old ones.
fn with_nodes(inventory: &str, network: &str, interface: &str) -> String {
    let mut text = inventory.to_owned();
    for number in 1..=3 {
        let was = format!("address: 10.0.0.1{number}, interface: eth0");
        assert!(text.contains(&was), "{text}");
        let now =
            format!("address: {network}{number}, interface: {interface}, host: 10.0.0.1{number}");
        text = text.replace(&was, &now);
    }
    text
}

#[test]
fn what_moves_in_the_configuration_never_makes_two_owners() {
    let Some(cluster) = Cluster::up_quietly(&machines()) else {
        return;
    };
    add_networks(&cluster);
    build_by_hand(&cluster);
    let plain = cluster.inventory();
    let vip = |keys: &str| {
        let was = "{ address: 10.0.0.100/24 }";
        assert!(plain.contains(was));
        plain.replace(was, &format!("{{ address: 10.0.0.100/24, {keys} }}"))
    };
    let vrrp = |keys: &str| format!("{plain}vrrp: {{ {keys} }}\n");
    let password = "authentication: { password: { command: [printf, secret] } }";
    let changes = [
        ("a cluster made by hand is adopted", plain.clone()),
        (
            "virtual router ID and name",
            vip("virtual_router_id: 60, name: web"),
        ),
        (
            "version, and a silence of 3 s",
            vrrp("version: 2, failover: standard"),
        ),
        (
            "password",
            vrrp(&format!("version: 2, failover: standard, {password}")),
        ),
        (
            "advert interval",
            vrrp("advert_interval: 200ms, failover: standard"),
        ),
        ("addresses", with_nodes(&plain, "10.0.0.2", "eth0")),
        (
            "interface",
            with_nodes(&vip("interface: eth0"), "10.7.0.1", "beside"),
        ),
        ("back", plain.clone()),
    ];
    for (what, inventory) in changes {
        cluster.set_inventory(&inventory);
        let load = Load::start(&cluster.netns("ctl"), &format!("{VIP}:80"), 4);
        load.wait_for_answers(5);
        let apply = [
            "apply",
            "--yes",
            "--stop-serving",
            "all",
            "--format",
            "json",
        ];
        let (ended, watched) = watch(&cluster, || cluster.run(&apply));
        let ended = ended.exits(0);
        let plan = &ended.json()["plan"];
        eprintln!("{what}: {}", plan["strategy"]);
        assert_eq!(plan["strategy"]["kind"], "at_once", "{what}");
        assert_eq!(cluster.owners(VIP).len(), 1, "{what}");
        load.wait_for_answers(5);
        let keeper = &plan["nodes"][2];
        let unit = |name: &str| {
            let mut units = changes_of(keeper, "unit");
            let unit = units.find(|unit| unit["subject"]["name"] == name);
            unit.cloned().unwrap_or_default()
        };
        if unit("nginx")["action"] == "restart" {
            // If hactl had not set it up before, nothing hands the VIP over, and requests are lost.
            let lost = load.end();
            eprintln!("{what}: {} of 4 clients' requests were lost", lost.len());
            assert_eq!(unit("keepalived")["action"], "restart", "{what}");
            let keepalived = unit("keepalived");
            let reason = keepalived["reason"].as_str().unwrap();
            eprintln!("{what}: {reason}");
            assert!(reason.contains("SECURITY VIOLATION"), "{reason}");
            continue;
        }
        load.end_without_failures();
        let stated = plan["strategy"]["without_owner_ms"].as_f64().unwrap();
        let stated = Duration::from_secs_f64(stated / 1000.0);
        let gap = watched.longest_gap;
        assert!(gap < stated + SLACK, "{what}: {gap:?}, not {stated:?}");
        assert!(gap + SLACK > stated, "{what}: {gap:?}, not {stated:?}");
    }
}

#[test]
fn a_slow_host_is_waited_for_and_one_that_fails_takes_all_back() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let owner = cluster.owner(VIP);
    unit(&cluster, "lb3", "ExecStop=/bin/sleep 5");
    let etc = cluster.all_etc();
    let plain = cluster.inventory();
    to_multicast(&cluster);
    let (ended, _) = watch(&cluster, || cluster.run(&["apply", "--yes"]));
    ended.exits(0);
    assert_eq!(cluster.owner(VIP), owner);
    cluster.set_inventory(&plain);
    cluster.run(&["apply", "--yes"]).exits(0);

    // The owner and lb2 have the new configuration when lb3 fails to start with it.
    let only_unicast = "ExecStartPre=/bin/grep -q unicast_peer /etc/keepalived/keepalived.conf";
    unit(&cluster, "lb3", only_unicast);
    let etc_of_lb3 = cluster.all_etc();
    assert_eq!(etc.len(), etc_of_lb3.len());
    to_multicast(&cluster);
    let (ended, _) = watch(&cluster, || cluster.run(&["apply", "--yes"]));
    ended.exits(4);
    cluster.assert_etc(&etc_of_lb3);
    assert_eq!(cluster.owner(VIP), owner);
    cluster.assert_no_traces();
}

#[test]
fn hosts_end_a_killed_switch_on_one_side() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    cluster.apply();
    let owner = cluster.owner(VIP);
    // lb3 starts slowly, so that the owner has the new configuration and lb3 does not when hactl
    // dies.
    unit(&cluster, "lb3", "ExecStartPre=/bin/sleep 8");
    let etc = cluster.all_etc();
    to_multicast(&cluster);
    let ((), _) = watch(&cluster, || {
        let mut killed = cluster.start(&["apply", "--yes", "--confirm-timeout", "15s"]);
        let journal = cluster.node_root(&owner).join("var/lib/hactl/journal");
        crate::lab::wait_for("the owner", || {
            std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("phase\tactivated"))
        });
        killed.kill().unwrap();
        killed.wait().unwrap();
        // Covers the timers, the owner's wait and the other nodes' waits.
        let begun = Instant::now();
        let is_over = |node: &String| {
            let state = cluster.node_root(node).join("var/lib/hactl");
            !state.join("journal").exists() && !state.join("tx").exists()
        };
        while !cluster.nodes().iter().all(is_over) && begun.elapsed() < Duration::from_mins(4) {
            std::thread::sleep(Duration::from_secs(1));
        }
        assert!(
            cluster.nodes().iter().all(is_over),
            "some host has not ended it"
        );
        eprintln!("ended by the hosts after {:?}", begun.elapsed());
    });
    cluster.assert_etc(&etc);
    assert_eq!(cluster.owner(VIP), owner);
    cluster.assert_no_traces();
    // It reports the rollback.
    cluster.run(&["status"]);
}

/// A firewall that accepts VRRP from known peers but not multicast: lb3 would become a second
/// owner, with VRRP's own timers only seconds after the change.
#[test]
fn a_node_that_does_not_hear_the_new_way_takes_all_back() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    let plain = cluster.inventory();
    let vrrp = |more: &str| format!("{plain}vrrp: {{ failover: standard{more} }}\n");
    cluster.set_inventory(&vrrp(""));
    cluster.apply();
    let rules = "add table inet old; add chain inet old in { type filter hook input priority 0; }; \
                 add rule inet old in ip daddr 224.0.0.18 drop";
    let nft = Command::new("ip")
        .args(["netns", "exec", &cluster.netns("lb3"), "nft", rules])
        .status();
    assert!(nft.unwrap().success());
    cluster.set_inventory(&vrrp(", peering: multicast"));
    let ended = cluster
        .run(&["apply", "--yes", "--format", "json"])
        .exits(4);
    let outcome = &ended.json()["outcome"];
    assert_eq!(outcome["result"], "rolled_back", "{outcome:#}");
    assert_eq!(outcome["failure"]["step"], "prove", "{outcome:#}");
    assert_eq!(cluster.owners(VIP), ["lb1"]);
    cluster.set_inventory(&vrrp(""));
    cluster.run(&["status"]).exits(0);
}
