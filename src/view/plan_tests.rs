use std::time::Duration;

use insta::assert_snapshot;

use super::losses::losses_question;
use super::plan::{PlanDetail, notices_text, plan_text};
use super::samples::*;
use crate::agent::{Phase, UnitAction};
use crate::model::{NodeName, Socket, UnitId};
use crate::ops::Notice;
use crate::plan::{
    Cause, Change, FileAction, FileChange, Goal, Loss, LostService, NodePlan, Plan, RunningDrift,
    Strategy, SysctlChange,
};
use crate::units;

#[test]
fn nothing_to_change_is_one_line() {
    let plan = plan(vec![node("lb1"), node("lb2"), node("lb3")]);
    assert_snapshot!(plain(&plan_text(&plan, PlanDetail::Diffs)));
}

#[test]
fn a_change_of_one_upstream_is_shown_once() {
    assert_snapshot!(plain(&plan_text(&upstream_change(), PlanDetail::Diffs)));
}

#[test]
fn the_same_in_colour() {
    assert_snapshot!(coloured(&plan_text(&upstream_change(), PlanDetail::Diffs)));
}

#[test]
fn without_diffs() {
    assert_snapshot!(plain(&plan_text(&upstream_change(), PlanDetail::Nodes)));
}

#[test]
fn a_first_plan_shows_a_file_that_differs_a_little_by_its_differences() {
    assert_snapshot!(plain(&plan_text(&first_plan(), PlanDetail::Diffs)));
}

fn drifting() -> Plan {
    let lb1 = NodePlan {
        drift: vec![
            RunningDrift::Sysctl {
                key: "net.ipv4.tcp_fin_timeout".to_owned(),
                applied: "30".to_owned(),
                kernel: Some("60".to_owned()),
            },
            RunningDrift::Sysctl {
                key: "net.netfilter.nf_conntrack_max".to_owned(),
                applied: "262144".to_owned(),
                kernel: None,
            },
            RunningDrift::Loaded {
                unit: UnitId::NGINX,
                applied: stamp("lb1", 'a'),
                loaded: Some("0cf1aa33f305".to_owned()),
            },
            RunningDrift::Loaded {
                unit: UnitId::KEEPALIVED,
                applied: stamp("lb1", 'b'),
                loaded: None,
            },
        ],
        changes: [
            vec![Change::Sysctl(SysctlChange {
                key: "net.ipv4.tcp_fin_timeout".to_owned(),
                kernel: Some("60".to_owned()),
                wanted: "30".to_owned(),
                cause: Cause::Hand,
            })],
            changes(vec![], [UnitAction::Reload, UnitAction::None]),
        ]
        .concat(),
        ..node("lb1")
    };
    let lb2 = NodePlan {
        drift: vec![
            RunningDrift::Down {
                unit: "nginx.service".to_owned(),
                state: "failed".to_owned(),
            },
            RunningDrift::NotEnabled {
                unit: "nginx.service".to_owned(),
            },
            RunningDrift::DaemonReloadNeeded {
                unit: "keepalived.service".to_owned(),
            },
        ],
        changes: changes(
            vec![
                file("/etc/nginx/nginx.conf", Cause::Hand, "a\n# mine\n", "a\n"),
                FileChange {
                    action: FileAction::Permissions,
                    permissions: Some(("0666 root:root".to_owned(), "0644 root:root".to_owned())),
                    diff: String::new(),
                    ..file(
                        "/etc/keepalived/notify.sh",
                        Cause::InventoryAndHand,
                        "x",
                        "y",
                    )
                },
                file("/etc/nginx/old.conf", Cause::Inventory, "gone\n", ""),
            ],
            [UnitAction::Start, UnitAction::Reload],
        ),
        ..node("lb2")
    };
    plan(vec![lb1, lb2, node("lb3")])
}

#[test]
fn drift_and_changes_by_hand_are_named() {
    assert_snapshot!(plain(&plan_text(&drifting(), PlanDetail::Diffs)));
}

#[test]
fn what_a_daemon_refuses_is_told_in_its_own_words() {
    let mut plan = upstream_change();
    for (pid, node) in plan.nodes.iter_mut().enumerate() {
        let output = format!(
            "2026/11/22 17:00:50 [emerg] {pid}#{pid}: unknown directive \"bogus\" in \
             /etc/nginx/nginx.conf:88\nnginx: configuration file /etc/nginx/nginx.conf test failed\n"
        );
        node.tests[0] = test(UnitId::NGINX, 1, &output);
    }
    assert_snapshot!(plain(&plan_text(&plan, PlanDetail::Nodes)));
}

