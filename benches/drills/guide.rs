//! The guide's configuration, deployed by hand as its readers would, and drilled with the same
//! clients as hactl's own drills. Faults are injected and hosts watched from outside the nodes.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use hactl::drill::{
    self, Clock, ClockOffset, Drill, DrillEventKind, DrillReport, DrillRun, Event, Load, LoadSpec,
    Target,
};
use hactl::model::NodeName;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use nix::sched::{CloneFlags, setns};

use crate::cluster::{Cluster, VIP};
use crate::lab::wait_for;

const NODES: [(&str, &str, &str); 3] = [
    ("lb1", "MASTER", "100"),
    ("lb2", "BACKUP", "90"),
    ("lb3", "BACKUP", "80"),
];
const INTERVAL: Duration = Duration::from_millis(5);
/// With the guide's settings failover takes 13 s. A node that has not failed over by now never
/// will.
const LONGEST: Duration = Duration::from_secs(20);
/// The fault ends this long after the failover.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// The guide's cluster.
pub(crate) const GUIDE: &str = "guide";
/// The same cluster, with nginx masked so that its check cannot restart it, as with a broken
/// configuration or a port in use.
pub(crate) const NO_RESTART: &str = "guide-no-restart";

/// The commands that inject a fault on a node and end it.
fn fault(profile: &str, drill: &str) -> Option<(&'static str, &'static str)> {
    if profile == NO_RESTART {
        return (drill == "nginx-kill").then_some((
            "systemctl mask --runtime nginx; systemctl kill --kill-who=main -s KILL nginx",
            "systemctl unmask --runtime nginx; systemctl start nginx",
        ));
    }
    Some(match drill {
        // As in hactl's own drill: kills only the master process, and the workers exit with it.
        "nginx-kill" => (
            "systemctl kill --kill-who=main -s KILL nginx",
            "systemctl start nginx",
        ),
        // The guide's check may start nginx meanwhile, which cancels the stop.
        "nginx-stop" => ("systemctl stop nginx || :", "systemctl start nginx"),
        "nginx-hang" => (
            "systemctl kill -s STOP nginx",
            "systemctl kill -s CONT nginx",
        ),
        "keepalived-stop" => ("systemctl stop keepalived", "systemctl start keepalived"),
        "keepalived-kill" => (
            "systemctl kill -s KILL keepalived",
            "systemctl restart keepalived",
        ),
        "link-down" => ("ip link set eth0 down", "ip link set eth0 up"),
        _ => return None,
    })
}

/// Whether a drill can run without hactl.
pub(crate) fn can(profile: &str, drill: &str) -> bool {
    fault(profile, drill).is_some()
}

pub(crate) fn deploy(cluster: &Cluster) {
    for (node, state, priority) in NODES {
        let keepalived = include_str!("../guide/keepalived.conf")
            .replace("router_id NODE", &format!("router_id {node}"))
            .replace("STATE", state)
            .replace("PRIORITY", priority);
        let put = |path: &str, text: &str, mode: &str| {
            let file = cluster.node_root(node).join(path);
            std::fs::write(file, text).unwrap();
            cluster.on(node, &format!("chmod {mode} /{path}"));
        };
        put("etc/keepalived/keepalived.conf", &keepalived, "644");
        put(
            "etc/keepalived/check_nginx.sh",
            include_str!("../guide/check_nginx.sh"),
            "755",
        );
        put(
            "etc/nginx/nginx.conf",
            include_str!("../guide/nginx.conf"),
            "644",
        );
        cluster.on(node, "systemctl restart nginx keepalived");
    }
    settled(cluster);
}

/// Waits until lb1 alone has the VIP.
fn settled(cluster: &Cluster) {
    wait_for("lb1 to have the VIP", || cluster.owners(VIP) == ["lb1"]);
}

pub(crate) fn drill(cluster: &Cluster, profile: &str, drill: &str, repeat: u32) -> DrillReport {
    let runs = (1..=repeat).map(|repeat| {
        let run = run(cluster, profile, drill, repeat);
        settled(cluster);
        // keepalived runs the check every 3 s. Start each run at a different point of that
        // interval.
        thread::sleep(Duration::from_millis(3000 + u64::from(repeat) * 570 % 3000));
        run
    });
    DrillReport {
        format: DrillReport::FORMAT,
        hactl: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: GUIDE.to_owned(),
        started: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        profile: profile.to_owned(),
        advert_ms: 1000.0,
        down_timer_adverts: 3,
        nodes: NODES.map(|(node, ..)| name(node)).into(),
        probe_interval_ms: INTERVAL.as_secs_f64() * 1000.0,
        runs: runs.collect(),
    }
}

