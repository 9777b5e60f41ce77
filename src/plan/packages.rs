//! The packages that a node lacks for what it shall run.

use std::collections::BTreeMap;

use super::desired::Desired;
use super::types::NodePlan;
use crate::agent::{Observation, Program};
use crate::model::{FileRole, HostPath, OsFamily};

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

impl NodePlan {
    /// What lies on the host once the packages of this plan are installed, as far as it must be what it was
    /// when the plan was made. A package brings files only where nothing lay (apt keeps what did), and only
    /// into the folders of the daemon that it is for.
    pub fn expected_after_installation(&self) -> BTreeMap<HostPath, Option<String>> {
        expected_after(&self.install, &self.expected)
    }
}

fn expected_after(
    install: &[String],
    before: &BTreeMap<HostPath, Option<String>>,
) -> BTreeMap<HostPath, Option<String>> {
    let folder = |package: &String| match package.as_str() {
        "keepalived" => "/etc/keepalived/",
        _ => "/etc/nginx/",
    };
    let folders: Vec<&str> = install.iter().map(folder).collect();
    let is_known = |path: &HostPath, hash: &Option<String>| {
        hash.is_some()
            || !folders
                .iter()
                .any(|folder| path.as_str().starts_with(folder))
    };
    before
        .iter()
        .filter(|(path, hash)| is_known(path, hash))
        .map(|(path, hash)| (path.clone(), hash.clone()))
        .collect()
}

fn family(seen: &Observation) -> Option<OsFamily> {
    seen.facts().ok().map(|facts| facts.family)
}

fn wants_streams(desired: &Desired) -> bool {
    let conf = desired
        .tree
        .files
        .iter()
        .find(|file| file.role == FileRole::NginxConf);
    conf.is_some_and(|file| {
        let text = String::from_utf8_lossy(&file.content);
        text.lines().any(|line| line.trim_end() == "stream {")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_excuses_only_what_it_may_have_brought() {
        let (nginx, keepalived, sysctl) = (
            "/etc/nginx/nginx.conf",
            "/etc/keepalived/keepalived.conf",
            "/etc/sysctl.d/90-hactl.conf",
        );
        let hash = Some("0123".to_owned());
        let table = [
            // packages, what lay there, what must still lie there
            (vec![], vec![(nginx, None)], vec![nginx]),
            (
                vec!["nginx"],
                vec![(nginx, None), (keepalived, None)],
                vec![keepalived],
            ),
            (
                vec![STREAM_MODULE],
                vec![(nginx, hash.clone())],
                vec![nginx],
            ),
            (
                vec!["nginx"],
                vec![(nginx, hash.clone()), (sysctl, None)],
                vec![nginx, sysctl],
            ),
            (
                vec!["nginx", "keepalived"],
                vec![(nginx, None), (keepalived, None)],
                vec![],
            ),
            (
                vec!["keepalived"],
                vec![(keepalived, hash)],
                vec![keepalived],
            ),
        ];
        for (install, before, kept) in table {
            let install: Vec<String> = install.into_iter().map(str::to_owned).collect();
            let before = before.into_iter();
            let before = before.map(|(path, hash)| (HostPath::new(path).unwrap(), hash));
            let found = expected_after(&install, &before.collect());
            let found: Vec<&str> = found.keys().map(HostPath::as_str).collect();
            let mut kept = kept;
            kept.sort_unstable();
            assert_eq!(found, kept, "{install:?}");
        }
    }
}
