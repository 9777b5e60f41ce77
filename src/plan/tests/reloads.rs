//! A keepalived that would not survive a reload, and hosts that are back in their state before hactl.

use super::*;
use crate::agent::UnsureReload;
use crate::model::FileRole;

/// A host with a hand-written keepalived.conf, and the result of keepalived's test of it.
fn by_hand(unsure: Option<UnsureReload>) -> Observation {
    let mut seen = after(&desired(OLD, vec![]));
    (seen.recorded, seen.original) = (None, None);
    seen.loaded.clear();
    seen.files
        .insert(path(KEEPALIVED), live("vrrp_script chk {\n}\n"));
    seen.unsure_reload = unsure;
    seen
}

fn checked(conf: &str) -> Desired {
    let mut wanted = desired(NEW, vec![]);
    let own = wanted.tree.files.iter_mut();
    for file in own.filter(|file| file.role == FileRole::KeepalivedConf) {
        file.content = conf.as_bytes().to_vec();
    }
    wanted
}

#[test]
fn a_keepalived_that_a_reload_would_end_is_restarted() {
    let violation =
        "SECURITY VIOLATION - scripts are being executed but script_security not enabled.";
    let unsure = |code, is_edited, output: &str| {
        Some(UnsureReload {
            code,
            is_edited,
            output: output.to_owned(),
        })
    };
    let ours = format!("global_defs {{\n    reload_check_config\n}}\n{CONF}");
    for (seen, conf, reason) in [
        (
            unsure(6, false, violation),
            ours.as_str(),
            "since its file has an error: SECURITY",
        ),
        (
            unsure(0, true, ""),
            &ours,
            "since its file was changed after it started",
        ),
        (unsure(0, false, ""), &ours, ""),
        // It tests files before it loads them, and has survived that.
        (None, &ours, ""),
        // keepalived 2.1.5 does not know the keyword, and survives.
        (unsure(6, true, violation), CONF, ""),
    ] {
        let plan = plan_one(&checked(conf), &by_hand(seen));
        let node = &plan.nodes[0];
        let found = restart_reason(node, UnitId::KEEPALIVED);
        assert!(
            found.contains(reason) && found.is_empty() == reason.is_empty(),
            "{found}"
        );
        let action = node.unit(UnitId::KEEPALIVED);
        assert_eq!(action == UnitAction::Restart, !reason.is_empty());
    }
    let mut down = by_hand(unsure(6, false, violation));
    down.services.get_mut("keepalived.service").unwrap().active = "inactive".to_owned();
    let plan = plan_one(&checked(&ours), &down);
    assert_eq!(plan.nodes[0].unit(UnitId::KEEPALIVED), UnitAction::Start);
}

/// Its admin may have changed it since. What is there now is the state before hactl.
#[test]
fn a_host_without_a_live_generation_is_left_as_it_is_by_a_rollback_to_0() {
    let mut seen = by_hand(None);
    seen.addresses = vec![("eth0".to_owned(), "10.0.0.100/24".parse().unwrap())];
    let goal = Desired::as_it_is(&seen.node);
    let plan = planned(Goal::Rollback { to: 0 }, vec![(goal, seen)]).unwrap();
    assert!(
        plan.is_empty() && plan.losses.is_empty(),
        "{:?}",
        plan.losses
    );
}
