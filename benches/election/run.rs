//! Plays a scenario, and compares.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use hactl::model::{Cluster, Preemption};

use crate::forecast::{Owners, World};
use crate::machines::Machines;
use crate::scenario::{Scenario, Step};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(30);

/// A step that ended as expected.
pub(crate) struct Played {
    what: String,
    took: Duration,
    /// The most that the formulas allow.
    bound: Duration,
    moved: bool,
}

/// The steps until the kernels differ from the simulator.
pub(crate) struct Disagreement {
    steps: Vec<Step>,
    expected: Owners,
    found: Owners,
    /// Whether it was seen again when the same was repeated.
    pub(crate) is_repeated: bool,
    journal: String,
}

#[derive(Default)]
pub(crate) struct Summary {
    scenarios: usize,
    steps: usize,
    moves: usize,
    /// Moves that took longer than the formulas allow.
    late: Vec<(Duration, Duration, String)>,
    pub(crate) disagreements: Vec<String>,
}

impl Summary {
    pub(crate) fn add(&mut self, played: &[Played]) {
        self.scenarios += 1;
        self.steps += played.len();
        for step in played.iter().filter(|step| step.moved) {
            self.moves += 1;
            if step.took > step.bound {
                self.late.push((step.took, step.bound, step.what.clone()));
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} scenarios as expected: {} events, of which {} moved a VIP",
            self.scenarios, self.steps, self.moves
        )?;
        writeln!(
            f,
            "{} moves took longer than the formulas allow",
            self.late.len()
        )?;
        let mut late = self.late.clone();
        late.sort_by_key(|(took, bound, _)| bound.saturating_sub(*took));
        for (took, bound, what) in late.iter().take(10) {
            writeln!(f, "  {took:?} instead of at most {bound:?}: {what}")?;
        }
        write!(f, "{} disagreements", self.disagreements.len())
    }
}

/// How long it may take until nothing changes any more.
fn patience(cluster: &Cluster) -> Duration {
    bound(cluster) * 2 + Duration::from_secs(6)
}

/// The most that the formulas allow from an event until its last consequence: a check that fails or passes, a delayed
/// preemption, and a master that is silent.
fn bound(cluster: &Cluster) -> Duration {
    let advert = cluster.vrrp.advert_interval.duration();
    let health = &cluster.health;
    let checks = health.interval * (health.rise.max(health.fall) + 1) + health.timeout;
    let delay = match cluster.vrrp.preemption {
        Preemption::Preempt { delay } => delay,
        Preemption::Keep => Duration::ZERO,
    };
    let skew = advert.max(Duration::from_secs(u64::from(
        cluster.vrrp.version.number() == 2,
    )));
    cluster.vrrp.silence() + advert + skew + checks + delay + Duration::from_millis(300)
}

/// For how long what was found has to stay.
fn calm(cluster: &Cluster) -> Duration {
    cluster.vrrp.silence()
        + cluster.vrrp.advert_interval.duration() * 2
        + Duration::from_millis(300)
}

/// Waits until the kernels show what is expected, and stay so, and takes it over. Returns how long that took, or what
/// they show instead.
fn reaches(machines: &Machines, cluster: &Cluster, world: &mut World) -> Result<Duration, Owners> {
    let begun = Instant::now();
    let mut since: Option<(Instant, Owners)> = None;
    loop {
        let found = machines.owners(cluster);
        let now = Instant::now();
        if world.allows(&found) {
            let (first, same) = since.get_or_insert_with(|| (now, found.clone()));
            if *same != found {
                since = None;
            } else if now - *first > calm(cluster) {
                let took = *first - begun;
                world.is_owned_by(found);
                return Ok(took);
            }
        } else {
            since = None;
            if now - begun > patience(cluster) {
                return Err(found);
            }
        }
        thread::sleep(PAUSE);
    }
}

/// Who owns the VIPs at first. Without preemption, that depends on who was quickest.
fn first_owners(machines: &Machines, cluster: &Cluster) -> Owners {
    let begun = Instant::now();
    let mut found = machines.owners(cluster);
    let mut since = Instant::now();
    while since.elapsed() < calm(cluster) && begun.elapsed() < patience(cluster) {
        thread::sleep(PAUSE);
        let now = machines.owners(cluster);
        if now != found || now.values().any(|owners| owners.len() != 1) {
            found = now;
            since = Instant::now();
        }
    }
    found
}

pub(crate) fn play(
    machines: &Machines,
    scenario: &Scenario,
    steps: &[Step],
) -> Result<Vec<Played>, Box<Disagreement>> {
    let cluster = &scenario.cluster;
    let mut world = World::of(cluster);
    machines.deploy(cluster);
    let differs = |expected: Owners, found: Owners, count: usize| {
        Box::new(Disagreement {
            steps: steps[..count].to_vec(),
            expected,
            found,
            is_repeated: false,
            journal: machines.journal(cluster.nodes.len()),
        })
    };
    if cluster.vrrp.preemption == Preemption::Keep {
        world.is_owned_by(first_owners(machines, cluster));
    } else {
        reaches(machines, cluster, &mut world)
            .map_err(|found| differs(world.owners(), found, 0))?;
    }
    let mut played = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let before = world.owners();
        world.apply(step);
        let expected = world.owners();
        machines.make(cluster, step);
        let took = reaches(machines, cluster, &mut world)
            .map_err(|found| differs(expected.clone(), found, number + 1))?;
        played.push(Played {
            what: format!("seed {}: {step}", scenario.seed),
            took,
            bound: bound(cluster),
            moved: before != expected,
        });
    }
    Ok(played)
}

/// Repeats the scenario with fewer steps, as long as it fails.
pub(crate) fn shrink(
    machines: &Machines,
    scenario: &Scenario,
    first: Disagreement,
) -> Disagreement {
    let again = |steps: &[Step]| {
        let failed = play(machines, scenario, steps).err()?;
        Some(Disagreement {
            is_repeated: true,
            ..*failed
        })
    };
    let Some(mut shortest) = again(&first.steps) else {
        return first;
    };
    let mut at = 0;
    while at < shortest.steps.len() {
        let mut fewer = shortest.steps.clone();
        fewer.remove(at);
        let failed = is_possible(&scenario.cluster, &fewer).then(|| again(&fewer));
        match failed.flatten() {
            Some(shorter) => (shortest, at) = (shorter, 0),
            None => at += 1,
        }
    }
    shortest
}

fn is_possible(cluster: &Cluster, steps: &[Step]) -> bool {
    let mut world = World::of(cluster);
    steps.iter().all(|step| {
        let can = world.can(step);
        if can {
            world.apply(step);
        }
        can
    })
}

impl Disagreement {
    pub(crate) fn text(&self, scenario: &Scenario, machines: &Machines) -> String {
        let versions = &machines.versions[..scenario.cluster.nodes.len()];
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        let again = if self.is_repeated {
            "again and again"
        } else {
            "once of two times"
        };
        format!(
            "seed {}, keepalived {}, {again}\n{}{}\nexpected {:?}, found {:?}\n{}",
            scenario.seed,
            versions.join(", "),
            scenario.inventory,
            steps.join("\n"),
            self.expected,
            self.found,
            self.journal
        )
    }
}
