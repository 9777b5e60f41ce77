//! Applies on an in-memory cluster: the order of calls, and the effect of every failure.

mod any_failure;
mod manual;
mod outside;
mod paths;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{ApplyOptions, ApplyResult, Confirmation, Event, Fleet, Session, Step, apply};
use crate::agent::{
    Client, Door, Manifest, PeerKey, Reach, ReachQuestion, Tree, TreeFile, UnitAction, Viewpoint,
    VipDoors, sha256_hex,
};
use crate::model::{
    ClusterName, FileRole, HostPath, InterfaceName, InventoryPath, Login, Node, NodeName, RouterId,
    SshSettings, UnitId,
};
use crate::plan::{Change, Goal, NodePlan, Place, Plan, Proof, Provenance, Strategy, UnitChange};
use crate::remote::fake::{FakeCluster, FakeHost, Fault, Planned};
use crate::render::ConfigId;
use crate::units;

const TX: &str = "tx-1";
const VIP: &str = "10.0.0.100";
const NGINX: &str = "/etc/nginx/nginx.conf";
const NEW_FILE: &str = "/etc/nginx/new.conf";

fn doors() -> VipDoors {
    VipDoors {
        vip: VIP.parse().unwrap(),
        doors: vec![Door {
            port: 80,
            is_http: true,
        }],
    }
}

fn name(index: usize) -> NodeName {
    NodeName::new(format!("lb{}", index + 1)).unwrap()
}

fn node(index: usize) -> Node {
    Node {
        name: name(index),
        address: address(index),
        interface: InterfaceName::new("eth0").unwrap(),
        router_id: RouterId::new(name(index).as_str()).unwrap(),
        ssh: SshSettings {
            host: name(index).to_string(),
            user: None,
            port: None,
            jump: None,
            identity_file: None,
            login: Login::Root,
        },
        path: InventoryPath::root(),
    }
}

fn address(index: usize) -> IpAddr {
    format!("10.0.0.{}", index + 11).parse().unwrap()
}

fn old_files() -> BTreeMap<String, Vec<u8>> {
    [(NGINX.to_owned(), b"old".to_vec())].into()
}

fn new_files() -> BTreeMap<String, Vec<u8>> {
    [NGINX, NEW_FILE]
        .map(|path| (path.to_owned(), b"new".to_vec()))
        .into()
}

fn installs(packages: &[&str]) -> impl Iterator<Item = Change> {
    let names = packages.iter().map(|name| (*name).to_owned());
    names.collect::<Vec<_>>().into_iter().map(Change::Install)
}

fn node_plan(index: usize, install: &[&str]) -> NodePlan {
    let path = |text: &str| HostPath::new(text).unwrap();
    let file = |(at, content): (String, Vec<u8>)| TreeFile {
        role: FileRole::NginxConf,
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        path: path(&at),
        content,
    };
    let id = ConfigId::new("0123456789ab").unwrap();
    let reload = Change::Unit(UnitChange {
        unit: UnitId::NGINX,
        action: UnitAction::Reload,
        reason: "its files change".to_owned(),
    });
    NodePlan {
        node: name(index),
        generation: Some(1),
        place: Some(Place {
            position: [2, 0, 1][index],
            nodes: 3,
            address: address(index),
            peers: (0..3)
                .filter(|other| *other != index)
                .map(address)
                .collect(),
        }),
        ids: Some(units::ids().map(|unit| (unit, id.clone())).collect()),
        holds: if index == 0 {
            vec![VIP.parse().unwrap()]
        } else {
            vec![]
        },
        changes: installs(install).chain([reload]).collect(),
        displaces: Vec::new(),
        drift: vec![],
        tests: vec![],
        expected: [
            (path(NGINX), Some(sha256_hex(b"old"))),
            (path(NEW_FILE), None),
        ]
        .into(),
        tree: Tree {
            manifest: Manifest::default(),
            files: new_files().into_iter().map(file).collect(),
        },
    }
}

/// lb1 holds the VIP, so it is last in the plan.
fn plan() -> Plan {
    Plan {
        cluster: ClusterName::new("web").unwrap(),
        goal: Goal::Apply,
        generation: 2,
        strategy: Strategy::Rolling,
        proof: Proof::AllListeners,
        losses: Vec::new(),
        preferred: BTreeMap::new(),
        nodes: [1, 2, 0].map(|index| node_plan(index, &[])).into(),
    }
}

