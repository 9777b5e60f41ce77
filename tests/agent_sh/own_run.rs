//! The daemons' tests see the host's /run, except for their own output in it, and for the file that
//! keepalived tracks, which exists even before any unit has written it.

use hactl::agent::Fact;
use std::os::unix::fs::PermissionsExt as _;

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    a_tracked_file_that_is_missing_is_there_for_the_test_only,
    a_tracked_file_that_is_there_is_the_one_that_is_tested,
    what_the_test_writes_is_not_left_in_run,
    a_program_of_any_length_reaches_its_private_mounts,
);

const TRACKED: &str = "/run/hactl/nginx";

/// Like keepalived from 2.3.3 on: it refuses to track a missing file.
const KEEPALIVED_STUB: &str = r#"#!/bin/sh
[ "$1" = -t ] || { echo "Keepalived v2.3.3 (03/30,2025)" >&2; exit 0; }
while read -r _ what path; do
    [ "$what" = tracks ] || continue
    echo "tracked: $(/usr/bin/cat "$path")"
    [ -e "$path" ] || { echo "realpath() error 2"; exit 5; }
done <"$3"
"#;

/// `nginx -t` creates a missing pid file.
const NGINX_STUB: &str = r#"#!/bin/sh
[ "$1" != -t ] || { : >>/run/nginx.pid; /usr/bin/ls -1 /run; }
"#;

/// A world with those daemons and other programs' files in /run, and a tree whose keepalived.conf
/// tracks both hactl's file and another one.
fn scene(world: &World) -> hactl::agent::Tree {
    inhabited(world);
    for (program, text) in [("keepalived", KEEPALIVED_STUB), ("nginx", NGINX_STUB)] {
        let path = world.path(&format!("/stubs/{program}"));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.sh(
        "mkdir -p /run/theirs; echo 7 >/run/theirs/weight; echo 8 >/run/.hidden; mkfifo /run/pipe
         ln -s theirs /run/link; : >'/run/a name'",
    );
    let mut tree = tree(TX, 1, ID, vec![]);
    for file in &mut tree.files {
        if file.path.as_str() == KEEPALIVED {
            file.content = format!(
                "# id {ID}\n# tracks {TRACKED}\n# tracks /run/link/weight\n# tracks /run/.hidden\n"
            )
            .into_bytes();
        }
    }
    tree.manifest.facts.set(Fact::TrackedFile, TRACKED);
    tree
}

/// The output of each daemon's test, which has to pass.
async fn tested(world: &World, tree: &hactl::agent::Tree) -> Vec<String> {
    let tests = world.agent().validate(tree).await.unwrap();
    assert!(tests.iter().all(|test| test.code == 0), "{tests:?}");
    tests.into_iter().map(|test| test.output).collect()
}

async fn a_tracked_file_that_is_missing_is_there_for_the_test_only(world: &World) {
    let tree = scene(world);
    let before = world.snapshot("/run");
    let said = tested(world, &tree).await.concat();
    assert!(
        said.contains("tracked: 0\ntracked: 7\ntracked: 8"),
        "{said}"
    );
    assert_eq!(world.snapshot("/run"), before);
    assert!(!world.exists("/run/hactl"));
    // The folder alone exists after one of hactl's drills, or if the file was deleted.
    world.sh("mkdir /run/hactl; echo MASTER >/run/hactl/vrrp.web");
    let before = world.snapshot("/run");
    tested(world, &tree).await;
    assert_eq!(world.snapshot("/run"), before);
    // Without a tracked file in the tree, none is created.
    let mut silent = tree.clone();
    silent.manifest.facts.remove(Fact::TrackedFile);
    let tests = world.agent().validate(&silent).await.unwrap();
    assert_eq!(tests[1].code, 5, "{tests:?}");
}

async fn a_tracked_file_that_is_there_is_the_one_that_is_tested(world: &World) {
    let tree = scene(world);
    world.sh("mkdir /run/hactl; echo -254 >/run/hactl/nginx");
    let before = world.snapshot("/run");
    let said = tested(world, &tree).await.concat();
    assert!(said.contains("tracked: -254\n"), "{said}");
    assert_eq!(world.snapshot("/run"), before);
}

async fn what_the_test_writes_is_not_left_in_run(world: &World) {
    let tree = scene(world);
    let before = world.snapshot("/run");
    let said = tested(world, &tree).await.concat();
    // The test sees everything in the host's /run.
    for name in ["a name", "hactl", "link", "pipe", "theirs"] {
        assert!(said.lines().any(|line| line == name), "{name} in {said}");
    }
    assert_eq!(world.snapshot("/run"), before);
    assert!(!world.exists("/run/nginx.pid"));
    // The pid file of a running nginx stays untouched.
    world.sh("echo 1234 >/run/nginx.pid");
    let before = world.snapshot("/run");
    tested(world, &tree).await;
    assert_eq!(world.snapshot("/run"), before);
}

/// The kernel limits a single argument to 128 KiB.
async fn a_program_of_any_length_reaches_its_private_mounts(world: &World) {
    inhabited(world);
    let padding = format!("# {}\n", "x".repeat(98)).repeat(3000);
    let long = padding + &hactl::agent::agent_script();
    let said = world.raw_of(long, &["validate"], b"no manifest\n");
    assert!(said.contains("fail\tprotocol"), "{said}");
    assert!(said.ends_with("end\n"), "{said}");
}
