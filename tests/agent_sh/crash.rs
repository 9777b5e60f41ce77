//! The program is killed before each of its steps. What is on disk then suffices to end on one
//! side.

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;
use hactl::agent::{FailureCode, Reason, UnitAction};

in_every_shell!(
    an_unconfirmed_change_expires,
    a_confirmed_change_stays,
    nobody_listening_stops_no_undo,
    a_change_is_activated_once,
    a_restart_is_undone_by_a_restart,
    a_restarted_host_is_brought_back_before_its_daemons,
    activation_killed_anywhere_is_undone,
    confirmation_killed_anywhere_ends_on_one_side,
    revert_killed_anywhere_is_repeated,
);

async fn an_unconfirmed_change_expires(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &tree(TX, 1, ID, vec![]))
        .await
        .unwrap();
    let timer = world.read("/etc/systemd/system/hactl-revert.timer");
    assert!(timer.contains("OnActiveSec=300\n"), "{timer}");
    assert_eq!(
        world.read("/run/units/hactl-revert.timer.active"),
        "active\n"
    );
    let exit = world.timer("expire", TX);
    assert!(exit.status.success(), "{exit:?}");
    assert_eq!(world.snapshot("/etc"), before);
    let problem = agent.confirm(TX).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::NotActive));
    assert!(problem.to_string().contains("it was not confirmed in time"));
    agent.unlock(TX).await.unwrap();
    nothing_is_left(world);
}

async fn a_confirmed_change_stays(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &tree(TX, 1, ID, vec![]))
        .await
        .unwrap();
    world.sh("cp /var/lib/hactl/agent /tmp/agent");
    agent.confirm(TX).await.unwrap();
    agent.confirm(TX).await.unwrap();
    // A timer that fires at this very moment. The change's lock has expired by then, too.
    world.sh("rm /var/lib/hactl/lock");
    let after = (world.snapshot("/etc"), world.snapshot("/var/lib/hactl"));
    world.sh(&format!("sh /tmp/agent expire {TX}"));
    assert_eq!(
        after,
        (world.snapshot("/etc"), world.snapshot("/var/lib/hactl"))
    );
    assert_eq!(
        agent
            .revert(TX, &Reason::failed("x"))
            .await
            .unwrap_err()
            .code(),
        Some(FailureCode::Confirmed)
    );
    agent.unlock(TX).await.unwrap();
    nothing_is_left(world);
}

async fn nobody_listening_stops_no_undo(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &tree(TX, 1, ID, vec![file("/etc/x", "new")]))
        .await
        .unwrap();
    // The rollback reports a problem midway.
    world.sh("rm /etc/nginx/nginx.conf; mkdir -p /etc/nginx/nginx.conf/in-the-way");
    world.be_deaf(true);
    let _ = agent.revert(TX, &Reason::failed("test")).await;
    world.be_deaf(false);
    assert_eq!(world.read(KEEPALIVED), "# id aaaaaaaaaaaa\n");
    assert!(
        !world.exists("/etc/x"),
        "what comes after the problem is tried too"
    );
    world.sh("rm -r /etc/nginx/nginx.conf");
    assert!(world.timer("expire", TX).status.success());
    assert_eq!(world.snapshot("/etc"), before);
}

async fn a_change_is_activated_once(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &tree(TX, 1, ID, vec![]))
        .await
        .unwrap();
    // A second activation would record the new files as the old ones.
    let problem = agent.activate(TX, &activation()).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Unfinished));
    agent.revert(TX, &Reason::failed("test")).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
}

async fn a_restart_is_undone_by_a_restart(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let mut how = activation();
    how.actions = actions(UnitAction::Restart, UnitAction::Reload);
    staged(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    agent.activate(TX, &how).await.unwrap();
    world.write("/run/systemctl.log", "");
    agent.revert(TX, &Reason::failed("test")).await.unwrap();
    agent.unlock(TX).await.unwrap();
    let log = world.read("/run/systemctl.log");
    assert!(log.contains("restart nginx.service"), "{log}");
    assert!(log.contains("reload keepalived.service"), "{log}");
    // A rollback does not restart daemons that the activation had not reached.
    how.actions = actions(UnitAction::Restart, UnitAction::Reload);
    staged(&agent, "b", &tree("b", 1, ID, vec![]))
        .await
        .unwrap();
    world.sh("mount --bind /kernel/net/core/somaxconn /kernel/net/core/somaxconn; mount -o remount,bind,ro /kernel/net/core/somaxconn");
    world.sh("mount --bind /kernel/net/core/somaxconn /proc/sys/net/core/somaxconn");
    world.write("/run/systemctl.log", "");
    let problem = agent.activate("b", &how).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Sysctl));
    agent.revert("b", &Reason::failed("test")).await.unwrap();
    let log = world.read("/run/systemctl.log");
    assert!(!log.contains("restart nginx.service"), "{log}");
}

async fn a_restarted_host_is_brought_back_before_its_daemons(world: &World) {
    inhabited(world);
    world.sh("systemctl disable keepalived.service");
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &tree(TX, 1, ID, vec![]))
        .await
        .unwrap();
    // Fully activated, the change waits for confirmation again, or for the network, to ask its
    // peers.
    let active = world.snapshot("/etc");
    world.write("/run/systemctl.log", "");
    let exit = world.timer("expire-at-boot", TX);
    assert!(exit.status.success(), "{exit:?}");
    assert_eq!(world.snapshot("/etc"), active);
    let log = world.read("/run/systemctl.log");
    assert!(
        log.contains("start hactl-revert.timer hactl-peer.socket"),
        "{log}"
    );
    // Partially activated, it is rolled back at once.
    world.sh("sed -i s/activated/activating/ /var/lib/hactl/journal");
    world.write("/run/systemctl.log", "");
    world.write("/run/units/hactl-revert.timer.active", "inactive\n");
    let exit = world.timer("expire-at-boot", TX);
    assert!(exit.status.success(), "{exit:?}");
    assert_eq!(world.snapshot("/etc"), before);
    let log = world.read("/run/systemctl.log");
    assert!(!log.contains("start "), "no daemon is touched: {log}");
    assert_eq!(
        world.read("/run/units/keepalived.service.enabled"),
        "disabled\n"
    );
    agent.unlock(TX).await.unwrap();
    nothing_is_left(world);
}

