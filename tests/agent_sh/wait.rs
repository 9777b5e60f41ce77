//! Changes pending confirmation, and the locks around them.

use std::collections::BTreeMap;

use hactl::agent::{
    AgentError, Ending, Fact, FailureCode, LockRequest, ObserveRequest, Phase, ReachQuestion,
    Reason, Tree,
};

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    the_deciding_node_takes_no_confirmation_before_the_offer,
    any_other_node_needs_no_offer,
    what_was_withdrawn_is_confirmed_no_more,
    what_was_confirmed_is_not_withdrawn,
    what_was_withdrawn_before_is_never_activated,
    an_offered_change_survives_a_restart_and_expires,
    the_time_that_is_left_is_told,
    an_end_is_noted_once,
    a_broken_lock_leaves_nothing_half_done,
    a_lock_is_broken_during_a_change_only_on_request,
    a_look_writes_nothing_whatever_a_change_has_come_to,
);

/// A tree of a change with manual confirmation.
fn manual(position: usize) -> Tree {
    let mut tree = tree(TX, 1, ID, vec![]);
    let facts = [
        (Fact::Position, position.to_string()),
        (Fact::Nodes, "3".to_owned()),
        (Fact::Confirm, "manual".to_owned()),
        (Fact::AppliedBy, "ada@desk".to_owned()),
    ];
    tree.manifest.facts.extend(facts);
    tree
}

async fn the_deciding_node_takes_no_confirmation_before_the_offer(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    let early = agent.confirm(TX).await.unwrap_err();
    assert_eq!(early.code(), Some(FailureCode::NotOffered));
    assert_eq!(agent.offer(TX).await.unwrap().seconds_left, 300);
    // Offering is idempotent.
    agent.offer(TX).await.unwrap();
    let journal = agent
        .observe(&ObserveRequest::default())
        .await
        .unwrap()
        .journal;
    let journal = journal.unwrap();
    assert_eq!(journal.phase, Phase::Offered);
    assert_eq!((journal.position, journal.nodes), (Some(0), Some(3)));
    assert_eq!((journal.is_manual, journal.by.as_str()), (true, "ada@desk"));
    agent.confirm(TX).await.unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(world.read(NGINX), format!("# id {ID}\n"));
    assert_eq!(
        agent.offer(TX).await.unwrap_err().code(),
        Some(FailureCode::NotActive)
    );
    nothing_is_left(world);
}

async fn any_other_node_needs_no_offer(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &manual(1)).await.unwrap();
    agent.confirm(TX).await.unwrap();
    assert_eq!(world.read(NGINX), format!("# id {ID}\n"));
}

async fn what_was_withdrawn_is_confirmed_no_more(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    agent.offer(TX).await.unwrap();
    assert!(!agent.withdraw(TX).await.unwrap());
    assert!(!agent.withdraw(TX).await.unwrap());
    // It is still active and awaits its rollback. A late offer does nothing.
    assert_eq!(world.read(NGINX), format!("# id {ID}\n"));
    assert_eq!(
        agent.confirm(TX).await.unwrap_err().code(),
        Some(FailureCode::NotActive)
    );
    assert_eq!(
        agent.offer(TX).await.unwrap_err().code(),
        Some(FailureCode::NotActive)
    );
    agent
        .revert(TX, &Reason::failed("cancelled by bob@sofa"))
        .await
        .unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
    let outcome = agent
        .observe(&ObserveRequest::default())
        .await
        .unwrap()
        .outcome;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.result, Ending::Reverted);
    assert_eq!(outcome.why, "cancelled by bob@sofa");
    nothing_is_left(world);
}

async fn what_was_confirmed_is_not_withdrawn(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    agent.offer(TX).await.unwrap();
    agent.confirm(TX).await.unwrap();
    assert!(agent.withdraw(TX).await.unwrap());
    assert_eq!(world.read(NGINX), format!("# id {ID}\n"));
}

async fn what_was_withdrawn_before_is_never_activated(world: &World) {
    inhabited(world);
    let agent = world.agent();
    staged(&agent, TX, &manual(1)).await.unwrap();
    assert!(!agent.withdraw(TX).await.unwrap());
    let late = agent.activate(TX, &activation()).await.unwrap_err();
    assert_eq!(late.code(), Some(FailureCode::Protocol));
    agent.unlock(TX).await.unwrap();
    nothing_is_left(world);
}

