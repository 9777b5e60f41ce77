//! One change at a time, and no interference between changes.

use hactl::agent::{AgentError, FailureCode, Reason};

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    a_taken_lock_names_its_holder,
    a_stale_lock_is_nobodys,
    of_many_at_once_one_wins,
    others_changes_are_left_alone,
    a_lock_that_was_lost_stops_the_change,
);

async fn a_taken_lock_names_its_holder(world: &World) {
    let agent = world.agent();
    let mut mine = request(TX);
    "ada\n\u{1b}[31mroot\t@desk".clone_into(&mut mine.holder);
    agent.lock(&mine).await.unwrap();
    match agent.lock(&request("other")).await.unwrap_err() {
        AgentError::Locked { lock, .. } => {
            assert_eq!(
                (lock.holder.as_str(), lock.pid.as_str(), lock.tx.as_str()),
                ("ada??[31mroot?@desk", "42", TX)
            );
            assert_eq!(lock.deadline.unwrap().seconds_left, 300);
            assert_eq!((lock.origin.as_str(), lock.stale), ("here/1", false));
        }
        other => panic!("{other}"),
    }
    agent.lock(&mine).await.unwrap();
    agent.unlock(TX).await.unwrap();
    agent.lock(&request("other")).await.unwrap();
}

async fn a_stale_lock_is_nobodys(world: &World) {
    let agent = world.agent();
    agent.lock(&request("a")).await.unwrap();
    world.write("/kernel/uptime", "1299.99 0\n");
    agent.lock(&request("b")).await.unwrap_err();
    world.write("/kernel/uptime", "1300.00 0\n");
    agent.lock(&request("b")).await.unwrap();
    world.write("/kernel/boot_id", "second-boot\n");
    world.write("/kernel/uptime", "3.00 0\n");
    agent.lock(&request("c")).await.unwrap();
    // A damaged lock does not count.
    world.write(
        "/var/lib/hactl/lock",
        "tx\td\nboot\tsecond-boot\nuntil\tfor ever\n",
    );
    agent.lock(&request("e")).await.unwrap();
    let seen = agent
        .observe(&hactl::agent::ObserveRequest::default())
        .await
        .unwrap();
    assert_eq!(seen.lock.unwrap().tx, "e");
}

async fn of_many_at_once_one_wins(world: &World) {
    let won: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn(move || {
                    let tx = format!("tx-{n}");
                    let answer = world.raw(&["lock", &tx, "ada@desk", "42", "300"], b"");
                    (!answer.contains("fail\tlocked")).then_some(tx)
                })
            })
            .collect();
        let ended = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap());
        ended.collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    assert!(world.read("/var/lib/hactl/lock").contains(&won[0]));
}

async fn others_changes_are_left_alone(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let tree = tree(TX, 1, ID, vec![]);
    staged(&agent, TX, &tree).await.unwrap();
    // A caller that did not get the lock cleans up changes that it never made.
    agent.lock(&request("other")).await.unwrap_err();
    agent.unlock("other").await.unwrap();
    agent
        .revert("other", &Reason::failed("given up"))
        .await
        .unwrap();
    agent.activate(TX, &activation()).await.unwrap();
    agent.unlock("other").await.unwrap();
    agent
        .revert("other", &Reason::failed("given up"))
        .await
        .unwrap();
    let journal = world.read("/var/lib/hactl/journal");
    assert!(
        journal.contains(TX) && journal.contains("activated"),
        "{journal}"
    );
    assert_eq!(
        world.read("/run/units/hactl-revert.timer.active"),
        "active\n"
    );
    // A stale lock does not allow overwriting an unfinished change, either.
    world.write("/kernel/uptime", "9999.00 0\n");
    assert_eq!(agent.lock(&request("other")).await.unwrap().unwrap().tx, TX);
    let wanted = tree.full_manifest();
    assert_eq!(
        agent
            .prepare("other", &wanted, &[])
            .await
            .unwrap_err()
            .code(),
        Some(FailureCode::Unfinished)
    );
    assert_eq!(
        agent.stage("other", &tree).await.unwrap_err().code(),
        Some(FailureCode::Unfinished)
    );
    agent.unlock("other").await.unwrap();
    agent.confirm("other").await.unwrap_err();
    agent.confirm(TX).await.unwrap();
    assert_eq!(world.read(NGINX), format!("# id {ID}\n"));
}

async fn a_lock_that_was_lost_stops_the_change(world: &World) {
    let agent = world.agent();
    let tree = tree(TX, 1, ID, vec![]);
    staged(&agent, TX, &tree).await.unwrap();
    world.write("/kernel/boot_id", "second-boot\n");
    agent.lock(&request("other")).await.unwrap();
    for problem in [
        agent
            .prepare(TX, &tree.full_manifest(), &[])
            .await
            .map(|_| ()),
        agent.stage(TX, &tree).await,
        agent.activate(TX, &activation()).await,
    ] {
        assert_eq!(problem.unwrap_err().code(), Some(FailureCode::LockLost));
    }
    assert!(!world.exists(NGINX));
}
