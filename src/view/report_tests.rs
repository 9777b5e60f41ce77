use std::time::Duration;

use insta::{assert_json_snapshot, assert_snapshot};

use super::check::check_text;
use super::error_report::ErrorReport;
use super::history::history_text;
use super::lab::{lab_text, lab_up_text};
use super::lab_progress::event_line;
use super::samples::*;
use super::status::{refusals_text, status_text};
use super::ui::{Format, Ui};
use crate::agent::{AgentError, BackendState, Viewpoint};
use crate::check::{self, Finding};
use crate::health::Problem;
use crate::inventory;
use crate::lab::{
    BackendStatus, ImageLayer, LabEvent, LabSpec, LabStatus, NodeState, NodeStatus as LabNode,
    Release,
};
use crate::model::{ClusterName, UnitId};
use crate::ops::{
    CheckReport, HistoryEntry, HistoryReport, NodeHistory, NodeStatus, Notice, OpsError,
};
use crate::plan::RunningDrift;
use crate::remote::SudoRefusal;

fn backend(up: bool) -> BackendState {
    BackendState {
        host: "192.168.1.10".to_owned(),
        port: 8080,
        up,
        cause: (!up).then_some(crate::agent::NoConnection::Refused),
    }
}

#[test]
fn a_healthy_cluster() {
    let lb = |which, state| NodeStatus {
        backends: vec![backend(true)],
        ..node_status(which, state)
    };
    let report = status(vec![lb("lb1", "MASTER"), lb("lb2", "BACKUP")]);
    assert!(report.is_healthy());
    assert_snapshot!(plain(&status_text(&report)));
}

#[test]
fn an_overloaded_node_serves_and_is_named() {
    let lb1 = NodeStatus {
        overloaded: true,
        ..node_status("lb1", "MASTER")
    };
    let report = status(vec![lb1, node_status("lb2", "BACKUP")]);
    assert!(report.is_healthy());
    assert!(plain(&status_text(&report)).contains("lb1: nginx is overloaded"));
}

#[test]
fn a_cluster_with_a_node_down() {
    let mut report = status(vec![
        node_status("lb1", "MASTER"),
        node_status("lb3", "BACKUP"),
    ]);
    report.unreachable.push(crate::ops::Unreachable {
        node: name("lb2"),
        why: "lb2: cannot reach 10.0.0.13 by ssh: connect to host 10.0.0.13 port 22: No route to host".to_owned(),
        help: String::new(),
    });
    assert!(!report.is_healthy());
    assert_snapshot!(plain(&status_text(&report)));
}

#[test]
fn what_an_apply_would_be_refused_for_stands_below_the_table() {
    let missing = |hears| {
        let mut report = status(vec![node_status("lb1", "MASTER")]);
        report.missing.push(crate::ops::Missing {
            member: crate::ops::Member {
                name: Some("lb3".to_owned()),
                address: "10.0.0.13".parse().unwrap(),
            },
            answers: true,
            holds: Vec::new(),
            hears,
        });
        report
    };
    let mut refused = status(vec![node_status("lb1", "MASTER")]);
    refused.refusal = Some(crate::ops::Refusal {
        message: "lb1: /etc/keepalived/keepalived.conf does not include /etc/keepalived/conf.d/hactl.conf".to_owned(),
        help: Some("add the line".to_owned()),
    });
    let reports = [missing(false), missing(true), refused];
    let text = |report: &crate::ops::StatusReport| {
        assert!(!report.is_healthy());
        plain(&(status_text(report) + &refusals_text(report)))
    };
    assert_snapshot!(reports.iter().map(text).collect::<Vec<_>>().join("=====\n"));
}

#[test]
fn a_cluster_with_a_name_that_no_longer_resolves() {
    let lb = |which, state| NodeStatus {
        unresolved: vec!["app.internal".to_owned()],
        ..node_status(which, state)
    };
    let mut report = status(vec![lb("lb1", "MASTER"), lb("lb2", "BACKUP")]);
    let rules = crate::check::rules();
    let rule = rules.into_iter().find(|rule| rule.id == "NG017").unwrap();
    let path = crate::model::InventoryPath::root().key("upstreams");
    let message = "lb1, lb2 cannot resolve app.internal: a running nginx keeps the addresses it has, but its \
                   next reload or start fails";
    report.findings.push(Finding::new(rule, path, message));
    assert!(!report.is_healthy());
    assert_snapshot!(plain(&status_text(&report)));
}

