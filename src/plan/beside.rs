//! Whether hactl can share a daemon's configuration with others. This finds what the daemons' own tests would
//! accept, or reject without naming the culprit.

use std::net::IpAddr;

use super::desired::Desired;
use super::serving::Beside;
use crate::agent::{Entry, Fact, Observation, Program, TreeFile};
use crate::model::{NodeName, UnitId};
use crate::units::{self, ManagedUnit};

/// Why hactl cannot share the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BesideError {
    /// The main file is hactl's own, so there is nothing to share.
    #[error("{node}: {main} is hactl's own since generation {generation}, and cannot be shared")]
    OwnMain {
        /// The node.
        node: NodeName,
        /// The main file.
        main: &'static str,
        /// The generation that is live.
        generation: u64,
    },
    /// There is no main file.
    #[error("{node}: there is no {main} to share")]
    NoMain {
        /// The node.
        node: NodeName,
        /// The main file.
        main: &'static str,
        /// The line that includes hactl's part.
        line: &'static str,
    },
    /// The main file does not include hactl's part.
    #[error("{node}: {main} does not include {file}")]
    NotIncluded {
        /// The node.
        node: NodeName,
        /// The main file.
        main: &'static str,
        /// hactl's part.
        file: String,
        /// The missing line.
        line: &'static str,
    },
    /// Others already have an instance of that name.
    #[error("{node}: {file} already has a vrrp_instance {instance}")]
    SameInstance {
        /// The node.
        node: NodeName,
        /// The file of the others' instance.
        file: String,
        /// Its name.
        instance: String,
    },
    /// Others already have that virtual IP.
    #[error("{node}: vrrp_instance {instance} in {file} already has {vip}")]
    SameVip {
        /// The node.
        node: NodeName,
        /// The file of the others' instance.
        file: String,
        /// The instance.
        instance: String,
        /// The address.
        vip: IpAddr,
    },
    /// keepalived runs scripts of others without checking who may modify them. hactl's part turns script security on
    /// globally, which may disable some of theirs.
    #[error(
        "{node}: {file} runs scripts without enable_script_security, and hactl's part needs it"
    )]
    NoScriptSecurity {
        /// The node.
        node: NodeName,
        /// A file that runs scripts.
        file: String,
    },
}

impl BesideError {
    pub fn hint(&self) -> String {
        match self {
            Self::OwnMain { .. } => {
                "bring the hosts' own back with `hactl rollback --to 0`, then apply".to_owned()
            }
            Self::NoMain { main, line, .. } => {
                format!("create {main} with the line `{line}`, or let hactl own it (`hosts`)")
            }
            Self::NotIncluded { main, line, .. } if main.contains("nginx") => {
                format!("add `{line}` to the http block of {main}")
            }
            Self::NotIncluded { main, line, .. } => format!("add the line `{line}` to {main}"),
            Self::SameInstance { .. } => {
                "give the virtual IP another `name` in the inventory".to_owned()
            }
            Self::SameVip { .. } => {
                "remove it from one of them: a virtual IP has one virtual router".to_owned()
            }
            Self::NoScriptSecurity { .. } => {
                "add `enable_script_security` to the global_defs there once its scripts are root's alone"
                    .to_owned()
            }
        }
    }
}

/// True when this generation shares the configuration of `unit` with others.
pub(super) fn shares(manifest: &crate::agent::Manifest, unit: UnitId) -> bool {
    let shared = manifest.get(Fact::Shares).unwrap_or_default();
    shared.split(' ').any(|own| own == unit.name())
}

/// Refuses a host whose daemon would not read hactl's part, or where that would conflict with others.
pub(super) fn require(desired: &Desired, seen: &Observation) -> Result<(), BesideError> {
    for unit in units::all() {
        if shares(&desired.tree.manifest, unit.id) {
            require_one(unit, desired, seen)?;
        }
    }
    Ok(())
}

fn require_one(
    unit: &ManagedUnit,
    desired: &Desired,
    seen: &Observation,
) -> Result<(), BesideError> {
    let (node, main) = (|| desired.node.clone(), unit.conf.path);
    if let Some(recorded) = &seen.recorded {
        let is_main = |entry: &&Entry| {
            entry.path().as_str() == main && !matches!(entry, Entry::Absent { .. })
        };
        if recorded.entries.iter().any(|entry| is_main(&entry)) {
            let generation = recorded.generation().unwrap_or_default();
            return Err(BesideError::OwnMain {
                node: node(),
                main,
                generation,
            });
        }
    }
    let is_nginx = unit.id == UnitId::NGINX;
    let is_conf = |file: &&TreeFile| file.role == unit.conf.role;
    let own = desired.tree.files.iter().find(is_conf);
    let (Some(own), Some(serving)) = (own, &seen.serving) else {
        return Ok(());
    };
    let file = own.path.to_string();
    let line = if is_nginx {
        "include /etc/nginx/conf.d/*.conf;"
    } else {
        "include /etc/keepalived/conf.d/*.conf"
    };
    if !serving.files.contains_key(main) {
        // The nginx package installs one that includes hactl's part.
        if is_nginx && matches!(seen.program(unit.id), Program::Missing { .. }) {
            return Ok(());
        }
        return Err(BesideError::NoMain {
            node: node(),
            main,
            line,
        });
    }
    let beside = Beside::of(&desired.tree, serving, &file);
    if is_nginx {
        return beside
            .nginx_reads
            .then_some(())
            .ok_or_else(|| BesideError::NotIncluded {
                node: node(),
                main,
                file,
                line,
            });
    }
    if !beside.keepalived_reads {
        return Err(BesideError::NotIncluded {
            node: node(),
            main,
            file,
            line,
        });
    }
    for own in &beside.own_instances {
        for theirs in &beside.others_instances {
            let (file, instance) = (theirs.file.clone(), theirs.name.clone());
            if theirs.name == own.name {
                return Err(BesideError::SameInstance {
                    node: node(),
                    file,
                    instance,
                });
            }
            let shared = own.vips().find(|vip| theirs.vips().any(|it| it == *vip));
            if let Some(vip) = shared {
                return Err(BesideError::SameVip {
                    node: node(),
                    file,
                    instance,
                    vip,
                });
            }
        }
    }
    beside.insecure.map_or(Ok(()), |file| {
        Err(BesideError::NoScriptSecurity { node: node(), file })
    })
}
