//! The packages that a node lacks for what it shall run.

use super::desired::Desired;
use crate::agent::{Observation, Program};
use crate::model::OsFamily;

/// Debian's package with nginx's `stream` module.
pub(super) const STREAM_MODULE: &str = "libnginx-mod-stream";

/// What has to be installed. Nothing for generation 0: the host was without it.
pub(super) fn missing_packages(desired: &Desired, seen: &Observation) -> Vec<String> {
    if desired.is_original {
        return Vec::new();
    }
    let programs = [("nginx", &seen.nginx), ("keepalived", &seen.keepalived)];
    let mut packages: Vec<String> = programs
        .iter()
        .filter(|(_, program)| matches!(program, Program::Missing { .. }))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    // Debian's nginx has the module in a package of its own; it loads it by a file in modules-enabled.
    if wants_streams(desired) && !seen.nginx_streams && family(seen) == Some(OsFamily::Debian) {
        packages.push(STREAM_MODULE.to_owned());
    }
    packages
}

fn family(seen: &Observation) -> Option<OsFamily> {
    seen.facts().ok().map(|facts| facts.family)
}

fn wants_streams(desired: &Desired) -> bool {
    let conf = desired
        .tree
        .files
        .iter()
        .find(|file| file.role == "nginx_conf");
    conf.is_some_and(|file| {
        let text = String::from_utf8_lossy(&file.content);
        text.lines().any(|line| line.trim_end() == "stream {")
    })
}
