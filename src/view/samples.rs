//! Hand-made plans, outcomes and reports for the snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use similar::TextDiff;

use super::show::Show;
use super::ui::{Format, Ui};
use crate::agent::{
    AgentError, Deadline, FailureCode, LockInfo, Manifest, Service, TestResult, Tree, UnitAction,
    VrrpState,
};
use crate::apply::{ApplyOutcome, ApplyResult, Event, Failure, FailureCause, Step};
use crate::health::VipOwners;
use crate::model::{ClusterName, FileRole, HostPath, NodeName, UnitId};
use crate::ops::{ApplyReport, Events, NodeStatus, Recovery, Stamped, StatusReport, UnitStatus};
use crate::plan::{
    Cause, Change, FileAction, FileChange, Goal, NodePlan, Plan, Proof, Strategy, SysctlChange,
    UnitChange,
};
use crate::remote::RemoteError;
use crate::render::{ConfigId, ConfigIds};
use crate::units;

/// `text` without colours. Asserts that every line fits, except in diffs and quotes.
pub(super) fn plain(text: &str) -> String {
    let text = unbroken(text);
    for line in text.lines() {
        let is_quoted = line.starts_with("    ") || line.contains('│');
        assert!(
            is_quoted || line.chars().count() <= 80,
            "wider than 80 columns: {line}"
        );
    }
    text
}

/// The same, without a limit on the width.
pub(super) fn unbroken(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    for line in text.lines() {
        assert_eq!(line, line.trim_end(), "spaces at the end: {line:?}");
    }
    text
}

/// `text` with visible colour codes.
pub(super) fn coloured(text: &str) -> String {
    text.replace('\u{1b}', "^")
}

pub(super) fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// A stamp that differs by daemon and node.
pub(super) fn stamp(node: &str, program: char) -> String {
    format!("{program}0000000000{}", node.trim_start_matches("lb"))
}

pub(super) fn node(node: &str) -> NodePlan {
    let id = |program| ConfigId::new(&stamp(node, program)).unwrap();
    NodePlan {
        node: name(node),
        generation: Some(3),
        place: None,
        ids: Some(ConfigIds::from_iter([
            (UnitId::NGINX, id('a')),
            (UnitId::KEEPALIVED, id('b')),
        ])),
        holds: Vec::new(),
        changes: Vec::new(),
        displaces: Vec::new(),
        drift: Vec::new(),
        tests: Vec::new(),
        expected: [].into(),
        tree: Tree {
            manifest: Manifest::default(),
            files: Vec::new(),
        },
    }
}

pub(super) fn plan(nodes: Vec<NodePlan>) -> Plan {
    Plan {
        cluster: ClusterName::new("web").unwrap(),
        goal: Goal::Apply,
        generation: 4,
        strategy: Strategy::Rolling,
        proof: Proof::AllListeners,
        losses: Vec::new(),
        preferred: BTreeMap::from([("10.0.0.100".parse().unwrap(), NodeName::new("lb1").unwrap())]),
        nodes,
    }
}

pub(super) fn file(path: &str, cause: Cause, before: &str, after: &str) -> FileChange {
    let action = match (before, after) {
        ("", _) => FileAction::Create,
        (_, "") => FileAction::Delete,
        _ => FileAction::Modify,
    };
    FileChange {
        path: HostPath::new(path).unwrap(),
        role: FileRole::Other,
        action,
        cause,
        diff: TextDiff::from_lines(before, after)
            .unified_diff()
            .to_string(),
        permissions: None,
    }
}

/// Changes of files, and the actions on nginx and keepalived that they need.
pub(super) fn changes(files: Vec<FileChange>, actions: [UnitAction; 2]) -> Vec<Change> {
    let unit = |(unit, action)| UnitChange {
        unit,
        action,
        reason: "its files change".to_owned(),
    };
    let units = units::ids().zip(actions);
    let units = units.filter(|(_, action)| *action != UnitAction::None);
    let units = units.map(unit).map(Change::Unit);
    files.into_iter().map(Change::File).chain(units).collect()
}

