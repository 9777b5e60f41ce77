//! Why an instance is in FAULT.

use crate::model::UnitId;
use std::net::IpAddr;

use crate::agent::{Observation, Tracked, TrackedKind, VrrpState};

/// keepalived takes an instance out of the election if a tracked file has this value or less.
const FILE_FAULT: i64 = -254;

/// The file through which nginx's unit tells keepalived whether nginx runs.
const NGINX_FILE: &str = "/run/hactl/nginx";

/// A cause of an instance's FAULT state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema, thiserror::Error)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum FaultCause {
    /// An interface is down.
    #[error("the interface {interface} is down")]
    InterfaceDown {
        /// The interface.
        interface: String,
    },
    /// The VRRP source address is on no interface.
    #[error("the host does not have its address {address}")]
    AddressMissing {
        /// The address.
        address: IpAddr,
    },
    /// A track script fails.
    #[error("the check {path} {}", failure.as_deref().unwrap_or("failed"))]
    ScriptFailing {
        /// Its name in keepalived.conf.
        name: String,
        /// The command.
        path: String,
        /// How it failed, as keepalived logged it.
        failure: Option<String>,
    },
    /// A tracked file takes the node out of the election.
    #[error("{path} says {value}{}", if *is_nginx_down { ", and nginx is not running" } else { "" })]
    TrackedFile {
        /// Its name in keepalived.conf.
        name: String,
        /// The file.
        path: String,
        /// The file's value times its weight.
        value: i64,
        /// Whether it is the file about nginx, and nginx's unit is seen to be down.
        is_nginx_down: bool,
    },
}

impl FaultCause {
    /// True if both have the same subject, whatever its current state.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ScriptFailing { path, .. }, Self::ScriptFailing { path: same, .. })
            | (Self::TrackedFile { path, .. }, Self::TrackedFile { path: same, .. }) => {
                path == same
            }
            _ => self == other,
        }
    }
}

/// The causes of `vrrp`'s FAULT state on the observed node, as far as they can be seen.
pub(super) fn fault_causes(seen: &Observation, vrrp: &VrrpState) -> Vec<FaultCause> {
    let missing = vrrp.source.filter(|source| !seen.holds(*source));
    let missing = missing.map(|address| FaultCause::AddressMissing { address });
    let watched = seen
        .tracked
        .iter()
        .filter(|tracked| tracked.instances.contains(&vrrp.instance));
    let failing = watched.filter_map(|tracked| cause(seen, tracked));
    missing.into_iter().chain(failing).collect()
}

fn cause(seen: &Observation, tracked: &Tracked) -> Option<FaultCause> {
    let name = || tracked.name.clone();
    match &tracked.kind {
        TrackedKind::Interface { is_up: false } => {
            Some(FaultCause::InterfaceDown { interface: name() })
        }
        TrackedKind::Script {
            path,
            is_failing: true,
        } => {
            let mut failures = seen.script_failures.iter().rev();
            let last = failures.find(|(script, _)| *script == tracked.name);
            Some(FaultCause::ScriptFailing {
                name: name(),
                path: path.clone(),
                failure: last.map(|(_, text)| text.clone()),
            })
        }
        TrackedKind::File { path, value } if *value <= FILE_FAULT => {
            Some(FaultCause::TrackedFile {
                name: name(),
                path: path.clone(),
                value: *value,
                is_nginx_down: path == NGINX_FILE && !seen.service(UnitId::NGINX).is_active(),
            })
        }
        _ => None,
    }
}
