//! The packages that a node lacks.

use std::collections::BTreeMap;

use super::desired::Desired;
use super::types::NodePlan;
use crate::agent::{Observation, Program};
use crate::conf::nginx::Conf;
use crate::model::{Distribution, FileRole, HostPath, UnitId};
use crate::units;

/// The packages to install. None for generation 0, since the host ran without them.
pub(super) fn missing_packages(desired: &Desired, seen: &Observation) -> Vec<String> {
    if desired.is_original {
        return Vec::new();
    }
    let is_missing = |unit: &UnitId| matches!(seen.program(*unit), Program::Missing { .. });
    let missing = units::ids().filter(is_missing);
    let mut packages: Vec<String> = missing.map(|unit| unit.name().to_owned()).collect();
    if wants_streams(desired) && !seen.nginx_streams {
        let module = Distribution::of(&seen.os).and_then(|row| row.stream_module);
        packages.extend(module.map(str::to_owned));
    }
    packages
}

impl NodePlan {
    /// The hashes of files that must be the same after this plan's packages are installed as when the plan was made.
    /// A package creates files only where none existed (apt keeps existing ones), and only in the directories of its
    /// daemon.
    pub fn expected_after_installation(&self) -> BTreeMap<HostPath, Option<String>> {
        expected_after(&self.packages(), &self.expected)
    }
}

fn expected_after(
    install: &[&str],
    before: &BTreeMap<HostPath, Option<String>>,
) -> BTreeMap<HostPath, Option<String>> {
    let is_of = |unit: UnitId, package: &&str| {
        *package == unit.name() || unit == UnitId::NGINX && Distribution::is_stream_module(package)
    };
    let brought = |path: &HostPath| {
        units::all().any(|unit| {
            unit.is_in_folder(path) && install.iter().any(|package| is_of(unit.id, package))
        })
    };
    let is_known = |path: &HostPath, hash: &Option<String>| hash.is_some() || !brought(path);
    before
        .iter()
        .filter(|(path, hash)| is_known(path, hash))
        .map(|(path, hash)| (path.clone(), hash.clone()))
        .collect()
}

fn wants_streams(desired: &Desired) -> bool {
    let conf = desired
        .tree
        .files
        .iter()
        .find(|file| file.role == FileRole::NginxConf);
    conf.is_some_and(|file| Conf::of_text(&String::from_utf8_lossy(&file.content)).has_stream)
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
            // packages, files before, files that must be unchanged
            (vec![], vec![(nginx, None)], vec![nginx]),
            (
                vec!["nginx"],
                vec![(nginx, None), (keepalived, None)],
                vec![keepalived],
            ),
            (
                vec!["libnginx-mod-stream"],
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
