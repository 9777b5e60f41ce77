//! Random clusters, and random sequences of events.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use hactl::check::{self, Severity, VersionEvidence};
use hactl::inventory;
use hactl::model::{Cluster, KeepalivedFeature, Preemption, Version};

use crate::forecast::World;
use crate::rng::Rng;

/// What happens to the cluster. Nodes are numbers, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    NginxDies(usize),
    NginxReturns(usize),
    /// keepalived is stopped, and resigns.
    Stop(usize),
    Start(usize),
    /// keepalived is killed, and leaves its addresses behind.
    Kill(usize),
    /// The link is lost.
    Cut(usize),
    Plug(usize),
    /// keepalived reads its unchanged configuration again.
    Reload(usize),
    /// These nodes are on one side of a split network, the rest on the other.
    Split(BTreeSet<usize>),
    Join,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |node: &usize| format!("lb{}", node + 1);
        match self {
            Self::NginxDies(node) => write!(f, "nginx dies on {}", name(node)),
            Self::NginxReturns(node) => write!(f, "nginx returns on {}", name(node)),
            Self::Stop(node) => write!(f, "keepalived stops on {}", name(node)),
            Self::Start(node) => write!(f, "keepalived starts on {}", name(node)),
            Self::Kill(node) => write!(f, "keepalived is killed on {}", name(node)),
            Self::Cut(node) => write!(f, "{} loses its link", name(node)),
            Self::Plug(node) => write!(f, "{} has its link again", name(node)),
            Self::Reload(node) => write!(f, "keepalived reloads on {}", name(node)),
            Self::Split(side) => {
                let names: Vec<String> = side.iter().map(name).collect();
                write!(f, "{} are cut off from the others", names.join(", "))
            }
            Self::Join => f.write_str("the network is whole again"),
        }
    }
}

/// A cluster, and what happens to it.
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) inventory: String,
    pub(crate) cluster: Cluster,
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    /// The scenario of a seed, for machines with these versions of keepalived.
    pub(crate) fn random(seed: u64, versions: &[Version]) -> Self {
        let mut rng = Rng::new(seed);
        loop {
            let inventory = inventory_text(&mut rng, versions);
            let Ok(loaded) = inventory::load("random.yml", &inventory) else {
                continue;
            };
            let cluster = loaded.cluster;
            if !is_sound(&cluster, versions) {
                continue;
            }
            let steps = steps(&mut rng, &cluster);
            return Self {
                seed,
                inventory,
                cluster,
                steps,
            };
        }
    }
}

/// Whether `check` and `plan` would accept it.
fn is_sound(cluster: &Cluster, versions: &[Version]) -> bool {
    let mut findings = check::run(cluster);
    for (node, version) in cluster.nodes.iter().zip(versions) {
        findings.extend(check::keepalived_version(&VersionEvidence {
            cluster,
            node,
            version: *version,
            leaves_profile_open: false,
        }));
    }
    // Who owns the VIP at first is left to chance with KA063.
    findings
        .iter()
        .all(|finding| finding.severity() < Severity::Error && finding.rule.id != "KA063")
}

fn inventory_text(rng: &mut Rng, versions: &[Version]) -> String {
    let nodes = 2 + rng.below(versions.len() - 1);
    let mut text = "cluster: random\nnodes:\n".to_owned();
    let mut priorities: Vec<usize> = Vec::new();
    if rng.chance(50) {
        // Far apart or close together.
        let range = *rng.choose(&[20, 254]);
        while priorities.len() < nodes {
            let priority = 1 + rng.below(range);
            if !priorities.contains(&priority) {
                priorities.push(priority);
            }
        }
    }
    for node in 0..nodes {
        let priority = priorities.get(node);
        let priority = priority.map_or_else(String::new, |own| format!(", priority: {own}"));
        let _ = writeln!(
            text,
            "  - {{ name: lb{}, address: 10.0.0.{}, interface: eth0{priority} }}",
            node + 1,
            node + 11
        );
    }
    text.push_str("vips:\n");
    for vip in 0..=rng.below(3) {
        let _ = writeln!(
            text,
            "  - {{ address: 10.0.0.{}/24, virtual_router_id: {} }}",
            100 + vip,
            60 + vip
        );
    }
    let _ = writeln!(text, "vrrp: {{ {} }}", vrrp(rng, &versions[..nodes]));
    text.push_str(
        "upstreams:\n  backend: { servers: [192.168.1.10:8080, 192.168.1.11:8080] }\n\
         sites:\n  - { listen: [80], proxy: backend }\n",
    );
    text
}

fn vrrp(rng: &mut Rng, versions: &[Version]) -> String {
    let can_wait = |version: &Version| KeepalivedFeature::DownTimerAdverts.is_in(*version);
    let is_fast = versions.iter().all(can_wait) && rng.chance(40);
    let mut keys = Vec::new();
    if is_fast {
        keys.push("failover: fast".to_owned());
    } else if rng.chance(10) {
        keys.push("failover: standard, version: 2".to_owned());
    } else {
        let interval = rng.choose(&[50, 100, 200]);
        keys.push(format!("failover: standard, advert_interval: {interval}ms"));
    }
    if rng.chance(40) {
        keys.push("peering: multicast".to_owned());
    }
    if rng.chance(30) {
        keys.push("preempt: false".to_owned());
    } else if rng.chance(20) {
        keys.push("preempt_delay: 1s".to_owned());
    }
    if rng.chance(40) {
        let weight = 1 + rng.below(253);
        let sign = if rng.chance(70) { "-" } else { "" };
        keys.push(format!("on_nginx_failure: {{ weight: {sign}{weight} }}"));
    }
    keys.join(", ")
}

/// Four to six events, each possible after the ones before.
fn steps(rng: &mut Rng, cluster: &Cluster) -> Vec<Step> {
    let mut world = World::of(cluster);
    let count = 4 + rng.below(3);
    let mut steps = Vec::new();
    while steps.len() < count {
        let step = step(rng, cluster.nodes.len());
        // A delayed preemption begins anew with every change, so when it ends depends on the past.
        let is_slow =
            matches!(cluster.vrrp.preemption, Preemption::Preempt { delay } if !delay.is_zero());
        let is_odd = matches!(step, Step::Split(_) | Step::Join) && is_slow;
        if !is_odd && world.can(&step) {
            world.apply(&step);
            steps.push(step);
        }
    }
    steps
}

fn step(rng: &mut Rng, nodes: usize) -> Step {
    let node = rng.below(nodes);
    match rng.below(13) {
        0 | 1 => Step::NginxDies(node),
        2 | 3 => Step::NginxReturns(node),
        4 => Step::Stop(node),
        5 | 6 => Step::Start(node),
        7 => Step::Kill(node),
        8 => Step::Cut(node),
        9 | 10 => Step::Plug(node),
        11 => Step::Reload(node),
        _ if rng.chance(50) => {
            let side = (0..nodes).filter(|_| rng.chance(50));
            Step::Split(side.collect())
        }
        _ => Step::Join,
    }
}