async fn an_offered_change_survives_a_restart_and_expires(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    agent.offer(TX).await.unwrap();
    world.write("/kernel/boot_id", "second-boot\n");
    world.write("/kernel/uptime", "20.00 0\n");
    assert!(world.timer("expire-at-boot", TX).status.success());
    let journal = agent
        .observe(&ObserveRequest::default())
        .await
        .unwrap()
        .journal;
    let journal = journal.unwrap();
    assert_eq!(journal.phase, Phase::Offered);
    assert_eq!(journal.deadline.unwrap().seconds_left, 280);
    // Nobody confirms it.
    assert!(world.timer("expire", TX).status.success());
    assert_eq!(world.snapshot("/etc"), before);
    agent.unlock(TX).await.unwrap();
    nothing_is_left(world);
}

async fn the_time_that_is_left_is_told(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    world.write("/kernel/uptime", "1180.00 0\n");
    assert_eq!(agent.offer(TX).await.unwrap().seconds_left, 120);
    // From now on the change owns the lock, and no process does.
    let waits = LockRequest {
        pid: None,
        ..request(TX)
    };
    agent.lock(&waits).await.unwrap();
    let AgentError::Locked { lock, .. } = agent.lock(&request("other")).await.unwrap_err() else {
        panic!("it is free");
    };
    assert!(lock.pid.is_empty());
    assert_eq!(lock.holder, "ada@desk");
    assert!(lock.words().contains("is pending confirmation"));
}

async fn an_end_is_noted_once(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    assert!(world.timer("expire", TX).status.success());
    let outcome = async || {
        let seen = agent.observe(&ObserveRequest::default()).await.unwrap();
        seen.outcome.unwrap()
    };
    assert_eq!(outcome().await.result, Ending::Expired);
    assert!(!outcome().await.is_noted);
    agent.noted("another").await.unwrap();
    assert!(!outcome().await.is_noted);
    agent.noted(TX).await.unwrap();
    agent.noted(TX).await.unwrap();
    assert!(outcome().await.is_noted);
    let text = world.read("/var/lib/hactl/outcome");
    assert_eq!(text.matches("noted").count(), 1, "{text}");
}

async fn a_broken_lock_leaves_nothing_half_done(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    // Without a lock, there is nothing to do.
    agent.break_lock(TX, false).await.unwrap();
    staged(&agent, TX, &manual(0)).await.unwrap();
    let other = agent.break_lock("other", true).await.unwrap_err();
    assert_eq!(other.code(), Some(FailureCode::MovedOn));
    agent.break_lock(TX, false).await.unwrap();
    nothing_is_left(world);
    // Its holder is still alive and notices.
    let problem = agent.activate(TX, &activation()).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::LockLost));
    assert_eq!(world.snapshot("/etc"), before);
    agent.lock(&request("other")).await.unwrap();
}

async fn a_lock_is_broken_during_a_change_only_on_request(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    let problem = agent.break_lock(TX, false).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Unfinished));
    assert!(world.exists("/var/lib/hactl/lock"));
    agent.break_lock(TX, true).await.unwrap();
    assert!(!world.exists("/var/lib/hactl/lock"));
    // The change and its timer are untouched.
    assert_eq!(world.read(NGINX), format!("# id {ID}\n"));
    assert_eq!(
        world.read("/run/units/hactl-revert.timer.active"),
        "active\n"
    );
    assert!(world.timer("expire", TX).status.success());
    assert_eq!(world.snapshot("/etc"), before);
    nothing_is_left(world);
}

async fn a_look_writes_nothing_whatever_a_change_has_come_to(world: &World) {
    inhabited(world);
    let agent = world.agent();
    activated(&agent, TX, &manual(0)).await.unwrap();
    let journal = world.read("/var/lib/hactl/journal");
    for phase in [
        "activating",
        "activated",
        "offered",
        "asking",
        "undoing",
        "confirmed",
    ] {
        world.write(
            "/var/lib/hactl/journal",
            journal.replace("phase\tactivated", &format!("phase\t{phase}")),
        );
        let before = look(world);
        let seen = agent.observe(&ObserveRequest::default()).await.unwrap();
        assert_eq!(seen.journal.unwrap().phase.to_string(), phase);
        agent.glance().await.unwrap();
        agent.history().await.unwrap();
        agent.reach(&ReachQuestion::default()).await.unwrap();
        let after = look(world);
        let changed: Vec<_> = before
            .iter()
            .chain(&after)
            .filter(|(path, _)| before.get(*path) != after.get(*path))
            .collect();
        assert!(changed.is_empty(), "{phase}: {changed:?}");
    }
}

fn look(world: &World) -> BTreeMap<String, String> {
    let folders = ["/etc", "/var", "/run", "/tmp"].into_iter();
    let found = folders.flat_map(|top| {
        let found = world.snapshot(top).into_iter();
        found.map(move |(path, what)| (format!("{top}/{path}"), what))
    });
    // These are the world's own records of calls.
    found
        .filter(|(path, _)| path != "/run/count" && path != "/run/systemctl.log")
        .collect()
}
