//! Three-way causes, drift, restarts, files that are no longer managed, order and generation 0.

use crate::model::{FileRole, UnitId};
use std::time::Duration;

use super::*;
use crate::agent::{Fact, Service};
use crate::plan::{Cause, FileAction, FileChange, Proof, RunningDrift, Strategy};
use crate::units;

/// The change at `at` on the only node.
fn change(plan: &Plan, at: &str) -> Option<FileChange> {
    let mut files = plan.nodes[0].files();
    files.find(|file| file.path == path(at)).cloned()
}

fn service<'a>(seen: &'a mut Observation, program: &str) -> &'a mut Service {
    seen.services
        .get_mut(&format!("{program}.service"))
        .unwrap()
}

#[test]
fn a_bare_host_gets_everything() {
    let plan = plan_one(&desired(NEW, vec![]), &bare());
    let node = &plan.nodes[0];
    assert_eq!(node.packages(), ["nginx", "keepalived"]);
    assert_eq!(
        units::ids().map(|id| node.unit(id)).collect::<Vec<_>>(),
        [UnitAction::Start, UnitAction::Start]
    );
    assert_eq!(
        node.sysctls().next().unwrap().kernel.as_deref(),
        Some("4096")
    );
    assert_eq!(plan.generation, 1);
    for file in node.files() {
        assert_eq!((file.action, file.cause), (FileAction::Create, Cause::New));
        assert_eq!(node.expected[&file.path], None);
    }
}

#[test]
fn causes_of_a_change_three_ways() {
    use Cause::{Hand, Inventory, InventoryAndHand};
    use FileAction::{Create, Delete, Modify, Permissions};
    let applied = desired(OLD, vec![tree_file(FileRole::Sysctl, "/etc/x", "applied")]);
    let permissions = || LiveFile::File {
        mode: 0o600,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        content: b"applied".to_vec(),
    };
    for (wanted, now, expected) in [
        (Some("applied"), live("applied"), None),
        (Some("wanted"), live("applied"), Some((Modify, Inventory))),
        (Some("applied"), live("by hand"), Some((Modify, Hand))),
        (
            Some("wanted"),
            live("by hand"),
            Some((Modify, InventoryAndHand)),
        ),
        (Some("wanted"), live("wanted"), None),
        (Some("applied"), permissions(), Some((Permissions, Hand))),
        (Some("wanted"), permissions(), Some((Modify, Inventory))),
        (Some("applied"), LiveFile::Absent, Some((Create, Hand))),
        (
            Some("wanted"),
            LiveFile::Absent,
            Some((Create, InventoryAndHand)),
        ),
        (
            Some("applied"),
            LiveFile::Link("/x".to_owned()),
            Some((Modify, Hand)),
        ),
        (None, live("applied"), Some((Delete, Inventory))),
        (None, live("by hand"), Some((Delete, InventoryAndHand))),
        (None, LiveFile::Absent, None),
    ] {
        let mut seen = after(&applied);
        seen.files.insert(path("/etc/x"), now.clone());
        let more = wanted.map(|content| tree_file(FileRole::Sysctl, "/etc/x", content));
        let plan = plan_one(&desired(OLD, more.into_iter().collect()), &seen);
        let found = change(&plan, "/etc/x").map(|change| (change.action, change.cause));
        assert_eq!(found, expected, "{wanted:?} over {:?}", now.content());
    }
}

#[test]
fn an_obstacle_is_an_error_whatever_is_wanted_there() {
    let entries = [
        None,
        Some(Entry::Absent {
            path: path("/etc/x"),
        }),
        Some(Entry::Link {
            target: "/y".to_owned(),
            path: path("/etc/x"),
        }),
    ];
    for entry in entries {
        let more = entry
            .is_none()
            .then(|| tree_file(FileRole::Sysctl, "/etc/x", "wanted"));
        let mut desired = desired(NEW, more.into_iter().collect());
        desired.tree.manifest.entries.extend(entry);
        let mut seen = bare();
        seen.files.insert(path("/etc/x"), LiveFile::Other);
        let error = planned(Goal::Apply, vec![(desired, seen)]).err().unwrap();
        assert_eq!(
            error.to_string(),
            "lb1: /etc/x is a folder or a device, not a regular file"
        );
    }
}

/// An event on the host, the drift that results, and the actions on nginx and keepalived.
type Case = (fn(&mut Observation), RunningDrift, UnitAction, UnitAction);