fn run(cluster: &Cluster, profile: &str, drill: &str, repeat: u32) -> DrillRun {
    let (make, end) = fault(profile, drill).unwrap();
    let clock = Clock::start();
    // All machines in a lab share the host's clock. Relate the program's clock to it.
    let epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let zero = epoch.saturating_sub(clock.elapsed()).as_secs_f64();
    let watches = NODES.map(|(node, ..)| (node, watch(cluster, node)));
    let load = load(cluster, clock);
    thread::sleep(Duration::from_millis(700));
    let made = clock.elapsed();
    cluster.on("lb1", make);
    // Whether another node takes over or none does, the clients' log shows it.
    let waited = clock.elapsed();
    let gone = || cluster.owners(VIP).iter().any(|owner| owner != "lb1");
    while !gone() && clock.elapsed() < waited + LONGEST {
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(AFTERWARDS);
    let healed = clock.elapsed();
    cluster.on("lb1", end);
    wait_for("lb1 to have the VIP again", || {
        cluster.owners(VIP) == ["lb1"]
    });
    thread::sleep(AFTERWARDS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = runtime.block_on(load.stop()).unwrap();
    let end = clock.elapsed();

    let millis = |time: f64| (time - made.as_secs_f64()) * 1000.0;
    let new = drill::requests(&log.new, made);
    let mut timeline: Vec<Event> = Vec::new();
    for (node, watch) in watches {
        timeline.extend(seen(watch).into_iter().map(|(at, what)| Event {
            at_ms: millis(at - zero),
            node: Some(name(node)),
            what,
        }));
    }
    let own = |at: f64, what| Event {
        at_ms: millis(at),
        node: Some(name("lb1")),
        what,
    };
    timeline.push(own(
        made.as_secs_f64(),
        DrillEventKind::Fault {
            name: drill.to_owned(),
        },
    ));
    timeline.push(own(healed.as_secs_f64(), DrillEventKind::Healed));
    timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    let (from, after) = (name("lb1"), name("lb1"));
    let to = drill::next_owner(&timeline, &from).cloned();
    DrillRun {
        drill: Drill::named(drill).unwrap(),
        repeat,
        vip: VIP.parse().unwrap(),
        node: from.clone(),
        back_ms: drill::time_to_return(&timeline, &after, &new, millis(healed.as_secs_f64())),
        phases: drill::phases(&timeline, &from, &new),
        to,
        from,
        after: Some(after),
        begin_ms: millis(0.0),
        end_ms: millis(end.as_secs_f64()),
        hold_ms: Some(millis(healed.as_secs_f64())),
        path: "/health".to_owned(),
        beside: None,
        downloads: None,
        new,
        held: log.held,
        predicted: None,
        budget_ms: None,
        offsets: NODES
            .map(|(node, ..)| ClockOffset {
                node: name(node),
                offset_ms: 0.0,
                error_ms: 0.1,
            })
            .into(),
        timeline,
        // Nothing is known about nginx on the nodes here, so only the clients' view is judged.
        violations: Vec::new(),
    }
}

fn name(node: &str) -> NodeName {
    NodeName::new(node).unwrap()
}

/// The clients of hactl's own drills, in the lab's controller namespace.
fn load(cluster: &Cluster, clock: Clock) -> Load {
    let namespace = File::open(format!("/run/netns/{}", cluster.netns("ctl"))).unwrap();
    let target = Target {
        address: VIP.parse().unwrap(),
        port: 80,
        path: "/health".to_owned(),
        host: VIP.to_owned(),
    };
    let spec = LoadSpec {
        new: target.clone(),
        beside: None,
        interval: INTERVAL,
        held: target,
        held_connections: 20,
        held_interval: Duration::from_millis(50),
        download: None,
        downloads: 0,
    };
    // Network namespaces are per thread, and new threads inherit them.
    let starter = thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        Load::start(spec, clock).unwrap()
    });
    starter.join().unwrap()
}

/// A monitor of a node's address changes, with the kernel's timestamps.
fn watch(cluster: &Cluster, node: &str) -> Child {
    Command::new("ip")
        .args([
            "-n",
            &cluster.netns(node),
            "-ts",
            "-o",
            "monitor",
            "address",
        ])
        .env("TZ", "UTC")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// When the VIP was added and removed, in seconds since the epoch.
fn seen(mut watch: Child) -> Vec<(f64, DrillEventKind)> {
    watch.kill().unwrap();
    watch.wait().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    lines
        .map_while(Result::ok)
        .filter(|line| line.contains(&format!("inet {VIP}/")))
        .filter_map(|line| {
            let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
            let time: DateTime = time.parse().ok()?;
            let at = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let at = at.as_duration().as_secs_f64();
            let gone = rest.trim_start().starts_with("Deleted");
            Some((
                at,
                if gone {
                    DrillEventKind::Released
                } else {
                    DrillEventKind::Owns
                },
            ))
        })
        .collect()
}
