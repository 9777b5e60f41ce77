//! The hosts as they will be after recovery. A plan for them can be shown before the user has approved either.

use super::error::OpsError;
use super::recovery::Recovery;
use crate::agent::{Entry, Fact, FailureCode, LiveFile, Observation, sha256_hex};
use crate::apply::{Fleet, RecoveryDirection};
use crate::units;

/// The hosts as they will be once `recovery` is carried out, as far as can be foreseen: with the files of the
/// generation that stays, and no change in progress. Read-only. What cannot be foreseen, such as a file that was edited
/// by hand before the change, shows when the hosts are observed again afterwards.
pub(super) async fn foresee(
    recovery: &Recovery,
    fleet: &Fleet,
    seen: &[Observation],
) -> Result<Vec<Observation>, OpsError> {
    let mut hosts = Vec::new();
    for host in seen {
        let mut host = host.clone();
        let direction = recovery.change_on(&host).map(|change| change.direction);
        match direction {
            Some(RecoveryDirection::RollBack) => roll_back(&mut host, fleet).await?,
            Some(RecoveryDirection::Complete) => complete(&mut host),
            None => {}
        }
        if direction.is_some() {
            host.journal = None;
        }
        if host.lock.as_ref().is_some_and(|lock| lock.stale) && host.journal.is_none() {
            host.lock = None;
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// The files are those of the live generation, on top of those from before hactl.
async fn roll_back(host: &mut Observation, fleet: &Fleet) -> Result<(), OpsError> {
    let live = host.generation().filter(|number| *number > 0);
    for number in std::iter::once(0).chain(live) {
        let Some(agent) = fleet.get(&host.node) else {
            continue;
        };
        let (manifest, mut contents) = match agent.generation(number).await {
            Ok(generation) => generation,
            Err(error) if error.code() == Some(FailureCode::NoGeneration) => continue,
            Err(error) => {
                return Err(OpsError::Hosts {
                    errors: vec![error],
                });
            }
        };
        for entry in manifest.entries {
            let (path, file) = match entry {
                Entry::File {
                    mode,
                    owner,
                    group,
                    path,
                    ..
                } => {
                    let Some(content) = contents.remove(&path) else {
                        continue;
                    };
                    let file = LiveFile::File {
                        mode,
                        owner,
                        group,
                        content,
                    };
                    (path, file)
                }
                Entry::Link { target, path } => (path, LiveFile::Link(target)),
                Entry::Absent { path } => (path, LiveFile::Absent),
            };
            host.files.insert(path, file);
        }
        let values = manifest.sysctls.into_iter();
        host.sysctls
            .extend(values.map(|(key, value)| (key, Some(value))));
    }
    let recorded = host.recorded.as_ref();
    let id = |unit| Some((unit, recorded?.facts.id_of(unit)?.to_owned()));
    host.loaded = units::ids().filter_map(id).collect();
    Ok(())
}

/// What is live becomes what is recorded.
fn complete(host: &mut Observation) {
    let generation = host.journal.as_ref().and_then(|it| it.generation);
    let Some(recorded) = &mut host.recorded else {
        return;
    };
    let number = generation.map(|number| number.to_string());
    recorded
        .facts
        .set(Fact::Generation, number.unwrap_or_default());
    for unit in units::ids() {
        let id = host.loaded.get(&unit).cloned();
        recorded.facts.set_id(unit, id.unwrap_or_default());
    }
    for entry in &mut recorded.entries {
        if let Entry::File { sha256, path, .. } = entry
            && let Some(content) = host.files.get(path).and_then(LiveFile::content)
        {
            *sha256 = sha256_hex(content);
        }
    }
}