#[test]
fn what_runs_is_compared_with_what_was_applied() {
    let applied = desired(OLD, vec![]);
    let (none, reload, start) = (UnitAction::None, UnitAction::Reload, UnitAction::Start);
    let nginx = "nginx.service".to_owned();
    let cases: [Case; 8] = [
        (
            |seen| {
                let key = "net.core.somaxconn".to_owned();
                seen.sysctls.insert(key, Some("128".to_owned()));
            },
            RunningDrift::Sysctl {
                key: "net.core.somaxconn".to_owned(),
                applied: "65535".to_owned(),
                kernel: Some("128".to_owned()),
            },
            none,
            none,
        ),
        (
            |seen| {
                seen.loaded.insert(UnitId::NGINX, NEW.to_owned());
            },
            RunningDrift::Loaded {
                unit: UnitId::NGINX,
                applied: OLD.to_owned(),
                loaded: Some(NEW.to_owned()),
            },
            reload,
            none,
        ),
        (
            |seen| {
                seen.loaded.remove(&UnitId::KEEPALIVED);
            },
            RunningDrift::Loaded {
                unit: UnitId::KEEPALIVED,
                applied: OLD.to_owned(),
                loaded: None,
            },
            none,
            reload,
        ),
        (
            |seen| seen.unwatched.push("/run/hactl/nginx".to_owned()),
            RunningDrift::Unwatched {
                file: "/run/hactl/nginx".to_owned(),
            },
            none,
            reload,
        ),
        (
            |seen| service(seen, "nginx").active = "failed".to_owned(),
            RunningDrift::Down {
                unit: nginx.clone(),
                state: "failed".to_owned(),
            },
            start,
            none,
        ),
        (
            |seen| service(seen, "keepalived").active = "inactive".to_owned(),
            RunningDrift::Down {
                unit: "keepalived.service".to_owned(),
                state: "inactive".to_owned(),
            },
            none,
            start,
        ),
        (
            |seen| service(seen, "nginx").enabled = "disabled".to_owned(),
            RunningDrift::NotEnabled {
                unit: nginx.clone(),
            },
            reload,
            none,
        ),
        (
            |seen| service(seen, "nginx").needs_daemon_reload = true,
            RunningDrift::DaemonReloadNeeded {
                unit: nginx.clone(),
            },
            reload,
            none,
        ),
    ];
    for (happen, expected, nginx, keepalived) in cases {
        let mut seen = after(&applied);
        happen(&mut seen);
        let plan = plan_one(&applied, &seen);
        let node = &plan.nodes[0];
        assert_eq!(node.drift, std::slice::from_ref(&expected));
        assert_eq!(
            units::ids().map(|id| node.unit(id)).collect::<Vec<_>>(),
            [nginx, keepalived],
            "{expected:?}"
        );
        assert!(!plan.is_empty(), "drift is corrected: {expected:?}");
        carry_out(&plan, node, &mut seen);
        assert!(plan_one(&applied, &seen).is_empty(), "{expected:?}");
    }
}

#[test]
fn why_nginx_is_restarted() {
    let unit = "/etc/systemd/system/nginx.service.d/hactl.conf";
    let unit_file = |content: &str| vec![tree_file(FileRole::NginxUnit, unit, content)];
    let with_listen = |listen: &str| {
        let mut desired = desired(NEW, vec![]);
        let conf = format!("http {{ server {{ listen {listen}; }} }}\n");
        desired.tree.files[0].content = conf.into_bytes();
        desired
    };
    let limit = "[Service]\nLimitNOFILE=1\n";
    for (before, after_it, reason) in [
        (
            desired(OLD, vec![]),
            desired(NEW, unit_file(limit)),
            Some("its unit gets hactl's limits"),
        ),
        (
            desired(OLD, unit_file(limit)),
            desired(NEW, vec![]),
            Some("its unit gets hactl's limits"),
        ),
        (
            desired(OLD, unit_file(limit)),
            desired(NEW, unit_file("[Service]\nLimitNOFILE=2\n")),
            Some("a limit of its unit changes"),
        ),
        (
            desired(OLD, unit_file(limit)),
            desired(NEW, unit_file("[Service]\nLimitNOFILE=1\nRestart=always\n")),
            None,
        ),
        (
            desired(OLD, vec![]),
            with_listen("10.0.0.100:80"),
            Some("port 80"),
        ),
        (desired(OLD, vec![]), with_listen("81"), None),
    ] {
        let plan = plan_one(&after_it, &after(&before));
        let node = &plan.nodes[0];
        let found = restart_reason(node, UnitId::NGINX);
        assert!(
            found.contains(reason.unwrap_or_default()) && found.is_empty() == reason.is_none(),
            "{found}"
        );
        let expected = if reason.is_some() {
            UnitAction::Restart
        } else {
            UnitAction::Reload
        };
        assert_eq!(node.unit(UnitId::NGINX), expected);
    }
    // A stopped nginx is started, whatever the reason.
    let mut seen = after(&desired(OLD, vec![]));
    service(&mut seen, "nginx").active = "inactive".to_owned();
    let plan = plan_one(&desired(NEW, unit_file(limit)), &seen);
    assert_eq!(plan.nodes[0].unit(UnitId::NGINX), UnitAction::Start);
}