/// Adds a server to an upstream, which changes both stamps.
pub(super) fn upstream_change() -> Plan {
    let nodes = ["lb2", "lb3", "lb1"].map(|which| {
        let upstream = |servers: &str, stamp: &str| {
            format!("upstream backend {{\n{servers}}}\n\n\n\n\n\n\n\nreturn 200 \"{stamp}\\n\";\n")
        };
        let one = "    server 192.168.1.10:8080;\n";
        let two = format!("{one}    server 192.168.1.11:8080;\n");
        NodePlan {
            holds: if which == "lb1" {
                vec!["10.0.0.100".parse().unwrap()]
            } else {
                Vec::new()
            },
            changes: changes(
                vec![
                    file(
                        "/etc/nginx/nginx.conf",
                        Cause::Inventory,
                        &upstream(one, "0cf1aa33f305"),
                        &upstream(&two, &stamp(which, 'a')),
                    ),
                    file(
                        "/etc/keepalived/keepalived.conf",
                        Cause::Inventory,
                        &format!("router_id {which}\nsmtp_helo_name hactl-0cf1aa33f305\n"),
                        &format!(
                            "router_id {which}\nsmtp_helo_name hactl-{}\n",
                            stamp(which, 'b')
                        ),
                    ),
                ],
                [UnitAction::Reload; 2],
            ),
            tests: vec![test(UnitId::NGINX, 0, ""), test(UnitId::KEEPALIVED, 0, "")],
            ..node(which)
        }
    });
    plan(nodes.into())
}

/// The plan for three hosts that hactl has never touched.
pub(super) fn first_plan() -> Plan {
    let nodes = [("lb1", 254), ("lb2", 252), ("lb3", 250)].map(|(which, priority)| {
        let keepalived = format!(
            "global_defs {{\n    router_id {which}\n    smtp_helo_name hactl-{}\n}}\n\n\
             vrrp_instance VI_1 {{\n    priority {priority}\n}}\n",
            stamp(which, 'b')
        );
        NodePlan {
            generation: None,
            changes: [
                ["nginx", "keepalived"]
                    .map(|name| Change::Install(name.to_owned()))
                    .into(),
                changes(
                    vec![
                        file(
                            "/etc/keepalived/keepalived.conf",
                            Cause::New,
                            "",
                            &keepalived,
                        ),
                        file(
                            "/etc/nginx/nginx.conf",
                            Cause::New,
                            "user nobody;\n",
                            "user www-data;\n",
                        ),
                        file(
                            "/etc/sysctl.d/90-hactl.conf",
                            Cause::New,
                            "",
                            "net.core.somaxconn = 65535\n",
                        ),
                    ],
                    [UnitAction::Start; 2],
                ),
                vec![Change::Sysctl(SysctlChange {
                    key: "net.core.somaxconn".to_owned(),
                    kernel: Some("4096".to_owned()),
                    wanted: "65535".to_owned(),
                    cause: Cause::New,
                })],
            ]
            .concat(),
            tests: vec![test(UnitId::NGINX, 0, ""), test(UnitId::KEEPALIVED, 0, "")],
            ..node(which)
        }
    });
    Plan {
        generation: 1,
        ..plan(nodes.into())
    }
}

pub(super) fn test(unit: UnitId, code: i32, output: &str) -> TestResult {
    TestResult {
        unit,
        version: None,
        code,
        output: output.to_owned(),
    }
}

pub(super) fn unreachable(node: &str) -> AgentError {
    let host = format!("10.0.0.1{}", node.trim_start_matches("lb"));
    AgentError::Remote(RemoteError::Unreachable {
        node: name(node),
        detail: format!("connect to host {host} port 22: Connection refused"),
        host,
    })
}

/// nginx fails to reload because the port is taken.
pub(super) fn stale(node: &str) -> AgentError {
    AgentError::Failed {
        node: name(node),
        code: FailureCode::Stale,
        message: "nginx was told to load the new configuration and still serves the old one"
            .to_owned(),
        detail: "2026/11/22 17:00:57 [emerg] 4014#4014: bind() to 0.0.0.0:9000 failed (98: \
                 Address already in use)\n"
            .to_owned(),
    }
}

