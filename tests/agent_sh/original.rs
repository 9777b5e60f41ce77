//! Generation 0 is the state of the host while none of hactl's generations is live, whenever that
//! is.

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;
use hactl::agent::Reason;
use hactl::units;

in_every_shell!(
    an_edit_after_a_first_change_that_was_undone_is_kept,
    an_edit_of_a_host_that_was_given_back_is_kept,
    what_is_live_is_never_recorded,
    a_record_of_before_a_package_is_kept,
    a_record_that_was_killed_anywhere_is_whole,
);

const EDITED: &str = "# id aaaaaaaaaaaa\n# edited\n";

/// A first change, activated and rolled back.
async fn undone(world: &World, tx: &str) {
    let agent = world.agent();
    activated(&agent, tx, &tree(tx, 1, ID, vec![]))
        .await
        .unwrap();
    agent.revert(tx, &Reason::failed("test")).await.unwrap();
    agent.unlock(tx).await.unwrap();
}

async fn an_edit_after_a_first_change_that_was_undone_is_kept(world: &World) {
    inhabited(world);
    undone(world, TX).await;
    world.write(KEEPALIVED, EDITED);
    world.sh("echo 2048 >/kernel/net/core/somaxconn");
    let before = world.snapshot("/etc");
    let agent = world.agent();
    applied(&agent, "second", &tree("second", 1, ID, vec![]))
        .await
        .unwrap();
    rolled_back_to_0(world, "third").await;
    assert_eq!(world.snapshot("/etc"), before);
    assert_eq!(world.read(KEEPALIVED), EDITED);
    assert_eq!(world.read("/kernel/net/core/somaxconn"), "2048\n");
    nothing_is_left(world);
}

async fn an_edit_of_a_host_that_was_given_back_is_kept(world: &World) {
    inhabited(world);
    let agent = world.agent();
    applied(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    rolled_back_to_0(world, "second").await;
    world.write(KEEPALIVED, EDITED);
    world.sh("systemctl enable keepalived.service");
    let before = world.snapshot("/etc");
    // A different change with fewer and other files: next to the admin's configuration.
    let mut beside = tree(
        "third",
        2,
        ID,
        vec![file("/etc/keepalived/conf.d/x", "x\n")],
    );
    beside.files.retain(|file| file.path.as_str() != NGINX);
    for unit in units::ids() {
        beside.manifest.facts.set_id(unit, "");
    }
    applied(&agent, "third", &beside).await.unwrap();
    let kept =
        world.sh("cd /var/lib/hactl/generations/0; find . -name nginx.conf; find . -name '*.old'");
    assert_eq!(kept, "", "what it is not about is not kept");
    rolled_back_to_0(world, "fourth").await;
    assert_eq!(world.snapshot("/etc"), before);
    assert_eq!(
        world.read("/run/units/keepalived.service.enabled"),
        "enabled\n"
    );
    nothing_is_left(world);
}

async fn what_is_live_is_never_recorded(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let before = world.snapshot("/etc");
    applied(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    let kept = world.snapshot("/var/lib/hactl/generations/0");
    undone(world, "second").await;
    assert_eq!(world.snapshot("/var/lib/hactl/generations/0"), kept);
    // Someone removed the live generation's record. Its files are hactl's all the same.
    world.sh("rm -r /var/lib/hactl/generations/1");
    undone(world, "third").await;
    assert_eq!(world.snapshot("/var/lib/hactl/generations/0"), kept);
    rolled_back_to_0(world, "fourth").await;
    assert_eq!(world.snapshot("/etc"), before);
}

/// hactl died while installing packages. Files from the packages are not the host's own.
async fn a_record_of_before_a_package_is_kept(world: &World) {
    let agent = world.agent();
    agent.lock(&request(TX)).await.unwrap();
    let wanted = tree(TX, 1, ID, vec![]).full_manifest();
    agent.prepare(TX, &wanted, &[]).await.unwrap();
    let kept = world.snapshot("/var/lib/hactl/generations/0");
    for trace in [
        "/var/lib/hactl/tx/other/packages-before",
        "/var/lib/hactl/packages",
    ] {
        world.write(NGINX, "by the package\n");
        world.sh(&format!(
            "mkdir -p /var/lib/hactl/tx/other; echo nginx >{trace}"
        ));
        agent.prepare(TX, &wanted, &[]).await.unwrap();
        assert_eq!(world.snapshot("/var/lib/hactl/generations/0"), kept);
        world.sh(&format!("rm {trace}"));
    }
    agent.prepare(TX, &wanted, &[]).await.unwrap();
    let (_, contents) = agent.generation(0).await.unwrap();
    assert_eq!(contents[&path(NGINX)], b"by the package\n");
}

async fn a_record_that_was_killed_anywhere_is_whole(first: &World) {
    for step in first.steps_to_kill_at() {
        let world = first.another();
        inhabited(&world);
        undone(&world, TX).await;
        world.write(KEEPALIVED, EDITED);
        let before = world.snapshot("/etc");
        let agent = world.agent();
        agent.lock(&request("second")).await.unwrap();
        let wanted = tree("second", 1, ID, vec![]).full_manifest();
        world.kill_at(step);
        let ended = agent.prepare("second", &wanted, &[]).await;
        let is_over = !world.was_killed();
        world.kill_at(0);
        assert_eq!(ended.is_ok(), is_over, "step {step}");
        // An existing record is complete, either the old or the new one.
        if world.exists("/var/lib/hactl/generations/0/manifest") {
            let (manifest, contents) = agent.generation(0).await.unwrap();
            let text = &contents[&path(KEEPALIVED)];
            assert!(
                text == EDITED.as_bytes() || text == b"# id aaaaaaaaaaaa\n",
                "step {step}"
            );
            assert_eq!((manifest.entries.len(), manifest.services.len()), (2, 2));
        }
        agent.history().await.unwrap();
        if step % 2 == 0 {
            agent.unlock("second").await.unwrap();
        }
        world.sh("rm -f /var/lib/hactl/lock");
        applied(&agent, "third", &tree("third", 1, ID, vec![]))
            .await
            .unwrap();
        rolled_back_to_0(&world, "fourth").await;
        assert_eq!(world.snapshot("/etc"), before, "step {step}");
        if is_over {
            break;
        }
    }
}