#[test]
fn what_is_managed_no_longer_goes_back_once() {
    let mut first = desired(
        OLD,
        vec![
            tree_file(FileRole::Sysctl, "/etc/brought", "x"),
            tree_file(FileRole::Sysctl, "/etc/was-there", "x"),
        ],
    );
    let key = "net.ipv4.ip_nonlocal_bind".to_owned();
    first
        .tree
        .manifest
        .sysctls
        .push((key.clone(), "1".to_owned()));
    let mut seen = bare();
    seen.sysctls.insert(key.clone(), Some("0".to_owned()));
    seen.files
        .insert(path("/etc/was-there"), live("before hactl"));
    let plan = plan_one(&first, &seen);
    carry_out(&plan, &plan.nodes[0], &mut seen);
    let second = desired(NEW, vec![]);
    let plan = plan_one(&second, &seen);
    assert_eq!(
        change(&plan, "/etc/brought").unwrap().action,
        FileAction::Delete
    );
    assert_eq!(
        change(&plan, "/etc/was-there"),
        None,
        "only what hactl brought goes"
    );
    let sysctl = plan.nodes[0].sysctls().next().unwrap();
    assert_eq!(
        (&sysctl.key, sysctl.wanted.as_str(), sysctl.cause),
        (&key, "0", Cause::Inventory)
    );
    carry_out(&plan, &plan.nodes[0], &mut seen);
    assert!(plan_one(&second, &seen).is_empty());
    // From then on, hactl leaves them alone.
    seen.files
        .insert(path("/etc/brought"), live("an admin's own"));
    seen.sysctls.insert(key, Some("1".to_owned()));
    let plan = plan_one(&second, &seen);
    assert!(plan.is_empty(), "{:?}", plan.nodes[0].changes);
}

#[test]
fn nodes_that_would_elect_two_owners_change_at_once() {
    let mut new = desired(NEW, vec![]);
    new.tree.files[1].content = CONF.replace("51", "52").into_bytes();
    let old = after(&desired(OLD, vec![]));
    let two = |desired: &Desired, seen: &Observation| {
        let nodes = vec![
            (desired.clone(), seen.clone()),
            (desired.clone(), seen.clone()),
        ];
        planned(Goal::Apply, nodes).unwrap().strategy
    };
    let at_once = Strategy::AtOnce {
        reason: "10.0.0.100 moves from virtual router 51 on eth0 to virtual router 52 on eth0"
            .to_owned(),
        // Nobody has the VIP.
        without_owner: Some(Duration::ZERO),
    };
    assert_eq!(two(&new, &old), at_once);
    assert_eq!(two(&desired(NEW, vec![]), &old), Strategy::Rolling);
    assert_eq!(
        plan_one(&new, &old).strategy,
        Strategy::Rolling,
        "it has no peers"
    );
    let mut down = old.clone();
    service(&mut down, "keepalived").active = "inactive".to_owned();
    assert_eq!(
        two(&new, &down),
        Strategy::Rolling,
        "a keepalived that is down disagrees with nobody"
    );
}

#[test]
fn the_holder_comes_last() {
    let mut nodes = Vec::new();
    for name in ["lb1", "lb2", "lb3"] {
        let (mut desired, mut seen) = (desired(NEW, vec![]), bare());
        desired.node = NodeName::new(name).unwrap();
        seen.node = desired.node.clone();
        if name == "lb2" {
            seen.addresses = vec![("eth0".to_owned(), "10.0.0.100/24".parse().unwrap())];
        }
        nodes.push((desired, seen));
    }
    let plan = planned(Goal::Apply, nodes).unwrap();
    let order: Vec<_> = plan
        .nodes
        .iter()
        .map(|node| node.node.to_string())
        .collect();
    assert_eq!(order, ["lb1", "lb3", "lb2"]);

    let (_, address) = own_address(2);
    let place = plan.nodes[2].place.as_ref().unwrap();
    assert_eq!((place.position, place.nodes), (2, 3));
    assert_eq!(place.address, address);
    assert_eq!(place.peers, [own_address(1).1, own_address(3).1]);
    let record = plan.record_of(&plan.nodes[2]);
    let of = |fact| {
        let fact = record.iter().find(|(own, _)| *own == fact);
        fact.map(|(_, value)| value.as_str())
    };
    assert_eq!(of(Fact::Peers), Some("10.0.0.11 10.0.0.13"));
    assert_eq!(of(Fact::Previous), Some("0"));
    assert_eq!(of(Fact::Restores), None);
}