#[test]
fn a_cluster_in_trouble() {
    let lb1 = NodeStatus {
        units: [
            (UnitId::NGINX, unit_status("failed")),
            (UnitId::KEEPALIVED, unit_status("active")),
        ]
        .into(),
        backends: vec![backend(false), backend(true)],
        drift: vec![RunningDrift::Sysctl {
            key: "net.ipv4.tcp_fin_timeout".to_owned(),
            applied: "30".to_owned(),
            kernel: Some("60".to_owned()),
        }],
        changed_by_hand: vec!["/etc/nginx/nginx.conf".to_owned()],
        ..node_status("lb1", "FAULT")
    };
    let lb2 = NodeStatus {
        vrrp: vec![vrrp("VI_1", "MASTER", 252), vrrp("VI_2", "BACKUP", 100)],
        pending: vec!["/etc/nginx/nginx.conf".to_owned()],
        ..node_status("lb2", "MASTER")
    };
    let lb3 = NodeStatus {
        vrrp: Vec::new(),
        units: [
            (UnitId::NGINX, unit_status("active")),
            (UnitId::KEEPALIVED, unit_status("")),
        ]
        .into(),
        generation: None,
        ..node_status("lb3", "MASTER")
    };
    let mut report = status(vec![lb1, lb2, lb3]);
    report.notices.push(Notice::Undone {
        node: name("lb2"),
        tx: "20261122T165000Z-1-00000000".to_owned(),
        why: "nobody confirmed it in time".to_owned(),
        at: "2026-11-22T16:52:00Z".to_owned(),
    });
    let rules = crate::check::rules();
    let rule = rules.into_iter().find(|rule| rule.id == "NG018").unwrap();
    let path = crate::model::InventoryPath::root().key("upstreams");
    let message = "lb1 cannot connect to 192.168.1.10:8080: connection refused";
    report.findings.push(Finding::new(rule, path, message));
    assert!(!report.is_healthy());
    assert_snapshot!(plain(&status_text(&report)));
}

#[test]
fn a_status_tells_who_does_not_reach_the_vip() {
    let vip = "10.0.0.100".parse().unwrap();
    let lb = |which| NodeStatus {
        vrrp: Vec::new(),
        ..node_status(which, "BACKUP")
    };
    let mut report = status(vec![node_status("lb1", "MASTER"), lb("lb2"), lb("lb3")]);
    let wrong = |from| Problem::WrongHardware {
        from,
        vip,
        learned: "02:00:00:00:00:02".to_owned(),
        learned_is: Some(name("lb2")),
        owner: name("lb1"),
    };
    let lost = |from, port| Problem::NotReached {
        from,
        vip,
        port,
        owner: name("lb1"),
    };
    report.problems = vec![
        wrong(Viewpoint::Node(name("lb3"))),
        lost(Viewpoint::Node(name("lb2")), 80),
        wrong(Viewpoint::Client),
    ];
    report.from_here = vec![lost(Viewpoint::Client, 443)];
    assert_snapshot!(plain(&status_text(&report)));
}

fn entry(generation: u64, live: bool) -> HistoryEntry {
    let node = |which| NodeHistory {
        node: name(which),
        live,
        ids: std::collections::BTreeMap::new(),
        files: 9,
    };
    HistoryEntry {
        generation,
        at: "2026-11-22T16:50:00Z".to_owned(),
        by: "anna@desk".to_owned(),
        commit: "0cf1aa33f305".to_owned(),
        restores: None,
        nodes: vec![node("lb1"), node("lb2"), node("lb3")],
    }
}

#[test]
fn generations_newest_first() {
    let original = HistoryEntry {
        by: String::new(),
        commit: String::new(),
        ..entry(0, false)
    };
    let rollback = HistoryEntry {
        restores: Some(1),
        ..entry(3, true)
    };
    let report = HistoryReport {
        cluster: ClusterName::new("web").unwrap(),
        entries: vec![rollback, entry(2, false), entry(1, false), original],
    };
    assert_snapshot!(plain(&history_text(&report)));
    let empty = HistoryReport {
        entries: Vec::new(),
        ..report
    };
    assert_snapshot!("no_generations", plain(&history_text(&empty)));
}

const GUIDE: &str = "cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0, priority: 100 }
  - { name: lb2, address: 10.0.0.12, interface: eth0, priority: 90 }
  - { name: lb3, address: 10.0.0.13, interface: eth0, priority: 80 }
vips:
  - { address: 10.0.0.100/24 }
vrrp: { on_nginx_failure: { weight: -20 } }
upstreams:
  backend: { servers: [192.168.1.10:8080, 192.168.1.11:8080] }
sites:
  - { listen: [80], proxy: backend }
";

fn checked(text: &str) -> CheckReport {
    let inventory = inventory::load("hactl.yml", text).unwrap();
    CheckReport {
        findings: check::run(&inventory.cluster),
        expected: crate::ops::Expected {
            keepalived: crate::model::Version::new(2, 2, 7),
            predictions: check::predictions(
                &inventory.cluster,
                crate::model::Version::new(2, 2, 7),
            ),
            before: None,
        },
        leaves_profile_open: !text.contains("failover:"),
        inventory,
    }
}

