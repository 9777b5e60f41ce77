//! Commands on an in-memory cluster.

mod changes;
mod connections;
mod ends;
mod fit;
mod printed;
mod rollbacks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use camino::Utf8PathBuf;

use super::{
    Access, ApplyReport, ApplyRequest, Consent, Events, LockBreakRequest, OpsError, Proposal,
    RollbackRequest, Selection, SettleEnd, SettleRequest, Transport,
};
use crate::agent::{Client, Reach, ReachQuestion, Viewpoint};
use crate::apply::{ApplyResult, Confirmation, Event, PendingAction};
use crate::model::NodeName;
use crate::remote::fake::{FakeCluster, FakeHost, hardware};
use printed::{apply, lines, lock_break, lock_show, plan, preflight, rollback, settle, status};

const INVENTORY: &str = "
cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { name: lb2, address: 10.0.0.12, interface: eth0 }
  - { name: lb3, address: 10.0.0.13, interface: eth0 }
vips:
  - { address: 10.0.0.100/24, virtual_router_id: 61 }
upstreams:
  backend: { servers: [192.168.1.10:8080, 192.168.1.11:8080] }
sites:
  - { listen: [80], proxy: backend }
";

/// A machine without a route to the VIPs.
struct Elsewhere;

#[async_trait]
impl Client for Elsewhere {
    async fn reach(&self, _: &ReachQuestion) -> Reach {
        Reach {
            from: Viewpoint::Client,
            hardware: Vec::new(),
            vips: BTreeMap::new(),
        }
    }
}

/// Three hosts that are ready to be set up, and their inventory.
struct World {
    cluster: FakeCluster,
    selection: Selection,
    access: Access,
    folder: Arc<tempfile::TempDir>,
}

fn access(cluster: &FakeCluster) -> Access {
    Access {
        transport: Transport::Memory(Arc::new(cluster.clone()), Arc::new(Elsewhere)),
        parallel: 8,
        stop: Arc::new(AtomicBool::new(false)),
    }
}

fn name(number: usize) -> NodeName {
    NodeName::new(format!("lb{number}")).unwrap()
}

impl World {
    fn new() -> Self {
        let cluster = FakeCluster::new((1..=3).map(|number| (name(number), host(number))));
        let folder = tempfile::tempdir().unwrap();
        let inventory = Utf8PathBuf::from_path_buf(folder.path().join("hactl.yml")).unwrap();
        std::fs::write(&inventory, INVENTORY).unwrap();
        let selection = Selection {
            inventory,
            templates: None,
            limit: Vec::new(),
            forget: Vec::new(),
            take_over: None,
        };
        Self {
            access: access(&cluster),
            cluster,
            selection,
            folder: Arc::new(folder),
        }
    }

    /// A cluster that hactl has set up.
    async fn live() -> Self {
        let world = Self::new();
        let report = world.apply(Consent::Given).await.unwrap();
        assert!(report.outcome.is_some());
        world.forget_calls();
        world
    }

    /// An independent copy of this cluster. The inventory is the same file.
    fn copy(&self) -> Self {
        let hosts = self.cluster.state().hosts.clone();
        let cluster = FakeCluster::new(hosts);
        Self {
            access: access(&cluster),
            cluster,
            selection: self.selection.clone(),
            folder: Arc::clone(&self.folder),
        }
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.folder.path().join("hactl.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    async fn apply(&self, consent: Consent) -> Result<ApplyReport, OpsError> {
        self.apply_as(&self.selection, consent, false).await
    }

    async fn apply_as(
        &self,
        selection: &Selection,
        consent: Consent,
        check_only: bool,
    ) -> Result<ApplyReport, OpsError> {
        let agree = |_: &Proposal<'_>| consent.clone();
        let events = lines();
        let request = ApplyRequest {
            check_only,
            ..request(&agree, &events)
        };
        apply(selection, &self.access, request).await
    }

    fn host<T>(&self, number: usize, look: impl FnOnce(&mut FakeHost) -> T) -> T {
        look(self.cluster.state().hosts.get_mut(&name(number)).unwrap())
    }

    /// True if no lock is held and no change is in progress.
    fn is_free(&self) -> bool {
        let state = self.cluster.state();
        let mut hosts = state.hosts.values();
        hosts.all(|host| host.lock.is_none() && host.journal.is_none())
    }

    /// The calls on the nodes since the last time. No command leaves a connection open, however it ends.
    fn forget_calls(&self) -> Vec<String> {
        let mut state = self.cluster.state();
        assert_eq!(state.closed, state.opened, "connections are left open");
        let log = std::mem::take(&mut state.log);
        log.into_iter().map(|(_, verb)| verb).collect()
    }
}

/// A Debian 12 host with both daemons. The first one takes the VIP when it is told to.
fn host(number: usize) -> FakeHost {
    let own = name(number);
    let mut host = FakeHost::default();
    host.tells = format!(
        "host\t{own}\t6.1\nclock\t1\t1000\tboot-{own}\nos\tdebian\t12\t\n\
         installed\tkeepalived\tKeepalived v2.2.7 (01/16,2022)\n\
         installed\tnginx\tnginx version: nginx/1.22.1\n\
         interface\teth0\tup\t{}\n",
        hardware(&own)
    );
    host.address = Some(format!("10.0.0.{}/24", number + 10));
    host.sockets = vec![80];
    if number == 1 {
        host.takes = vec!["10.0.0.100".to_owned()];
    }
    host
}

/// The calls of `log` that write on a host.
fn writes(log: &[String]) -> Vec<&str> {
    let reads = [
        "observe",
        "reach",
        "adverts",
        "validate",
        "history",
        "generation",
    ];
    let writes = log.iter().map(String::as_str);
    writes.filter(|verb| !reads.contains(verb)).collect()
}

fn request<'a>(
    agree: &'a (dyn Fn(&Proposal<'_>) -> Consent + Sync),
    events: &'a Events<'a, Event>,
) -> ApplyRequest<'a> {
    ApplyRequest {
        check_only: false,
        confirm: Confirmation::Auto,
        confirm_timeout: std::time::Duration::from_mins(2),
        plan_file: None,
        agree,
        events,
    }
}

fn result(report: &ApplyReport) -> &ApplyResult {
    &report.outcome.as_ref().unwrap().result
}

/// The live generation.
fn applied(report: &Result<ApplyReport, OpsError>) -> Option<u64> {
    match &report.as_ref().ok()?.outcome.as_ref()?.result {
        ApplyResult::Applied { generation } => Some(*generation),
        other => panic!("{other:?}"),
    }
}
