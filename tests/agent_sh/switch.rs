//! A simultaneous change of all nodes: the keeper stays up, and the other nodes stop keepalived
//! before the keeper loads the new configuration and start it afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hactl::agent::{Activation, Agent, AgentError, FailureCode, Part, Reason, Switch, UnitAction};

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    a_silent_node_stops_first_and_starts_at_the_signal,
    the_keeper_loads_nothing_before_the_signal,
    a_signal_may_come_before_the_activation,
    without_a_signal_nothing_is_loaded,
    what_is_called_off_is_loaded_nowhere,
    silent_nodes_are_silent_before_the_keeper_goes_back,
    without_an_operator_the_keeper_goes_back_while_the_others_are_silent,
    a_host_that_cannot_keep_the_time_waits_in_one_call,
);

const OLD: &str = "aaaaaaaaaaaa";

fn activation_as(part: Part) -> Activation {
    Activation {
        actions: match part {
            Part::Keeper => actions(UnitAction::Reload, UnitAction::Reload),
            Part::Silent => actions(UnitAction::Reload, UnitAction::Restart),
        },
        switch: Some(Switch {
            part,
            patience: Duration::from_secs(5),
        }),
        ..activation()
    }
}

async fn ready_to_activate(world: &World) -> Agent {
    inhabited(world);
    let agent = world.agent();
    staged(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    agent
}

/// Activates the change as `part`, with the signal already given.
async fn switched(agent: &Agent, part: Part) {
    agent.signal(TX, true).await.unwrap();
    agent.activate(TX, &activation_as(part)).await.unwrap();
}

fn loaded(world: &World) -> String {
    world.read("/run/keepalived.loaded").trim().to_owned()
}

fn keepalived(world: &World) -> String {
    let state = world.sh("systemctl is-active keepalived.service || :");
    state.trim().to_owned()
}

/// Activates as `part`. Once the node waits for the signal, runs `look` and then sends it.
fn activates_at_the_signal(world: &World, part: Part, look: impl FnOnce() + Send) {
    let is_over = AtomicBool::new(false);
    let activated = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mark = match part {
                Part::Silent => "silent",
                Part::Keeper => "switch",
            };
            while !world.exists(&format!("/var/lib/hactl/tx/{TX}/{mark}")) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            look();
            world.raw(&["signal", TX, "go"], b"");
        });
        // The test's hosts block their callers.
        let agent = world.agent();
        let activation = activation_as(part);
        let activated = futures::executor::block_on(agent.activate(TX, &activation));
        is_over.store(true, Ordering::Relaxed);
        activated
    });
    activated.unwrap();
    assert_eq!(
        (keepalived(world).as_str(), loaded(world).as_str()),
        ("active", ID)
    );
}

async fn a_silent_node_stops_first_and_starts_at_the_signal(world: &World) {
    ready_to_activate(world).await;
    activates_at_the_signal(world, Part::Silent, || {
        assert_ne!(keepalived(world), "active");
        assert_eq!(loaded(world), OLD);
    });
}

async fn the_keeper_loads_nothing_before_the_signal(world: &World) {
    ready_to_activate(world).await;
    activates_at_the_signal(world, Part::Keeper, || {
        assert_eq!(
            (keepalived(world).as_str(), loaded(world).as_str()),
            ("active", OLD)
        );
    });
}

async fn a_signal_may_come_before_the_activation(world: &World) {
    let agent = ready_to_activate(world).await;
    switched(&agent, Part::Keeper).await;
    assert_eq!(loaded(world), ID);
    let unknown = agent.signal("another", true).await.unwrap_err();
    assert_eq!(unknown.code(), Some(FailureCode::NotActive));
}

