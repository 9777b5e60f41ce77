//! The real host program, run under dash, bash and busybox, each in an isolated world.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is test code"
)]

mod adverts;
mod backends;
mod conformance;
mod crash;
mod faults;
mod files;
#[path = "../support/host_model.rs"]
mod host_model;
mod hostile;
mod lock;
mod names;
mod neighbour;
mod original;
mod own_run;
mod peers;
mod probes;
mod reach;
mod scene;
mod serve;
mod serving;
#[path = "../support/skip.rs"]
mod skip;
mod switch;
mod trust;
mod wait;
mod watch;
mod world;

/// Generates one test per shell from each of these functions, which take a world.
macro_rules! in_every_shell {
    ($($test:ident),* $(,)?) => {
        in_every_shell!(@ dash Dash $($test)*);
        in_every_shell!(@ bash Bash $($test)*);
        in_every_shell!(@ busybox Busybox $($test)*);
    };
    (@ $module:ident $shell:ident $($test:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $test() {
                let _turn = crate::world::turn().await;
                if let Some(world) = crate::world::World::new(crate::world::Shell::$shell) {
                    super::$test(&world).await;
                }
            })*
        }
    };
}
use in_every_shell;

/// The program's files share one space of names, and the later definition would win in silence.
#[test]
fn no_function_of_the_program_is_defined_twice() {
    let mut known = std::collections::BTreeSet::new();
    let script = hactl::agent::agent_script();
    let defined = script
        .lines()
        .filter_map(|line| line.split_once("() {"))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    for name in defined {
        assert!(known.insert(name), "{name} is defined twice");
    }
    assert!(known.len() > 100, "{known:?}");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    world::ensure(&world::PROGRAMS);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hactl-agent.sh");
    std::fs::write(&file, hactl::agent::agent_script()).unwrap();
    let mut command = std::process::Command::new("shellcheck");
    let exit = command.args(["-s", "sh"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&exit.stdout);
    assert!(exit.status.success(), "{said}");
}