pub(super) fn failure(step: Step, errors: Vec<FailureCause>) -> Failure {
    Failure { step, errors }
}

/// `events` stamped as in one run.
pub(super) fn stamped(events: &[Event]) -> Vec<Stamped<Event>> {
    let told = Events::new(&|_| ());
    for event in events {
        told.tell(event.clone());
    }
    told.all()
}

/// The JSON document that `verb` prints.
pub(super) fn document(verb: &'static str, exit_code: u8, report: &impl Show) -> serde_json::Value {
    let ui = Ui::captured(Format::Json);
    ui.show(verb, exit_code, report);
    serde_json::from_str(&ui.what_was_captured()).unwrap()
}

pub(super) fn report(plan: Plan, result: ApplyResult) -> ApplyReport {
    ApplyReport {
        plan,
        recovery: Recovery::default(),
        is_recovered: false,
        notices: Vec::new(),
        problems: Vec::new(),
        findings: Vec::new(),
        behind: Vec::new(),
        events: stamped(&[Event::OwnersSeen {
            owners: vec![("10.0.0.100".parse().unwrap(), name("lb1"))],
        }]),
        outcome: Some(ApplyOutcome {
            result,
            tx: Some("20261122T165000Z-1-00000000".to_owned()),
            elapsed: Duration::from_millis(6234),
        }),
    }
}

pub(super) fn deadline() -> Deadline {
    Deadline {
        seconds_left: 580,
        local: "19:42:10".to_owned(),
    }
}

/// A lock. Without a pid, it is that of a change pending confirmation.
pub(super) fn lock(pid: &str) -> LockInfo {
    LockInfo {
        tx: "20261122T165000Z-1-00000000".to_owned(),
        holder: "anna@desk".to_owned(),
        pid: pid.to_owned(),
        since: "2026-11-22T16:50:00Z".to_owned(),
        deadline: Some(deadline()),
        ..LockInfo::default()
    }
}

/// A service in this state. Empty means that systemd has no such unit.
pub(super) fn unit_status(active: &str) -> UnitStatus {
    let load = if active.is_empty() { "" } else { "loaded" };
    UnitStatus {
        service: Service {
            active: active.to_owned(),
            load: load.to_owned(),
            ..Service::default()
        },
        applied: None,
        loaded: None,
    }
}

pub(super) fn vrrp(instance: &str, state: &str, priority: u8) -> VrrpState {
    VrrpState {
        instance: instance.to_owned(),
        state: state.into(),
        base_priority: priority,
        effective_priority: priority,
        ..VrrpState::default()
    }
}

pub(super) fn node_status(which: &str, state: &str) -> NodeStatus {
    let vip = "10.0.0.100".parse().unwrap();
    NodeStatus {
        node: name(which),
        holds: if state == "MASTER" {
            vec![vip]
        } else {
            Vec::new()
        },
        vrrp: vec![vrrp("VI_1", state, 252)],
        units: units::ids()
            .map(|unit| (unit, unit_status("active")))
            .collect(),
        generation: Some(3),
        backends: Vec::new(),
        unresolved: Vec::new(),
        overloaded: false,
        drift: Vec::new(),
        changed_by_hand: Vec::new(),
        pending: Vec::new(),
    }
}

pub(super) fn status(nodes: Vec<NodeStatus>) -> StatusReport {
    let owners = nodes.iter().filter(|node| !node.holds.is_empty());
    StatusReport {
        cluster: ClusterName::new("web").unwrap(),
        vips: vec![VipOwners {
            address: "10.0.0.100".parse().unwrap(),
            owners: owners.map(|node| node.node.clone()).collect(),
        }],
        nodes,
        problems: Vec::new(),
        from_here: Vec::new(),
        notices: Vec::new(),
        findings: Vec::new(),
        order: ["lb1", "lb2", "lb3"].map(name).into(),
        unreachable: Vec::new(),
        missing: Vec::new(),
        refusal: None,
    }
}
