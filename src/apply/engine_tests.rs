//! The engine on a cluster in memory: its order, and what becomes of every failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{ApplyOptions, ApplyResult, Engine, Event, FailureCause, Fleet, Step};
use crate::agent::{AgentError, Manifest, Tree, TreeFile, sha256_hex};
use crate::model::{
    ClusterName, HostPath, InterfaceName, InventoryPath, Login, Node, NodeName, RouterId,
    SshSettings,
};
use crate::plan::{Goal, NodePlan, Plan, Provenance, Strategy, UnitAction};
use crate::remote::fake::{FakeCluster, FakeHost, Fault, Planned};
use crate::render::{ConfigId, ConfigIds};

const TX: &str = "tx-1";
const VIP: &str = "10.0.0.100";
const NGINX: &str = "/etc/nginx/nginx.conf";
const NEW_FILE: &str = "/etc/nginx/new.conf";

fn name(index: usize) -> NodeName {
    NodeName::new(format!("lb{}", index + 1)).unwrap()
}

fn node(index: usize) -> Node {
    Node {
        name: name(index),
        address: format!("10.0.0.{}", index + 11).parse().unwrap(),
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

fn old_files() -> BTreeMap<String, Vec<u8>> {
    [(NGINX.to_owned(), b"old".to_vec())].into()
}

fn new_files() -> BTreeMap<String, Vec<u8>> {
    [NGINX, NEW_FILE]
        .map(|path| (path.to_owned(), b"new".to_vec()))
        .into()
}

fn node_plan(index: usize, install: &[&str]) -> NodePlan {
    let path = |text: &str| HostPath::new(text).unwrap();
    let file = |(at, content): (String, Vec<u8>)| TreeFile {
        role: "nginx_conf".to_owned(),
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        path: path(&at),
        content,
    };
    let id = ConfigId::new("0123456789ab").unwrap();
    NodePlan {
        node: name(index),
        generation: Some(1),
        ids: Some(ConfigIds {
            nginx: id.clone(),
            keepalived: id,
        }),
        holds: if index == 0 {
            vec![VIP.parse().unwrap()]
        } else {
            vec![]
        },
        install: install.iter().map(|name| (*name).to_owned()).collect(),
        remove_packages: false,
        files: vec![],
        sysctls: vec![],
        drift: vec![],
        nginx: UnitAction::Reload,
        keepalived: UnitAction::None,
        restart_reason: None,
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

/// lb1 holds the VIP, so the plan has it last.
fn plan() -> Plan {
    Plan {
        cluster: ClusterName::new("web").unwrap(),
        goal: Goal::Apply,
        next_generation: 2,
        strategy: Strategy::Rolling,
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

/// What one run came to.
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
    change: impl FnOnce(&mut ApplyOptions),
    listen: &(dyn Fn(&Event) + Sync),
) -> Run {
    let nodes: Vec<Node> = (0..3).map(node).collect();
    let all: Vec<&Node> = nodes.iter().collect();
    let (fleet, errors) = Fleet::connect(cluster, &all, 8).await;
    assert!(errors.is_empty());
    let mut options = ApplyOptions {
        parallel: 8,
        check_only: false,
        confirm_timeout: Duration::from_secs(4),
        settle_time: Duration::ZERO,
        owner_patience: Duration::ZERO,
        vips: vec![VIP.parse().unwrap()],
        provenance: Provenance::default(),
        stop: Arc::default(),
    };
    change(&mut options);
    let events = Mutex::new(Vec::new());
    let tell = |event: Event| {
        listen(&event);
        events.lock().unwrap().push(event);
    };
    let engine = Engine {
        fleet: &fleet,
        connector: cluster,
        nodes: &nodes,
        options,
        tell: &tell,
    };
    let result = engine.run(plan, TX).await.result;
    Run {
        result,
        events: events.into_inner().unwrap(),
    }
}

async fn run(cluster: &FakeCluster, plan: &Plan) -> Run {
    run_with(cluster, plan, |_| (), &|_| ()).await
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

/// What the hosts themselves say of how it ended.
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
    for (node, host) in &cluster.state().hosts {
        assert!(host.lock.is_none() || host.is_gone, "{node}");
    }
}

#[tokio::test]
async fn the_holder_comes_last_and_all_is_confirmed() {
    let cluster = cluster();
    let run = run(&cluster, &plan()).await;
    assert!(matches!(run.result, ApplyResult::Applied { generation: 2 }));
    assert_eq!(cluster.order_of("activate"), ["lb2", "lb3", "lb1"]);
    assert_eq!(cluster.order_of("confirm").len(), 3);
    assert_eq!(cluster.order_of("connect").len(), 0);
    assert_eq!(truth(&cluster), "new");
    nobody_is_locked(&cluster);
    let steps = run.events.iter().filter_map(|event| match event {
        Event::StepStarted { step, .. } => Some(*step),
        _ => None,
    });
    use Step::{Activate, Confirm, Lock, Prepare, Stage, Validate};
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [Lock, Prepare, Stage, Validate, Activate, Confirm]
    );
}

#[tokio::test]
async fn at_once_activates_all_before_it_looks_for_owners() {
    let cluster = cluster();
    let mut plan = plan();
    plan.strategy = Strategy::AtOnce {
        reason: "version".to_owned(),
    };
    faults(&cluster, &[(1, "activate", 0, Fault::FailedAfter)]);
    let run = run(&cluster, &plan).await;
    assert_eq!(run.kind(), "rolled back");
    assert_eq!(cluster.order_of("activate").len(), 3);
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2"]);
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn an_empty_plan_calls_nobody() {
    let cluster = cluster();
    let mut plan = plan();
    for node in &mut plan.nodes {
        node.nginx = UnitAction::None;
    }
    assert_eq!(run(&cluster, &plan).await.kind(), "nothing to do");
    assert!(cluster.state().log.is_empty());
}

#[tokio::test]
async fn a_taken_lock_changes_nothing_and_keeps_no_other() {
    let cluster = cluster();
    cluster.state().hosts.get_mut(&name(1)).unwrap().lock = Some("other".to_owned());
    let run = run(&cluster, &plan()).await;
    let ApplyResult::Unchanged(failure) = &run.result else {
        panic!("{}", run.kind());
    };
    let [FailureCause::Agent(AgentError::Locked { node, holder, .. })] = &failure.errors[..] else {
        panic!("{:?}", failure.errors);
    };
    assert_eq!((node, holder.as_str()), (&name(1), "ada@desk"));
    let state = cluster.state();
    let locks = state.hosts.values().map(|host| host.lock.clone());
    assert_eq!(
        locks.collect::<Vec<_>>(),
        [None, Some("other".to_owned()), None]
    );
    assert!(
        state
            .log
            .iter()
            .all(|(_, verb)| verb == "lock" || verb == "unlock")
    );
}

#[tokio::test]
async fn an_unfinished_change_is_left_to_its_owner() {
    let cluster = cluster();
    cluster.state().hosts.get_mut(&name(2)).unwrap().journal =
        Some(("other".to_owned(), "activated"));
    let mut plan = plan();
    plan.nodes[1].install = vec!["nginx".to_owned()];
    let run = run(&cluster, &plan).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("unchanged", Some(Step::Lock))
    );
    assert!(cluster.order_of("revert").is_empty());
    assert!(cluster.state().hosts[&name(2)].journal.is_some());
    nobody_is_locked(&cluster);
}

#[tokio::test]
async fn only_a_check_leaves_nothing_behind() {
    let cluster = cluster();
    let mut plan = plan();
    plan.nodes[0].install = vec!["nginx".to_owned()];
    let run = run_with(
        &cluster,
        &plan,
        |options| options.check_only = true,
        &|_| (),
    )
    .await;
    assert_eq!(run.kind(), "checked");
    assert_eq!(truth(&cluster), "old");
    nobody_is_locked(&cluster);
}

#[tokio::test]
async fn every_node_is_reverted_although_one_fails() {
    let cluster = cluster();
    faults(
        &cluster,
        &[
            (0, "activate", 0, Fault::FailedAfter),
            (2, "revert", 0, Fault::Refused),
        ],
    );
    let run = run(&cluster, &plan()).await;
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2"]);
    let ApplyResult::Mixed { failure, problems } = &run.result else {
        panic!("{}", run.kind());
    };
    assert_eq!(failure.step, Step::Activate);
    let told = problems.join("\n");
    for part in [
        "lb3: as the test wants it",
        "lb3: /etc/nginx/nginx.conf is not as it was",
        "lb3: the change is still in its journal",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("lb1") && !told.contains("lb2"), "{told}");
    assert_eq!(truth(&cluster), "mixed");
}

#[tokio::test]
async fn two_owners_or_none_bring_everything_back() {
    for holders in [vec![], vec![0, 2]] {
        let cluster = cluster();
        for index in 0..3 {
            cluster.state().hosts.get_mut(&name(index)).unwrap().holds = holds(&holders, index);
        }
        let run = run(&cluster, &plan()).await;
        assert_eq!(
            (run.kind(), run.failed_step()),
            ("rolled back", Some(Step::Prove))
        );
        assert_eq!(cluster.order_of("revert"), ["lb2"]);
        assert_eq!(truth(&cluster), "old");
    }
}

#[tokio::test]
async fn a_lost_confirmation_is_asked_for() {
    for (fault, confirmations) in [(Fault::LostBefore, 4), (Fault::LostAfter, 3)] {
        for index in 0..3 {
            let cluster = cluster();
            faults(&cluster, &[(index, "confirm", 0, fault)]);
            let run = run(&cluster, &plan()).await;
            assert_eq!(run.kind(), "applied");
            assert_eq!(cluster.order_of("confirm").len(), confirmations);
            assert_eq!(truth(&cluster), "new");
        }
    }
}

#[tokio::test]
async fn a_first_node_that_cannot_be_reached_anew_brings_everything_back() {
    let cluster = cluster();
    faults(&cluster, &[(1, "connect", 1, Fault::Refused)]);
    let run = run(&cluster, &plan()).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Confirm))
    );
    assert_eq!(cluster.order_of("revert"), ["lb1", "lb3", "lb2"]);
    assert!(cluster.order_of("confirm").is_empty());
    assert_eq!(truth(&cluster), "old");
    nobody_is_locked(&cluster);
    // With the first one confirmed, the others are asked until they are.
    let cluster = self::cluster();
    faults(&cluster, &[(2, "connect", 1, Fault::Refused)]);
    assert_eq!(self::run(&cluster, &plan()).await.kind(), "applied");
    assert_eq!(truth(&cluster), "new");
}

#[tokio::test]
async fn a_first_node_whose_time_is_over_brings_everything_back() {
    let cluster = cluster();
    let forget = cluster.clone();
    let listen = move |event: &Event| {
        if matches!(
            event,
            Event::StepStarted {
                step: Step::Confirm,
                ..
            }
        ) {
            let mut state = forget.state();
            let host = state.hosts.get_mut(&name(1)).unwrap();
            (host.files, host.journal) = (old_files(), None);
        }
    };
    let run = run_with(&cluster, &plan(), |_| (), &listen).await;
    assert_eq!(
        (run.kind(), run.failed_step()),
        ("rolled back", Some(Step::Confirm))
    );
    assert_eq!(truth(&cluster), "old");
}

#[tokio::test]
async fn packages_that_cannot_go_again_are_told() {
    let cluster = cluster();
    let mut plan = plan();
    plan.nodes[0].install = vec!["nginx".to_owned()];
    faults(&cluster, &[(0, "stage", 0, Fault::Refused)]);
    assert_eq!(run(&cluster, &plan).await.kind(), "unchanged");
    assert_eq!(truth(&cluster), "old");
    let cluster = self::cluster();
    faults(
        &cluster,
        &[
            (0, "stage", 0, Fault::Refused),
            (1, "revert", 0, Fault::Refused),
        ],
    );
    assert_eq!(self::run(&cluster, &plan).await.kind(), "mixed");
    assert_eq!(truth(&cluster), "mixed");
    nobody_is_locked(&cluster);
}

#[tokio::test]
async fn a_wish_to_stop_is_heard_at_every_step() {
    for step in Step::ALL {
        let cluster = cluster();
        let stop = Arc::new(AtomicBool::new(false));
        let listener = Arc::clone(&stop);
        let listen = move |event: &Event| {
            let is_it = match event {
                Event::StepStarted { step: own, .. } => *own == step,
                Event::OwnersSeen { .. } => step == Step::Prove,
                _ => false,
            };
            if is_it {
                listener.store(true, Ordering::Relaxed);
            }
        };
        let run = run_with(&cluster, &plan(), |options| options.stop = stop, &listen).await;
        let expected = match step {
            Step::Lock | Step::Prepare | Step::Stage | Step::Validate => ("unchanged", "old"),
            Step::Activate | Step::Prove => ("rolled back", "old"),
            // Its confirmations are under way: that is ended rather than torn apart.
            Step::Confirm => ("applied", "new"),
        };
        assert_eq!((run.kind(), truth(&cluster)), expected, "{step:?}");
        let told = run
            .events
            .iter()
            .any(|event| matches!(event, Event::Interrupted));
        assert_eq!(told, step != Step::Confirm);
        nobody_is_locked(&cluster);
    }
}

/// For any single failure, the result is what the hosts themselves show in the end.
#[tokio::test]
async fn the_result_is_what_the_hosts_show() {
    use Fault::{FailedAfter, Gone, LostAfter, LostBefore, Refused};
    let mut runs = Vec::new();
    for verb in [
        "lock",
        "prepare",
        "stage",
        "validate-staged",
        "activate",
        "observe",
        "confirm",
        "revert",
        "unlock",
        "connect",
    ] {
        for fault in [Refused, FailedAfter, LostBefore, LostAfter, Gone] {
            for (host, nth) in (0..3).flat_map(|host| [(host, 0), (host, 1)]) {
                // The first connections are not the engine's.
                if (verb, nth) != ("connect", 0) {
                    runs.push(with_one_fault(host, verb, nth, fault, &[]));
                    runs.push(with_one_fault(host, verb, nth, fault, &["nginx"]));
                }
            }
        }
    }
    let mut seen = BTreeMap::new();
    for kind in futures::future::join_all(runs).await {
        *seen.entry(kind).or_insert(0) += 1;
    }
    assert!(seen.len() == 4, "all kinds are among them: {seen:?}");
}

async fn with_one_fault(
    host: usize,
    verb: &'static str,
    nth: usize,
    fault: Fault,
    install: &[&str],
) -> &'static str {
    let cluster = cluster();
    faults(&cluster, &[(host, verb, nth, fault)]);
    let mut plan = plan();
    for node in &mut plan.nodes {
        node.install = install.iter().map(|name| (*name).to_owned()).collect();
    }
    let run = run(&cluster, &plan).await;
    let is_gone = cluster.state().hosts[&name(host)].is_gone;
    match (run.kind(), truth(&cluster)) {
        ("applied", "new") | ("unchanged" | "rolled back", "old") | ("mixed", "mixed") => {}
        // Nobody can say what is on a host that is gone, and exactly that is said.
        ("mixed", _) if is_gone => {}
        // Likewise for an undo whose answer was lost, and a look that failed.
        ("mixed", "old") if matches!(verb, "revert" | "observe" | "connect") => {}
        (kind, truth) => panic!(
            "{verb} #{nth} on lb{}: {fault:?}, {install:?}: {kind}, but the hosts are {truth}",
            host + 1
        ),
    }
    if verb != "unlock" {
        nobody_is_locked(&cluster);
    }
    run.kind()
}