fn cluster() -> FakeCluster {
    FakeCluster::new((0..3).map(|index| {
        let mut host = FakeHost::default();
        host.files = old_files();
        host.holds = holds(&[0], index);
        (name(index), host)
    }))
}

fn holds(holders: &[usize], index: usize) -> Vec<String> {
    let is_one = holders.contains(&index);
    is_one.then(|| VIP.to_owned()).into_iter().collect()
}

/// A client that is nowhere near the cluster.
pub(super) struct Elsewhere;

#[async_trait::async_trait]
impl Client for Elsewhere {
    async fn reach(&self, _: &ReachQuestion) -> Reach {
        Reach {
            from: Viewpoint::Client,
            hardware: Vec::new(),
            vips: BTreeMap::new(),
        }
    }
}

struct Run {
    result: ApplyResult,
    events: Vec<Event>,
}

impl Run {
    fn kind(&self) -> &'static str {
        match self.result {
            ApplyResult::NothingToDo => "nothing to do",
            ApplyResult::Checked => "checked",
            ApplyResult::Applied { .. } => "applied",
            ApplyResult::Waiting { .. } => "waiting",
            ApplyResult::Unchanged(_) => "unchanged",
            ApplyResult::RolledBack(_) => "rolled back",
            ApplyResult::Mixed { .. } => "mixed",
        }
    }

    fn failed_step(&self) -> Option<Step> {
        match &self.result {
            ApplyResult::Unchanged(failure)
            | ApplyResult::RolledBack(failure)
            | ApplyResult::Mixed { failure, .. } => Some(failure.step),
            _ => None,
        }
    }
}

async fn run_with(
    cluster: &FakeCluster,
    plan: &Plan,
    change: impl FnOnce(&mut Session<'_>, &mut ApplyOptions),
    listen: &(dyn Fn(&Event) + Sync),
) -> Run {
    let nodes: Vec<Node> = (0..3).map(node).collect();
    let all: Vec<&Node> = nodes.iter().collect();
    let mut options = ApplyOptions {
        confirm: Confirmation::Auto,
        origin: String::new(),
        confirm_timeout: Duration::from_secs(4),
        settle_time: Duration::ZERO,
        election_time: Duration::ZERO,
        peer_key: Some(PeerKey::random().unwrap()),
        peer_ports: Vec::new(),
        hooks: Vec::new(),
        before: Vec::new(),
        provenance: Provenance::default(),
    };
    let events = Mutex::new(Vec::new());
    let tell = |event: Event| {
        listen(&event);
        events.lock().unwrap().push(event);
    };
    let ended = Fleet::with(cluster, &all, 8, async |fleet, errors| {
        assert!(errors.is_empty());
        let mut session = Session {
            fleet,
            connector: cluster,
            client: &Elsewhere,
            nodes: &nodes,
            vips: vec![doors()],
            owner_patience: Duration::ZERO,
            parallel: 8,
            stop: Arc::default(),
            tell: &tell,
        };
        change(&mut session, &mut options);
        apply(&session, &options, plan, TX).await.result
    });
    let result = ended.await;
    Run {
        result,
        events: events.into_inner().unwrap(),
    }
}

async fn run(cluster: &FakeCluster, plan: &Plan) -> Run {
    run_with(cluster, plan, |_, _| (), &|_| ()).await
}

fn faults(cluster: &FakeCluster, planned: &[(usize, &'static str, usize, Fault)]) {
    let planned = planned.iter().map(|&(node, verb, nth, fault)| Planned {
        node,
        verb,
        nth,
        fault,
    });
    cluster.state().faults.extend(planned);
}

/// The outcome according to the hosts themselves.
fn truth(cluster: &FakeCluster) -> &'static str {
    let state = cluster.state();
    let is_new = |host: &FakeHost| {
        host.files == new_files() && host.journal.is_none() && host.confirmed.as_deref() == Some(TX)
    };
    let is_old = |host: &FakeHost| {
        host.files == old_files() && host.journal.is_none() && host.packages.is_empty()
    };
    if state.hosts.values().all(is_new) {
        "new"
    } else if state.hosts.values().all(is_old) {
        "old"
    } else {
        "mixed"
    }
}

fn nobody_is_locked(cluster: &FakeCluster) {
    let state = cluster.state();
    // If a node may yet have to query its peers, they keep their locks until their timers fire.
    let is_waiting = |host: &FakeHost| host.journal.is_some() || host.is_gone;
    let is_open = state.hosts.values().any(is_waiting);
    for (node, host) in &state.hosts {
        assert!(host.lock.is_none() || host.is_gone || is_open, "{node}");
    }
}
