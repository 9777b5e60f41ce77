//! Plans by table and by property, over all combinations of observed, recorded and desired state. This file has what
//! both need: hosts, desired states, and a model of carrying out a plan.

mod behind;
mod beside;
mod losses;
mod preferred;
mod properties;
mod reloads;
mod tables;

use std::net::IpAddr;

use super::{
    Change, Desired, Goal, NodePlan, Plan, PlanError, Redactor, Request, UnitChange, build,
};
use crate::agent::{
    Entry, Fact, Facts, LiveFile, Manifest, Observation, Program, ServiceRecord, Tree, TreeFile,
    UnitAction, sha256_hex,
};
use crate::model::{ClusterName, FileRole, HostPath, NodeName, OsRelease, UnitId, Version};
use crate::render::{ConfigId, ConfigIds};
use crate::units;

const NGINX: &str = "/etc/nginx/nginx.conf";
const KEEPALIVED: &str = "/etc/keepalived/keepalived.conf";
const VIP: &str = "10.0.0.100";
const CONF: &str = "vrrp_instance web {\n    virtual_router_id 51\n    virtual_ipaddress {\n        10.0.0.100/24\n    }\n}\n";

fn path(text: &str) -> HostPath {
    HostPath::new(text).unwrap()
}

fn ids(text: &str) -> ConfigIds {
    let id = ConfigId::new(text).unwrap();
    units::ids().map(|unit| (unit, id.clone())).collect()
}

const OLD: &str = "aaaaaaaaaaaa";
const NEW: &str = "bbbbbbbbbbbb";

fn tree_file(role: FileRole, at: &str, content: &str) -> TreeFile {
    TreeFile {
        role,
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        path: path(at),
        content: content.as_bytes().to_vec(),
    }
}

fn live(content: &str) -> LiveFile {
    LiveFile::File {
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        content: content.as_bytes().to_vec(),
    }
}

/// A desired state of both daemons' files and `more`, with the identity `id`.
fn desired(id: &str, more: Vec<TreeFile>) -> Desired {
    let mut files = vec![
        tree_file(
            FileRole::NginxConf,
            NGINX,
            "http { server { listen 80; } }\n",
        ),
        tree_file(FileRole::KeepalivedConf, KEEPALIVED, CONF),
    ];
    files.extend(more);
    let mut facts = Facts::default();
    units::ids().for_each(|unit| facts.set_id(unit, id));
    Desired {
        node: NodeName::new("lb1").unwrap(),
        ids: Some(ids(id)),
        tree: Tree {
            manifest: Manifest {
                facts,
                sysctls: vec![("net.core.somaxconn".to_owned(), "65535".to_owned())],
                ..Manifest::default()
            },
            files,
        },
        services: vec![],
        is_original: false,
    }
}

/// A bare host: nothing installed, nothing there.
fn bare() -> Observation {
    Observation {
        hostname: "lb1".to_owned(),
        kernel: "6.1".to_owned(),
        os: OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            id_like: String::new(),
        },
        sysctls: [("net.core.somaxconn".to_owned(), Some("4096".to_owned()))].into(),
        ..Observation::of(NodeName::new("lb1").unwrap())
    }
}

/// What a host records of its original state before the first change.
fn capture(original: &mut Manifest, wanted: &Manifest, seen: &Observation) {
    for entry in &wanted.entries {
        let path = entry.path().clone();
        if original.speaks_of(&path) {
            continue;
        }
        original.entries.push(match seen.files.get(&path) {
            Some(LiveFile::File {
                mode,
                owner,
                group,
                content,
            }) => Entry::File {
                role: FileRole::Other,
                mode: *mode,
                owner: owner.clone(),
                group: group.clone(),
                sha256: sha256_hex(content),
                path,
            },
            Some(LiveFile::Link(target)) => Entry::Link {
                target: target.clone(),
                path,
            },
            _ => Entry::Absent { path },
        });
    }
    for (key, _) in &wanted.sysctls {
        if !original.sysctls.iter().any(|(own, _)| own == key) {
            let value = seen.sysctls.get(key).cloned().flatten();
            original
                .sysctls
                .push((key.clone(), value.unwrap_or_default()));
        }
    }
    if original.services.is_empty() {
        let record = |unit: UnitId| ServiceRecord {
            unit: unit.service(),
            enabled: seen.service(unit).enabled,
            active: seen.service(unit).active,
        };
        original.services = units::ids().map(record).collect();
    }
}