fn new_files() -> Vec<hactl::agent::TreeFile> {
    vec![
        file("/etc/made/deep/file", "new\n"),
        file(
            "/etc/systemd/system/nginx.service.d/hactl.conf",
            "[Service]\n",
        ),
    ]
}

async fn activation_killed_anywhere_is_undone(first: &World) {
    for (turn, step) in first.steps_to_kill_at().enumerate() {
        let world = first.another();
        inhabited(&world);
        let before = world.snapshot("/etc");
        let agent = world.agent();
        staged(&agent, TX, &tree(TX, 1, ID, new_files()))
            .await
            .unwrap();
        world.kill_at(step);
        let ended = agent.activate(TX, &activation()).await;
        let is_over = !world.was_killed();
        world.kill_at(0);
        assert_eq!(ended.is_ok(), is_over, "step {step}");
        if turn % 2 == 0 {
            assert!(world.timer("expire", TX).status.success(), "step {step}");
        }
        agent
            .revert(TX, &Reason::failed("it was abandoned"))
            .await
            .unwrap();
        agent.unlock(TX).await.unwrap();
        assert_eq!(world.snapshot("/etc"), before, "step {step}");
        assert_eq!(world.read("/kernel/net/core/somaxconn"), "4096\n");
        assert_eq!(world.read("/run/nginx.serves").trim(), "aaaaaaaaaaaa");
        nothing_is_left(&world);
        if is_over {
            break;
        }
    }
}

async fn confirmation_killed_anywhere_ends_on_one_side(first: &World) {
    for (turn, step) in first.steps_to_kill_at().enumerate() {
        let world = first.another();
        inhabited(&world);
        let before = world.snapshot("/etc");
        let agent = world.agent();
        applied(&agent, "first", &tree("first", 1, "111111111111", vec![]))
            .await
            .unwrap();
        let old = world.snapshot("/etc");
        activated(&agent, TX, &tree(TX, 2, ID, new_files()))
            .await
            .unwrap();
        world.kill_at(step);
        let ended = agent.confirm(TX).await;
        let is_over = !world.was_killed();
        world.kill_at(0);
        assert_eq!(ended.is_ok(), is_over, "step {step}");
        // The timer, the operator or the next boot: whichever comes first completes it.
        let decided = match turn % 3 {
            0 => {
                world.timer("expire", TX);
                agent.confirm(TX).await.is_ok()
            }
            1 => {
                agent.confirm(TX).await.unwrap();
                true
            }
            _ => {
                world.timer("expire-at-boot", TX);
                world.sh("systemctl restart nginx.service; systemctl restart keepalived.service");
                world.timer("expire", TX);
                agent
                    .revert(TX, &Reason::failed("abandoned"))
                    .await
                    .is_err()
            }
        };
        agent.unlock(TX).await.unwrap();
        let (all, live) = agent.history().await.unwrap();
        assert_eq!(all.len(), if decided { 3 } else { 2 }, "step {step}");
        assert_eq!(live, Some(if decided { 2 } else { 1 }), "step {step}");
        let serves = world.read("/run/nginx.serves");
        if decided {
            assert_eq!(serves.trim(), ID, "step {step}");
            assert_eq!(world.read("/etc/made/deep/file"), "new\n", "step {step}");
            assert_eq!(agent.generation(2).await.unwrap().1.len(), 4);
        } else {
            assert_eq!(serves.trim(), "111111111111", "step {step}");
            assert_eq!(world.snapshot("/etc"), old, "step {step}");
        }
        assert_ne!(old, before);
        let left = world.sh("cd /var/lib/hactl; ls -d lock tx/* journal agent 2>/dev/null; ls /etc/systemd/system | grep revert; true");
        assert_eq!(left, "", "step {step}");
        if is_over {
            break;
        }
    }
}

async fn revert_killed_anywhere_is_repeated(first: &World) {
    for (turn, step) in first.steps_to_kill_at().enumerate() {
        let world = first.another();
        inhabited(&world);
        let before = world.snapshot("/etc");
        let agent = world.agent();
        activated(&agent, TX, &tree(TX, 1, ID, new_files()))
            .await
            .unwrap();
        world.kill_at(step);
        let ended = agent.revert(TX, &Reason::failed("test")).await;
        let is_over = !world.was_killed();
        world.kill_at(0);
        assert_eq!(ended.is_ok(), is_over, "step {step}");
        if turn % 2 == 0 {
            world.timer("expire", TX);
        } else {
            agent.revert(TX, &Reason::failed("again")).await.unwrap();
        }
        agent.unlock(TX).await.unwrap();
        assert_eq!(world.snapshot("/etc"), before, "step {step}");
        assert_eq!(world.read("/run/nginx.serves").trim(), "aaaaaaaaaaaa");
        if !world
            .read("/run/units/hactl-revert.timer.active")
            .starts_with("active")
        {
            nothing_is_left(&world);
        }
        if is_over {
            break;
        }
    }
}