#[test]
fn findings_point_into_the_inventory() {
    let report = checked(GUIDE);
    assert_snapshot!(plain(&check_text(&report, true)));
    assert_snapshot!("findings_in_ascii", plain(&check_text(&report, false)));
}

/// The error as JSON.
fn failed(complaint: &ErrorReport) -> serde_json::Value {
    let ui = Ui::captured(Format::Json);
    ui.fail("plan", complaint, 3);
    let printed = ui.what_was_captured();
    let (_, fields) = printed.split_once("\n{\n").unwrap();
    let document: serde_json::Value = serde_json::from_str(&format!("{{{fields}")).unwrap();
    document["error"].clone()
}

#[test]
fn verbs_that_insist_show_the_errors_only() {
    let report = checked(GUIDE);
    let error = OpsError::Findings {
        findings: report.findings,
        inventory: Box::new(report.inventory.source),
    };
    let complaint = ErrorReport::of_ops(&error);
    assert_snapshot!(plain(&complaint.text(true)));
    assert_json_snapshot!(failed(&complaint));
}

#[test]
fn mistakes_point_into_the_inventory() {
    let text = GUIDE.replace("name: lb3, address", "name: lb1, adress");
    let errors = inventory::load("hactl.yml", &text).unwrap_err();
    let complaint = ErrorReport::of_ops(&OpsError::Inventory(Box::new(errors)));
    assert_snapshot!(plain(&complaint.text(true)));
    assert_json_snapshot!("mistakes_as_json", failed(&complaint));
}

#[test]
fn hosts_are_named_once_and_equal_advice_too() {
    let not_root = AgentError::NotRoot {
        node: name("lb3"),
        refusal: SudoRefusal::PasswordNeeded,
        detail: "sudo asks for a password".to_owned(),
    };
    let one = OpsError::Hosts {
        errors: vec![unreachable("lb2")],
    };
    let three = OpsError::Hosts {
        errors: vec![unreachable("lb1"), unreachable("lb2"), not_root],
    };
    let stale = OpsError::Hosts {
        errors: vec![stale("lb1"), stale("lb2")],
    };
    let texts = [one, three, stale].map(|error| plain(&ErrorReport::of_ops(&error).text(true)));
    assert_snapshot!(texts.join("\n"));
}

fn lab(name: &str) -> LabStatus {
    let node = |which: &str, state| LabNode {
        name: which.to_owned(),
        address: "10.0.0.11".parse().unwrap(),
        state,
        uptime: Some(Duration::from_secs(75)),
        leader: None,
        addresses: Vec::new(),
        root: "/".into(),
    };
    LabStatus {
        spec: LabSpec::new(name),
        complete: true,
        created: jiff::Timestamp::UNIX_EPOCH,
        dir: "/var/lib/hactl-lab".into(),
        inventory: format!("/var/lib/hactl-lab/{name}/inventory.yml").into(),
        ssh_config: "ssh_config".into(),
        nodes: vec![
            node("lb1", NodeState::On),
            node("lb2", NodeState::Cut),
            node("lb3", NodeState::Off),
        ],
        backends: vec![BackendStatus {
            name: "b1".to_owned(),
            address: "192.168.1.10:8080".parse().unwrap(),
            running: true,
            requests: 1,
        }],
        vip_holders: vec!["lb1".to_owned()],
    }
}

#[test]
fn labs() {
    let texts = [
        lab_up_text(&lab("demo")),
        lab_up_text(&lab("mine")),
        lab_text(&lab("demo")),
    ];
    assert_snapshot!(plain(&texts.join("\n")));
}

#[test]
fn a_lab_coming_up() {
    let events = [
        LabEvent::PrerequisitesMissing {
            packages: vec!["debootstrap", "systemd-container"],
        },
        LabEvent::PrerequisitesInstalled {
            packages: Vec::new(),
            took: Duration::from_secs(12),
        },
        LabEvent::ImageBuilding {
            layer: ImageLayer::Base,
            release: Release::Debian12,
            folder: "/var/cache/hactl/lab/base-0123456789ab".into(),
            usually: Duration::from_secs(70),
        },
        LabEvent::ImageBuilt {
            layer: ImageLayer::Base,
            took: Duration::from_secs(64),
        },
        LabEvent::LeftoverRemoved {
            name: "demo".to_owned(),
        },
        LabEvent::NodeReady {
            node: "lb1".to_owned(),
            nodes: 3,
            took: Duration::from_millis(519),
        },
    ];
    let lines: Vec<String> = events.iter().filter_map(event_line).collect();
    assert_snapshot!(plain(&lines.concat()));
}
