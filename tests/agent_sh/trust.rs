//! Paths that others could take over: links, other users' folders, tampered files. hactl writes
//! only where root alone can write, and never through a link.

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;
use hactl::agent::{FailureCode, Reason};

in_every_shell!(
    a_folder_of_another_user_is_not_written_in,
    a_folder_that_others_can_write_in_is_not_written_in,
    links_to_roots_own_folders_are_the_admins_choice,
    a_state_folder_of_somebody_else_is_refused,
    links_in_the_state_folder_are_refused,
    what_was_staged_is_what_comes_alive,
    units_are_not_written_through_links,
    validation_writes_nothing_through_links,
    what_is_kept_is_for_root_only,
    what_cannot_be_replaced_is_told_before_anything_is,
);

const OURS: &str = "/etc/site/conf.d/x.conf";

/// Preparing and activating fail because of `reason`, and /etc stays unchanged.
async fn refused(world: &World, reason: &str) {
    let agent = world.agent();
    let before = world.snapshot("/etc");
    let tree = tree(TX, 1, ID, vec![file(OURS, "new\n")]);
    let looked = agent.validate(&tree).await.unwrap_err();
    let problem = staged(&agent, TX, &tree).await.unwrap_err();
    for problem in [looked, problem] {
        assert_eq!(problem.code(), Some(FailureCode::Unsafe), "{problem}");
        assert!(problem.to_string().contains(reason), "{problem}");
        assert!(problem.to_string().contains(OURS), "{problem}");
        assert!(problem.hint().contains("chown root:root"));
    }
    agent.unlock(TX).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
    assert!(!world.exists("/var/lib/hactl/generations/0/manifest"));
}

async fn a_folder_of_another_user_is_not_written_in(world: &World) {
    inhabited(world);
    world.sh("mkdir -p /etc/site/conf.d; chown nobody /etc/site/conf.d");
    refused(world, "/etc/site/conf.d belongs to nobody, not to root").await;
    world.sh("chown root /etc/site/conf.d; chown nobody /etc/site");
    refused(world, "/etc/site belongs to nobody, not to root").await;
    // The same if the folder does not exist yet.
    world.sh("rmdir /etc/site/conf.d");
    refused(world, "/etc/site belongs to nobody").await;
    // The same if the owner changes after the preparation.
    world.sh("chown root /etc/site");
    let agent = world.agent();
    let tree = tree(TX, 1, ID, vec![file(OURS, "new\n")]);
    staged(&agent, TX, &tree).await.unwrap();
    world.sh("chown nobody /etc/site");
    let problem = agent.activate(TX, &activation()).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Unsafe), "{problem}");
    assert!(!world.exists(OURS) && !world.exists("/var/lib/hactl/journal"));
}

async fn a_folder_that_others_can_write_in_is_not_written_in(world: &World) {
    inhabited(world);
    world.sh("mkdir -p /etc/site/conf.d; chmod 777 /etc/site");
    refused(world, "everybody can write in /etc/site").await;
    // The sticky bit prevents others from replacing a name, but not from creating it first.
    world.sh("chmod 1777 /etc/site");
    refused(world, "everybody can write in /etc/site").await;
    world.sh("chmod 775 /etc/site; chgrp daemon /etc/site");
    refused(world, "the group daemon can write in /etc/site").await;
    // The group root is as trusted as the user.
    world.sh("chgrp root /etc/site");
    let agent = world.agent();
    let tree = tree(TX, 1, ID, vec![file(OURS, "new\n")]);
    applied(&agent, TX, &tree).await.unwrap();
    assert_eq!(world.read(OURS), "new\n");
}

async fn links_to_roots_own_folders_are_the_admins_choice(world: &World) {
    inhabited(world);
    world.sh("mkdir -p /var/conf /home/ada/conf; chown -R nobody /home/ada; ln -s /home/ada/conf /etc/site");
    refused(world, "/home/ada belongs to nobody").await;
    // A link owned by another user is unsafe even if it leads to a folder of root's.
    world.sh(
        "mkdir /var/conf/conf.d; ln -s /var/conf /home/ada/way; ln -sfn /home/ada/way /etc/site",
    );
    refused(world, "/home/ada belongs to nobody").await;
    world.sh("ln -sfn site /etc/site");
    refused(world, "too many links").await;
    world.sh("ln -sfn ../var/conf /etc/site");
    let before = (world.snapshot("/etc"), world.snapshot("/var/conf"));
    let agent = world.agent();
    let tree = tree(TX, 1, ID, vec![file(OURS, "new\n")]);
    activated(&agent, TX, &tree).await.unwrap();
    assert_eq!(world.read("/var/conf/conf.d/x.conf"), "new\n");
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    assert_eq!(
        (world.snapshot("/etc"), world.snapshot("/var/conf")),
        before
    );
}

