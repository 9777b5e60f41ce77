//! Running state that differs from what was applied.

use crate::agent::Observation;
use crate::model::UnitId;
use crate::units;

/// Running state that differs from its file, which a comparison of files cannot reveal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RunningDrift {
    /// The kernel's value differs from the one that was applied.
    Sysctl {
        /// The key.
        key: String,
        /// The applied value.
        applied: String,
        /// The kernel's value.
        kernel: Option<String>,
    },
    /// A unit runs a configuration other than the applied one, because a reload failed.
    Loaded {
        /// The unit.
        unit: UnitId,
        /// The identity of the applied configuration.
        applied: String,
        /// The identity that the unit reports. `None` if it runs no configuration of hactl's.
        loaded: Option<String>,
    },
    /// keepalived no longer notices changes of a tracked file, because the file or its directory was removed.
    Unwatched {
        /// The file.
        file: String,
    },
    /// A daemon is down.
    Down {
        /// Its unit.
        unit: String,
        /// Its state according to systemd.
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
    /// A unit file is newer than the one that systemd has loaded.
    DaemonReloadNeeded {
        /// Its unit.
        unit: String,
    },
}

/// The kernel's value. `None` if the key is missing or empty, which a record writes as an empty text or `-`.
pub(super) fn kernel_value<'a>(seen: &'a Observation, key: &str) -> Option<&'a str> {
    told(seen.sysctls.get(key)?.as_deref()?)
}

pub(super) fn told(value: &str) -> Option<&str> {
    Some(value).filter(|value| !matches!(*value, "" | "-"))
}

/// Compares the running state with what was applied.
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