#[test]
fn a_restart_says_why_and_where_the_vip_goes() {
    let mut plan = upstream_change();
    for node in &mut plan.nodes {
        let why = "a reload cannot move port 80 between all addresses and one (NG003)";
        node.set_unit(UnitId::NGINX, UnitAction::Restart, why);
        node.set_unit(UnitId::KEEPALIVED, UnitAction::None, "");
    }
    assert_snapshot!(plain(&plan_text(&plan, PlanDetail::Nodes)));
    for node in &mut plan.nodes {
        let why = "a reload would make it exit, since its file has an error: SECURITY VIOLATION";
        node.set_unit(UnitId::KEEPALIVED, UnitAction::Restart, why);
    }
    let text = plain(&plan_text(&plan, PlanDetail::Summary)).replace("\n       ", " ");
    let words = "keepalived restarts (a reload would make it exit, since its file has an error: SECURITY VIOLATION)";
    assert!(text.contains(words), "{text}");
}

#[test]
fn all_at_once_says_why_and_how_long_nobody_has_the_vip() {
    let at_once = |without_owner, nginx| {
        let mut plan = Plan {
            strategy: Strategy::AtOnce {
                reason: "VI_1 changes from unicast to multicast".to_owned(),
                without_owner,
            },
            ..upstream_change()
        };
        for node in &mut plan.nodes {
            node.set_unit(UnitId::NGINX, nginx, "a limit of its unit changes");
        }
        plain(&plan_text(&plan, PlanDetail::Summary))
    };
    let text = [
        at_once(Some(Duration::from_millis(160)), UnitAction::Reload),
        at_once(Some(Duration::ZERO), UnitAction::Reload),
        at_once(None, UnitAction::Restart),
    ];
    assert_snapshot!(text.join("=====\n"));
}

#[test]
fn where_every_vip_goes_is_said() {
    let (vip, other) = ("10.0.0.100", "10.0.0.150");
    let next = |plan: &mut Plan, name: Option<&str>| {
        plan.preferred.clear();
        let name = name.map(|name| NodeName::new(name).unwrap());
        plan.preferred
            .extend(name.map(|name| (vip.parse().unwrap(), name)));
    };
    let said = |change: &dyn Fn(&mut Plan)| {
        let mut plan = upstream_change();
        for node in &mut plan.nodes {
            node.set_unit(UnitId::KEEPALIVED, UnitAction::Reload, "its files change");
        }
        change(&mut plan);
        plain(&plan_text(&plan, PlanDetail::Nodes))
    };
    let at_once = |time: u64| Strategy::AtOnce {
        reason: "the advert interval of VI_1 changes".to_owned(),
        without_owner: Some(Duration::from_millis(time)),
    };
    let owner = |plan: &Plan| {
        plan.nodes
            .iter()
            .position(|node| !node.holds.is_empty())
            .unwrap()
    };
    let texts = [
        said(&|plan| next(plan, Some("lb3"))),
        said(&|plan| {
            next(plan, Some("lb3"));
            plan.strategy = at_once(0);
        }),
        said(&|plan| {
            next(plan, Some("lb3"));
            plan.strategy = at_once(160);
        }),
        // The next owner is unknown. Two nodes own the VIP. One VIP is lost while nginx restarts.
        said(&|plan| next(plan, None)),
        said(&|plan| {
            plan.nodes
                .iter_mut()
                .for_each(|node| node.holds = vec![vip.parse().unwrap()]);
        }),
        said(&|plan| {
            let at = owner(plan);
            let node = &mut plan.nodes[at];
            node.holds.push(other.parse().unwrap());
            node.set_unit(
                UnitId::NGINX,
                UnitAction::Restart,
                "a limit of its unit changes",
            );
            plan.losses = vec![Loss {
                node: node.node.clone(),
                name: other.to_owned(),
                service: LostService::Vip {
                    instance: "VI_2".to_owned(),
                    address: other.parse().unwrap(),
                },
            }];
        }),
    ];
    assert_snapshot!(texts.join("=====\n"));
}

#[test]
fn what_leaves_nodes_beside_others_is_said() {
    let mut plan = upstream_change();
    plan.nodes[1].displaces = vec!["10.0.0.50".parse().unwrap()];
    assert_snapshot!(plain(&plan_text(&plan, PlanDetail::Summary)));
}

#[test]
fn a_rollback_to_a_generation_and_to_the_time_before_hactl() {
    let back = Plan {
        goal: Goal::Rollback { to: 2 },
        ..upstream_change()
    };
    let mut original = Plan {
        goal: Goal::Rollback { to: 0 },
        generation: 0,
        ..upstream_change()
    };
    for node in &mut original.nodes {
        node.ids = None;
        node.tests = Vec::new();
        node.changes.insert(0, Change::RemovePackages);
        for unit in units::ids() {
            node.set_unit(unit, UnitAction::Stop, "it did not run before hactl");
        }
    }
    let text = format!(
        "{}\n=====\n\n{}",
        plan_text(&back, PlanDetail::Nodes),
        plan_text(&original, PlanDetail::Nodes)
    );
    assert_snapshot!(plain(&text));
}