async fn a_state_folder_of_somebody_else_is_refused(world: &World) {
    inhabited(world);
    let agent = world.agent();
    for (make, reason) in [
        ("mkdir hactl; chown nobody hactl", "hactl belongs to nobody"),
        ("mkdir hactl; chmod 777 hactl", "everybody can write in"),
        (
            "mkdir hactl; chgrp daemon hactl; chmod 770 hactl",
            "the group daemon can write in",
        ),
        (
            "mkdir -m 700 /root/there; ln -s /root/there hactl",
            "is a link",
        ),
        ("ln -s /nowhere hactl", "is a link"),
        (": >hactl", "is not a folder"),
        ("chown nobody .", "/var/lib belongs to nobody"),
    ] {
        world.sh(&format!("cd /var/lib; {make}"));
        let problem = agent.lock(&request(TX)).await.unwrap_err();
        assert_eq!(
            problem.code(),
            Some(FailureCode::UnsafeState),
            "{make}: {problem}"
        );
        assert!(problem.to_string().contains(reason), "{make}: {problem}");
        let problem = agent.history().await.unwrap_err();
        assert_eq!(
            problem.code(),
            Some(FailureCode::UnsafeState),
            "{make}: {problem}"
        );
        world.sh("chown root /var/lib; rm -rf /var/lib/hactl /root/there");
    }
    // A folder that others can only read is made private.
    world.sh("mkdir -m 755 /var/lib/hactl");
    agent.lock(&request(TX)).await.unwrap();
    assert_eq!(world.sh("stat -c %a /var/lib/hactl"), "700\n");
}

async fn links_in_the_state_folder_are_refused(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.sh("mkdir -m 700 /var/lib/hactl; echo mine >/etc/theirs; mkdir /etc/folder");
    let before = world.snapshot("/etc");
    for name in [
        "tx",
        "lock",
        "lock.new",
        "journal",
        "journal.new",
        "mutex",
        "agent",
        "generations",
        "created-dirs",
        "outcome",
    ] {
        let target = match name {
            "tx" | "generations" => "/etc/folder",
            _ => "/etc/theirs",
        };
        world.sh(&format!("ln -s {target} /var/lib/hactl/{name}"));
        let tree = tree(TX, 1, ID, vec![]);
        let problem = activated(&agent, TX, &tree).await.unwrap_err();
        assert_eq!(
            problem.code(),
            Some(FailureCode::UnsafeState),
            "{name}: {problem}"
        );
        assert!(problem.to_string().contains(name), "{problem}");
        assert_eq!(world.snapshot("/etc"), before, "{name}");
        world.sh(&format!("rm /var/lib/hactl/{name}"));
    }
    world.sh(&format!(
        "mkdir /var/lib/hactl/tx; ln -s /etc/folder /var/lib/hactl/tx/{TX}"
    ));
    assert_eq!(
        agent.lock(&request(TX)).await.unwrap_err().code(),
        Some(FailureCode::UnsafeState)
    );
    world.sh("rm -r /var/lib/hactl/tx; : >/var/lib/hactl/lock; chown nobody /var/lib/hactl/lock");
    assert_eq!(
        agent.lock(&request(TX)).await.unwrap_err().code(),
        Some(FailureCode::UnsafeState)
    );
}

async fn what_was_staged_is_what_comes_alive(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let before = world.snapshot("/etc");
    let tree = tree(TX, 1, ID, vec![file("/etc/x", "new\n")]);
    let staged_x = format!("/var/lib/hactl/tx/{TX}/new/files/etc/x");
    for tamper in [
        format!("echo evil >{staged_x}"),
        format!("rm {staged_x}"),
        format!("rm {staged_x}; ln -s /etc/passwd {staged_x}"),
        format!(": >{staged_x}"),
    ] {
        staged(&agent, TX, &tree).await.unwrap();
        world.sh(&tamper);
        let problem = agent.activate(TX, &activation()).await.unwrap_err();
        assert_eq!(
            problem.code(),
            Some(FailureCode::Tampered),
            "{tamper}: {problem}"
        );
        assert!(problem.to_string().contains("/etc/x"), "{problem}");
        assert_eq!(world.snapshot("/etc"), before);
        agent.unlock(TX).await.unwrap();
        nothing_is_left(world);
    }
}

