//! The daemons are tested with a /run that is the host's, but for what they write in it, and for the
//! file that keepalived tracks, which is there before any unit has written it.

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

/// keepalived as of 2.3.3: it refuses to track a file that is missing.
const KEEPALIVED_STUB: &str = r#"#!/bin/sh
[ "$1" = -t ] || { echo "Keepalived v2.3.3 (03/30,2025)" >&2; exit 0; }
while read -r _ what path; do
    [ "$what" = tracks ] || continue
    echo "tracked: $(/usr/bin/cat "$path")"
    [ -e "$path" ] || { echo "realpath() error 2"; exit 5; }
done <"$3"
"#;

/// nginx -t makes the pid file where it is missing.
const NGINX_STUB: &str = r#"#!/bin/sh
[ "$1" != -t ] || { : >>/run/nginx.pid; /usr/bin/ls -1 /run; }
"#;

/// A world with those daemons and things of others in /run, and a tree whose keepalived.conf tracks
/// our file and somebody else's.
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

/// What each daemon said of the tree; it must have accepted it.
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
    // The folder alone is there after hactl's own drill, or when the file was deleted.
    world.sh("mkdir /run/hactl; echo MASTER >/run/hactl/vrrp.web");
    let before = world.snapshot("/run");
    tested(world, &tree).await;
    assert_eq!(world.snapshot("/run"), before);
    // A tree that tracks nothing brings nothing.
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
    // It sees everything that is the host's.
    for name in ["a name", "hactl", "link", "pipe", "theirs"] {
        assert!(said.lines().any(|line| line == name), "{name} in {said}");
    }
    assert_eq!(world.snapshot("/run"), before);
    assert!(!world.exists("/run/nginx.pid"));
    // The pid file of an nginx that runs stays as it is.
    world.sh("echo 1234 >/run/nginx.pid");
    let before = world.snapshot("/run");
    tested(world, &tree).await;
    assert_eq!(world.snapshot("/run"), before);
}

/// The kernel takes no argument of more than 128 KiB.
async fn a_program_of_any_length_reaches_its_private_mounts(world: &World) {
    inhabited(world);
    let padding = format!("# {}\n", "x".repeat(98)).repeat(3000);
    let long = padding + &hactl::agent::agent_script();
    let said = world.raw_of(long, &["validate"], b"no manifest\n");
    assert!(said.contains("fail\tprotocol"), "{said}");
    assert!(said.ends_with("end\n"), "{said}");
}