async fn without_a_signal_nothing_is_loaded(world: &World) {
    world.write("/run/clock-moves", "");
    for part in [Part::Silent, Part::Keeper] {
        let agent = ready_to_activate(world).await;
        let late = agent.activate(TX, &activation_as(part)).await;
        goes_back(world, &agent, late, FailureCode::Late).await;
    }
    let agent = ready_to_activate(world).await;
    let late = agent.ready(TX, Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(late.code(), Some(FailureCode::Late));
}

async fn what_is_called_off_is_loaded_nowhere(world: &World) {
    for part in [Part::Silent, Part::Keeper] {
        let agent = ready_to_activate(world).await;
        agent.signal(TX, false).await.unwrap();
        let off = agent.activate(TX, &activation_as(part)).await;
        goes_back(world, &agent, off, FailureCode::CalledOff).await;
    }
}

async fn goes_back(
    world: &World,
    agent: &Agent,
    failed: Result<(), AgentError>,
    code: FailureCode,
) {
    let failed = failed.unwrap_err();
    assert_eq!(failed.code(), Some(code), "{failed}");
    assert_eq!(loaded(world), OLD);
    agent.revert(TX, &Reason::failed("test")).await.unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(
        (keepalived(world).as_str(), loaded(world).as_str()),
        ("active", OLD)
    );
    nothing_is_left(world);
}

async fn silent_nodes_are_silent_before_the_keeper_goes_back(world: &World) {
    let agent = ready_to_activate(world).await;
    assert_eq!(agent.hush(TX).await.unwrap(), None);
    switched(&agent, Part::Silent).await;
    for _ in 0..2 {
        assert_eq!(agent.hush(TX).await.unwrap(), Some(Part::Silent));
        assert_ne!(keepalived(world), "active");
    }
    // From then on it is being rolled back.
    let refused = agent.confirm(TX).await.unwrap_err();
    assert_eq!(refused.code(), Some(FailureCode::NotActive));
    agent.revert(TX, &Reason::failed("test")).await.unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(
        (keepalived(world).as_str(), loaded(world).as_str()),
        ("active", OLD)
    );

    let agent = ready_to_activate(world).await;
    switched(&agent, Part::Keeper).await;
    assert_eq!(agent.hush(TX).await.unwrap(), Some(Part::Keeper));
    assert_eq!(
        (keepalived(world).as_str(), loaded(world).as_str()),
        ("active", ID)
    );
    agent.confirm(TX).await.unwrap();
    assert_eq!(agent.hush(TX).await.unwrap(), None);
}

async fn without_an_operator_the_keeper_goes_back_while_the_others_are_silent(world: &World) {
    for (part, apart, state) in [
        (Part::Keeper, 50, "active"),
        (Part::Silent, 115, "inactive"),
    ] {
        world.write("/run/apart", "");
        let agent = ready_to_activate(world).await;
        switched(&agent, part).await;
        // The timer fires repeatedly, and the change can no longer be confirmed.
        for _ in 0..2 {
            assert!(world.timer("expire", TX).status.success());
            assert_eq!(keepalived(world), state);
            assert_eq!(loaded(world), ID);
        }
        assert_eq!(
            agent.confirm(TX).await.unwrap_err().code(),
            Some(FailureCode::NotActive)
        );
        assert_eq!(world.read("/run/apart"), "");
        let later = format!(
            "read -r up rest </proc/uptime; echo \"$((${{up%%.*}} + {apart} - 10)).00 $rest\" >/proc/uptime"
        );
        world.sh(&later);
        assert!(world.timer("expire", TX).status.success());
        let slept = world.read("/run/apart");
        assert_eq!(slept.trim(), format!("10 {state} {ID}"));
        assert_eq!(
            (keepalived(world).as_str(), loaded(world).as_str()),
            ("active", OLD)
        );
        nothing_is_left(world);
    }
}

async fn a_host_that_cannot_keep_the_time_waits_in_one_call(world: &World) {
    world.write("/run/apart", "");
    let agent = ready_to_activate(world).await;
    switched(&agent, Part::Keeper).await;
    // As on a full disk: the start of the wait cannot be recorded.
    world.sh(&format!("mkdir /var/lib/hactl/tx/{TX}/switch.new"));
    assert!(world.timer("expire", TX).status.success());
    assert_eq!(world.read("/run/apart").trim(), format!("50 active {ID}"));
    assert_eq!(loaded(world), OLD);
    nothing_is_left(world);
}