#[test]
fn only_nodes_that_change_have_a_place_and_ask_each_other() {
    let wanted = |name: &str| {
        let mut wanted = desired(NEW, vec![]);
        wanted.node = NodeName::new(name).unwrap();
        wanted
    };
    let seen = |name: &str| {
        let mut seen = bare();
        seen.node = NodeName::new(name).unwrap();
        seen
    };
    let mut done = after(&wanted("lb1"));
    done.node = NodeName::new("lb2").unwrap();
    let nodes = vec![
        (wanted("lb1"), seen("lb1")),
        (wanted("lb2"), done),
        (wanted("lb3"), seen("lb3")),
    ];
    let plan = planned(Goal::Apply, nodes).unwrap();
    let places: Vec<_> = plan
        .nodes
        .iter()
        .map(|node| node.place.as_ref().map(|place| place.peers.clone()))
        .collect();
    let (first, third) = (own_address(1).1, own_address(3).1);
    assert_eq!(places, [Some(vec![third]), None, Some(vec![first])]);
}

#[test]
fn a_plan_says_by_what_it_is_proven() {
    let mut seen = bare();
    let wanted = desired(NEW, vec![]);
    let proof = |goal, desired: &Desired, seen: &Observation| {
        let plan = planned(goal, vec![(desired.clone(), seen.clone())]);
        plan.unwrap().proof
    };
    assert_eq!(proof(Goal::Apply, &wanted, &seen), Proof::AllListeners);
    let back = Goal::Rollback { to: 2 };
    assert_eq!(proof(back, &wanted, &seen), Proof::WhatTheOwnerServes);
    let before = seen.clone();
    let plan = plan_one(&wanted, &seen);
    carry_out(&plan, &plan.nodes[0], &mut seen);
    let original = original(&seen, &before);
    let back = Goal::Rollback { to: 0 };
    assert_eq!(proof(back, &original, &seen), Proof::NotNeeded);
    // Only a kernel setting changes.
    let mut more = wanted.clone();
    let setting = ("net.core.somaxconn".to_owned(), "1024".to_owned());
    more.tree.manifest.sysctls.push(setting);
    assert_eq!(proof(Goal::Apply, &more, &seen), Proof::NotNeeded);
}

#[test]
fn generation_0_brings_the_daemons_back_as_they_were() {
    for (was, now, expected) in [
        ("active", "active", UnitAction::Restart),
        ("active", "failed", UnitAction::Start),
        ("inactive", "active", UnitAction::Stop),
        ("inactive", "inactive", UnitAction::None),
    ] {
        let mut before = bare();
        let unit = Service {
            active: was.to_owned(),
            ..Service::default()
        };
        before.services.insert("nginx.service".to_owned(), unit);
        let mut seen = before.clone();
        let plan = plan_one(&desired(NEW, vec![]), &seen);
        carry_out(&plan, &plan.nodes[0], &mut seen);
        service(&mut seen, "nginx").active = now.to_owned();
        let goal = original(&seen, &before);
        let plan = planned(Goal::Rollback { to: 0 }, vec![(goal, seen)]).unwrap();
        assert_eq!(plan.nodes[0].unit(UnitId::NGINX), expected, "{was}, {now}");
        assert!(
            plan.nodes[0].changes.contains(&Change::RemovePackages)
                && plan.nodes[0].packages().is_empty()
        );
        assert_eq!(plan.generation, 0);
    }
}

/// A generation by a version that recorded no members: that alone causes no change, and the next change records
/// them.
#[test]
fn a_record_without_members_is_left_until_something_else_changes() {
    let old = after(&desired(OLD, vec![]));
    let with_members = |id: &str| {
        let mut wanted = desired(id, vec![]);
        let members = "lb1=10.0.0.11 lb2=10.0.0.12";
        wanted.tree.manifest.facts.set(Fact::Members, members);
        wanted
    };
    assert!(plan_one(&with_members(OLD), &old).is_empty());
    let plan = plan_one(&with_members(NEW), &old);
    assert!(!plan.is_empty() && !plan.nodes[0].changes.contains(&Change::Members));
    // From then on, another list of members is a change of its own.
    let mut new = after(&with_members(NEW));
    let recorded = new.recorded.as_mut().unwrap();
    let alone = "lb1=10.0.0.11";
    recorded.facts.set(Fact::Members, alone);
    assert!(
        plan_one(&with_members(NEW), &new).nodes[0]
            .changes
            .contains(&Change::Members)
    );
}