#[test]
fn notices_come_first() {
    let notices = [
        Notice::Unfinished {
            node: name("lb1"),
            tx: "20261122T165000Z-1-00000000".to_owned(),
            phase: Phase::Activated,
            deadline: Some(deadline()),
        },
        Notice::Unfinished {
            node: name("lb3"),
            tx: "20261122T165000Z-1-00000000".to_owned(),
            phase: Phase::Undoing,
            deadline: Some(deadline()),
        },
        Notice::Undone {
            node: name("lb2"),
            tx: "20261122T165000Z-1-00000000".to_owned(),
            why: "nobody confirmed it in time".to_owned(),
            at: "2026-11-22T16:52:00Z".to_owned(),
        },
        Notice::Drilling {
            node: name("lb2"),
            name: "link-down".to_owned(),
            since: "2026-11-22T16:50:00Z".to_owned(),
            seconds_left: 12,
        },
        Notice::Drilling {
            node: name("lb3"),
            name: "nginx-stop".to_owned(),
            since: "2026-11-22T16:50:00Z".to_owned(),
            seconds_left: 0,
        },
        Notice::Locked {
            node: name("lb3"),
            lock: lock("4711"),
        },
    ];
    assert_snapshot!(plain(&notices_text(&notices)));
}

#[test]
fn how_an_interrupted_change_ended_is_told() {
    let (tx, at) = (
        || "20261122T165000Z-1-00000000".to_owned(),
        || "2026-11-22T16:52:00Z".to_owned(),
    );
    let each = |node: &str| {
        vec![
            Notice::Waiting {
                node: name(node),
                tx: tx(),
                by: "anna@desk".to_owned(),
                deadline: Some(deadline()),
            },
            Notice::Undone {
                node: name(node),
                tx: tx(),
                why: "the host was restarted while it was being made".to_owned(),
                at: at(),
            },
            Notice::Completed {
                node: name(node),
                tx: tx(),
                at: at(),
            },
            Notice::Cancelled {
                node: name(node),
                tx: tx(),
                why: "cancelled by bob@sofa".to_owned(),
                at: at(),
            },
            Notice::Incomplete {
                node: name(node),
                tx: tx(),
                why: "1 steps of the undo failed".to_owned(),
            },
        ]
    };
    let all = [each("lb1"), each("lb2")].concat();
    assert_snapshot!(plain(&notices_text(&all)));
}

/// Every kind of loss, on one node and on several.
fn losing() -> Plan {
    let loss = |node: &str, what: &str, service| Loss {
        node: name(node),
        name: what.to_owned(),
        service,
    };
    let vip = |node| {
        let service = LostService::Vip {
            instance: "VI_50".to_owned(),
            address: "10.0.0.50".parse().unwrap(),
        };
        loss(node, "10.0.0.50", service)
    };
    let socket = |text: &str| Socket::local("tcp", text).unwrap()[0];
    let listener = |node, names: &[&str]| {
        let service = LostService::Listener {
            socket: socket("0.0.0.0:8088"),
            server_names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        loss(node, ":8088", service)
    };
    let long = "a-site-with-a-rather-long-name.department.example.com";
    let site = LostService::Site {
        socket: socket("0.0.0.0:443"),
        server_name: long.to_owned(),
    };
    let names = [
        "shop.example.com",
        "www.shop.example.com",
        "old.shop.example.com",
    ];
    let ipvs = LostService::VirtualServer {
        virtual_server: "10.0.0.51:53".to_owned(),
    };
    let instance = LostService::Instance {
        instance: "VI_NAT".to_owned(),
    };
    Plan {
        losses: vec![
            vip("lb2"),
            vip("lb1"),
            vip("lb3"),
            listener("lb1", &names),
            listener("lb2", &names),
            loss("lb1", &format!("{long}:443"), site),
            loss("lb3", "ipvs:10.0.0.51:53", ipvs),
            loss("lb3", "VI_NAT", instance),
        ],
        ..upstream_change()
    }
}

#[test]
fn what_stops_being_served_is_in_the_summary() {
    assert_snapshot!(plain(&plan_text(&losing(), PlanDetail::Nodes)));
}

#[test]
fn what_stops_being_served_is_asked_for_by_name() {
    assert_snapshot!(plain(losses_question(&losing().losses).trim_end()));
}
