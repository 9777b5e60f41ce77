//! Conformance of the host's program to the model of a host (`tests/support/host_model.rs`): after
//! each input, both have to be in the same state and give the same answer.
//!
//! Every input is tried in every reachable state, including kills of the program before one of its
//! steps, until there are no new states. Random walks follow. The states explored are the
//! program's, so that two states that the model does not distinguish are both tried.
//! `HACTL_EVERY_STEP=1` kills before every step, and distinguishes states by every byte on the
//! disk.

mod input;
mod peers;
mod shot;
mod site;

use std::collections::{HashSet, VecDeque};

use crate::in_every_shell;
use crate::world::World;
use input::{Input, allowed, inputs};
use shot::Shot;
use site::{Seen, Site};

use crate::host_model::{Host, Stage};

in_every_shell!(
    every_transition_is_the_models,
    long_walks_are_the_models,
    a_half_done_undo_is_never_confirmed,
);

/// The inputs so far, for diagnosing a failure.
type Path = Vec<Input>;

/// Gives the input to both, and returns the model's new state.
async fn step(site: &Site<'_>, host: Host, before: &Seen, input: &Input, path: &Path) -> Host {
    let (answer, after) = site.take(input).await;
    let allowed = allowed(host, input, before.is_armed);
    let agreed = allowed.iter().rev().find(|(host, said)| {
        host.stage == after.stage && said.is_none_or(|said| Some(said) == answer)
    });
    let Some((host, _)) = agreed else {
        panic!(
            "in {:?} after {path:?}\nthe input {input:?}\nleads the program to {after:?}, answer \
             {answer:?}\nand the model to {allowed:?}\n{}",
            host.stage,
            site.describe()
        );
    };
    after.must_be_whole(&format!("{path:?} then {input:?}\n{}", site.describe()));
    *host
}

async fn every_transition_is_the_models(world: &World) {
    let site = Site::new(world).await;
    let every = std::env::var_os("HACTL_EVERY_STEP").is_some();
    let mut found: HashSet<String> = HashSet::new();
    let mut open: VecDeque<(Shot, Host, Path)> = VecDeque::new();
    open.push_back((site.shot(), Host::new(0, 3), Vec::new()));
    found.insert(site.key(Host::new(0, 3), every));
    let mut transitions = 0;
    while let Some((shot, host, path)) = open.pop_front() {
        site.restore(&shot);
        let before = site.look();
        site.settles_when_left_alone(&path).await;
        // At most one kill on the path to a state, unless every step counts.
        let is_killed = |input: &Input| matches!(input, Input::Killed(..));
        let kills = every || !path.iter().any(is_killed);
        let apart = if every { 1 } else { 2 };
        let kill_at = world.steps_to_kill_at().step_by(apart);
        let kill_at = kill_at.take_while(|step| kills && *step < 90);
        for input in inputs(host, &before, kill_at, every) {
            site.restore(&shot);
            let next = step(&site, host, &before, &input, &path).await;
            transitions += 1;
            if found.insert(site.key(next, every)) {
                let mut path = path.clone();
                path.push(input);
                open.push_back((site.shot(), next, path));
            }
        }
    }
    println!("{} states, {transitions} transitions", found.len());
    assert!(found.len() > 15 && transitions > 200, "{transitions}");
}

async fn long_walks_are_the_models(world: &World) {
    let every = std::env::var_os("HACTL_EVERY_STEP").is_some();
    let site = Site::new(world).await;
    let start = site.shot();
    let mut random = 0x5eed_u64 + world.steps_to_kill_at().next().unwrap_or_default() as u64;
    let mut draw = move |below: usize| {
        // xorshift64, with a fixed seed for reproducible walks.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut steps = 0;
    for _ in 0..if every { 200 } else { 4 } {
        site.restore(&start);
        let (mut host, mut path) = (Host::new(0, 3), Vec::new());
        for _ in 0..12 {
            let before = site.look();
            let kill_at = 1 + draw(60);
            let all = inputs(host, &before, std::iter::once(kill_at), false);
            // Halve the chances of inputs that decide the change, or the walks end too soon.
            let mut input = all[draw(all.len())].clone();
            if input.is_deciding() && draw(2) == 0 {
                input = all[draw(all.len())].clone();
            }
            host = step(&site, host, &before, &input, &path).await;
            path.push(input);
            steps += 1;
        }
        site.settles_when_left_alone(&path).await;
    }
    println!("{steps} steps of random walks");
}

/// An interrupted rollback leaves some files old and some new. No confirmation may keep that state,
/// and at boot the rollback is completed before the daemons read the files.
async fn a_half_done_undo_is_never_confirmed(world: &World) {
    let site = Site::new(world).await;
    site.take(&Input::Activate { works: true }).await;
    let active = site.shot();
    let mut halves = 0;
    for step in (1..200).step_by(2) {
        site.restore(&active);
        let killed = Input::Killed(Box::new(Input::Revert), step);
        let (_, after) = site.take(&killed).await;
        if after.stage == Stage::Old {
            break;
        }
        if !after.is_mixed() {
            continue;
        }
        halves += 1;
        let half = site.shot();
        let (answer, after) = site.take(&Input::Confirm).await;
        assert_eq!(answer, Some(crate::host_model::Answer::No), "step {step}");
        assert_eq!(after.stage, Stage::Activating, "step {step}");
        site.restore(&half);
        let (_, after) = site.take(&Input::Boot).await;
        assert_eq!(after.stage, Stage::Old, "step {step}");
        after.must_be_whole("after the restart");
    }
    assert!(halves > 0, "no kill left a half");
}