/// A model of carrying out a node's plan. The tests of the host program hold apply's real work to it.
fn carry_out(plan: &Plan, node: &NodePlan, seen: &mut Observation) {
    let manifest = node.tree.full_manifest();
    let mut original = seen.original.take().unwrap_or_default();
    original.facts.set(Fact::Generation, "0");
    capture(&mut original, &manifest, seen);
    seen.original = Some(original);
    for file in &node.tree.files {
        let live = LiveFile::File {
            mode: file.mode,
            owner: file.owner.clone(),
            group: file.group.clone(),
            content: file.content.clone(),
        };
        seen.files.insert(file.path.clone(), live);
    }
    for entry in &node.tree.manifest.entries {
        let live = match entry {
            Entry::Absent { .. } | Entry::File { .. } => LiveFile::Absent,
            Entry::Link { target, .. } => LiveFile::Link(target.clone()),
        };
        seen.files.insert(entry.path().clone(), live);
    }
    for (key, value) in &manifest.sysctls {
        let value = Some(value.clone()).filter(|value| !value.is_empty() && value != "-");
        seen.sysctls.insert(key.clone(), value);
    }
    let version = Version::new(2, 2, 7);
    for (unit, action) in units::ids().map(|id| (id, node.unit(id))) {
        let service = seen.services.entry(unit.service()).or_default();
        let runs = match action {
            UnitAction::None => continue,
            UnitAction::Stop => false,
            UnitAction::Reload | UnitAction::Restart | UnitAction::Start => true,
        };
        if unit == UnitId::KEEPALIVED {
            seen.unwatched.clear();
        }
        service.active = if runs { "active" } else { "inactive" }.to_owned();
        service.enabled = if runs { "enabled" } else { "disabled" }.to_owned();
        service.needs_daemon_reload = false;
        seen.installed.insert(unit, Program::Installed { version });
        seen.loaded.remove(&unit);
        let ids = node.ids.as_ref().filter(|_| runs);
        let id = ids.and_then(|ids| ids.of(unit));
        seen.loaded.extend(id.map(|id| (unit, id.to_string())));
    }
    seen.recorded = (plan.generation != 0).then(|| {
        let mut recorded = manifest;
        let number = plan.generation.to_string();
        recorded.facts.set(Fact::Generation, number);
        recorded
    });
}

/// Why a service restarts. Empty if it does not.
fn restart_reason(node: &NodePlan, id: UnitId) -> String {
    let restart = |change: &&UnitChange| change.action == UnitAction::Restart;
    let change = node.unit_change(id).filter(restart);
    change.map_or_else(String::new, |change| change.reason.clone())
}

fn own_address(number: u8) -> (NodeName, IpAddr) {
    let name = NodeName::new(format!("lb{number}")).unwrap();
    (name, IpAddr::from([10, 0, 0, 10 + number]))
}

fn planned(goal: Goal, nodes: Vec<(Desired, Observation)>) -> Result<Plan, PlanError> {
    build(Request {
        cluster: ClusterName::new("web").unwrap(),
        goal,
        vips: vec![VIP.parse().unwrap()],
        addresses: (1..=3).map(own_address).collect(),
        left_out: Vec::new(),
        nodes,
        redactor: Redactor::new([7; 32]),
        take_over: None,
    })
}

fn plan_one(desired: &Desired, seen: &Observation) -> Plan {
    planned(Goal::Apply, vec![(desired.clone(), seen.clone())]).unwrap()
}

/// A host on which `desired` was applied.
fn after(desired: &Desired) -> Observation {
    let mut seen = bare();
    let plan = plan_one(desired, &seen);
    carry_out(&plan, &plan.nodes[0], &mut seen);
    seen
}

/// Generation 0, as a rollback reads it from the host.
fn original(seen: &Observation, before: &Observation) -> Desired {
    let manifest = seen.original.clone().unwrap();
    let contents = before.files.iter();
    let contents =
        contents.filter_map(|(path, live)| Some((path.clone(), live.content()?.to_vec())));
    Desired::from_generation(&seen.node, manifest, contents.collect()).unwrap()
}