async fn units_are_not_written_through_links(world: &World) {
    inhabited(world);
    world.sh("echo mine >/etc/theirs; mkdir /etc/folder
        cd /etc/systemd/system; mkdir multi-user.target.wants
        ln -s /etc/theirs hactl-revert.service; ln -s /etc/theirs hactl-revert.timer
        ln -s /etc/theirs hactl-peer.socket
        ln -s /etc/folder multi-user.target.wants/hactl-revert-boot.service");
    let agent = world.agent();
    let mut how = activation();
    how.peer = Some(hactl::agent::PeerCredentials {
        key: hactl::agent::PeerKey::random().unwrap(),
        address: "127.0.0.1".parse().unwrap(),
    });
    staged(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    agent.activate(TX, &how).await.unwrap();
    let kinds = world.sh("cd /etc/systemd/system; stat -c '%F %a %U' hactl-*; ls /etc/folder");
    assert_eq!(kinds, "regular file 644 root\n".repeat(5));
    assert_eq!(world.read("/etc/theirs"), "mine\n");
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(world.read("/etc/theirs"), "mine\n");
    assert_eq!(world.sh("ls /etc/folder"), "");
    nothing_is_left(world);
}

async fn validation_writes_nothing_through_links(world: &World) {
    inhabited(world);
    world.sh(
        "mkdir -p /var/conf; cd /var/conf; echo mine >nginx.conf; echo mine >x.conf; echo mine >gone.conf
         ln -sf /var/conf/nginx.conf /etc/nginx/nginx.conf; ln -s /var/conf /etc/nginx/conf.d",
    );
    let before = (world.snapshot("/etc"), world.snapshot("/var/conf"));
    let agent = world.agent();
    let mut tree = tree(TX, 1, ID, vec![file("/etc/nginx/conf.d/x.conf", "new\n")]);
    tree.manifest
        .entries
        .push(absent("/etc/nginx/conf.d/gone.conf"));
    staged(&agent, TX, &tree).await.unwrap();
    let tests = agent.validate_staged(TX).await.unwrap();
    assert!(tests.iter().all(|test| test.code == 0), "{tests:?}");
    assert_eq!(tests.len(), 2);
    assert_eq!(
        (world.snapshot("/etc"), world.snapshot("/var/conf")),
        before
    );
    assert_eq!(agent.validate(&tree).await.unwrap().len(), 2);
    assert_eq!(
        (world.snapshot("/etc"), world.snapshot("/var/conf")),
        before
    );
    // Activation replaces the link to a file, and a rollback restores it.
    agent.activate(TX, &activation()).await.unwrap();
    assert_eq!(world.read("/var/conf/nginx.conf"), "mine\n");
    assert_eq!(
        world.sh("stat -c %F /etc/nginx/nginx.conf"),
        "regular file\n"
    );
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    assert_eq!(
        (world.snapshot("/etc"), world.snapshot("/var/conf")),
        before
    );
}

async fn what_is_kept_is_for_root_only(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let open = "find /var/lib/hactl ! -type l -perm /077; find /etc -name '.hactl*' -perm /077";
    activated(&agent, TX, &tree(TX, 1, ID, vec![]))
        .await
        .unwrap();
    assert_eq!(world.sh(open), "");
    agent.confirm(TX).await.unwrap();
    assert_eq!(world.sh(open), "");
    agent.unlock(TX).await.unwrap();
    let mode = world.sh("stat -c '%a %U:%G' /var/lib/hactl");
    assert_eq!(mode, "700 root:root\n");
}

async fn what_cannot_be_replaced_is_told_before_anything_is(world: &World) {
    inhabited(world);
    world.sh(&format!(
        "mkdir -p /etc/site/conf.d; echo old >{OURS}; mount --bind {OURS} {OURS}"
    ));
    let agent = world.agent();
    let wanted = tree(TX, 1, ID, vec![file(OURS, "new\n")]);
    let looked = agent.validate(&wanted).await.unwrap_err();
    let problem = staged(&agent, TX, &wanted).await.unwrap_err();
    for problem in [looked, problem] {
        let words = format!("cannot replace {OURS}: it is a mount of its own");
        assert!(problem.to_string().ends_with(&words), "{problem}");
        assert!(problem.hint().contains("umount"), "{}", problem.hint());
    }
    agent.unlock(TX).await.unwrap();
    // An unchanged file may be a mount point.
    let same = tree(TX, 1, ID, vec![file(OURS, "old\n")]);
    agent.validate(&same).await.unwrap();
    // A mount that appears later is reported by the step that hits it.
    world.sh(&format!("umount {OURS}"));
    staged(&agent, TX, &wanted).await.unwrap();
    world.sh(&format!("mount --bind {OURS} {OURS}"));
    let problem = agent.activate(TX, &activation()).await.unwrap_err();
    assert!(
        problem.to_string().contains("it is a mount of its own"),
        "{problem}"
    );
    world.sh(&format!("umount {OURS}"));
}
