//! Running state that differs from what was applied.

use crate::agent::Observation;
use crate::model::UnitId;
use crate::units;

/// Running state that differs from what its file says: what a comparison of files never shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RunningDrift {
    /// The kernel uses another value than the one that was applied.
    Sysctl {
        /// The key.
        key: String,
        /// What was applied.
        applied: String,
        /// What the kernel uses.
        kernel: Option<String>,
    },
    /// A unit runs another configuration than the one that was applied: a reload that failed.
    Loaded {
        /// The unit.
        unit: UnitId,
        /// The identity of what was applied.
        applied: String,
        /// The identity of what it has loaded, by its own word; `None` for nothing of hactl's.
        loaded: Option<String>,
    },
    /// keepalived would not see a change of a file that it tracks: the file or its folder was removed.
    Unwatched {
        /// The file.
        file: String,
    },
    /// A daemon does not run.
    Down {
        /// Its unit.
        unit: String,
        /// systemd's word for its state.
        state: String,
    },
    /// A daemon's unit is masked: systemd neither starts nor reloads it.
    Masked {
        /// Its unit.
        unit: String,
    },
    /// A daemon would not be started at boot.
    NotEnabled {
        /// Its unit.
        unit: String,
    },
    /// A unit's file is newer than what systemd knows of it.
    DaemonReloadNeeded {
        /// Its unit.
        unit: String,
    },
}

/// What the kernel uses, and nothing for a key that it lacks or that is empty: a record writes both as
/// an empty text or `-`.
pub(super) fn kernel_value<'a>(seen: &'a Observation, key: &str) -> Option<&'a str> {
    told(seen.sysctls.get(key)?.as_deref()?)
}

pub(super) fn told(value: &str) -> Option<&str> {
    Some(value).filter(|value| !matches!(*value, "" | "-"))
}

/// What runs, against what was applied.
pub fn drift(seen: &Observation) -> Vec<RunningDrift> {
    let Some(recorded) = &seen.recorded else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, applied) in &recorded.sysctls {
        let kernel = kernel_value(seen, key);
        if kernel != told(applied) && seen.sysctls.contains_key(key) {
            found.push(RunningDrift::Sysctl {
                key: key.clone(),
                applied: applied.clone(),
                kernel: kernel.map(str::to_owned),
            });
        }
    }
    for id in units::ids() {
        let (unit, service) = (id.service(), seen.service(id));
        if service.is_masked() {
            found.push(RunningDrift::Masked { unit: unit.clone() });
        }
        if !service.is_active() {
            found.push(RunningDrift::Down {
                unit,
                state: service.active,
            });
            continue;
        }
        if !service.is_masked() && service.enabled != "enabled" {
            found.push(RunningDrift::NotEnabled { unit: unit.clone() });
        }
        if !service.is_masked() && service.needs_daemon_reload {
            found.push(RunningDrift::DaemonReloadNeeded { unit });
        }
        if id == UnitId::KEEPALIVED {
            let unwatched = seen.unwatched.iter().cloned();
            found.extend(unwatched.map(|file| RunningDrift::Unwatched { file }));
        }
        let applied = recorded.facts.id_of(id).unwrap_or_default();
        if seen.loaded(id) != Some(applied) {
            found.push(RunningDrift::Loaded {
                unit: id,
                applied: applied.to_owned(),
                loaded: seen.loaded(id).map(str::to_owned),
            });
        }
    }
    found
}
