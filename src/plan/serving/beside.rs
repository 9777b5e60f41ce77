//! hactl's part of a shared configuration, and the parts of others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::files::with;
use crate::agent::{Serving, Tree};
use crate::conf::keepalived::Instance;
use crate::conf::nginx::Server;
use crate::conf::{Files, keepalived, nginx};
use crate::model::{Socket, Transport};

/// How the daemons read hactl's part and the rest.
pub(in crate::plan) struct Beside {
    /// nginx reads hactl's part inside `http`.
    pub(in crate::plan) nginx_reads: bool,
    pub(in crate::plan) keepalived_reads: bool,
    pub(in crate::plan) own_instances: Vec<Instance>,
    pub(in crate::plan) others_instances: Vec<Instance>,
    /// A file of others that runs scripts, if none of theirs enables script security.
    pub(in crate::plan) insecure: Option<String>,
}

impl Beside {
    /// Reads the files as they will be with `tree` in place. `file` is hactl's part.
    pub(in crate::plan) fn of(tree: &Tree, serving: &Serving, file: &str) -> Self {
        let files = with(&serving.conf_files(), tree);
        let conf = keepalived::Conf::read(&files, None);
        let (own, others) = conf
            .instances
            .into_iter()
            .partition(|instance| instance.file == file);
        let others_words = || conf.keywords.iter().filter(|(path, _)| *path != file);
        let is_secured = others_words().any(|(_, words)| words.contains("enable_script_security"));
        let runs_scripts = |words: &BTreeSet<String>| words.iter().any(|word| is_script(word));
        let insecure = others_words()
            .find(|(_, words)| !is_secured && runs_scripts(words))
            .map(|(path, _)| path.clone());
        Self {
            nginx_reads: nginx::Conf::read(&files)
                .servers
                .iter()
                .any(|server| server.file == file),
            keepalived_reads: conf.keywords.contains_key(file),
            own_instances: own,
            others_instances: others,
            insecure,
        }
    }
}

fn is_script(word: &str) -> bool {
    let is_one = ["vrrp_script", "MISC_CHECK", "quorum_up", "quorum_down"].contains(&word);
    is_one || word.starts_with("notify") && !word.starts_with("notification")
}

/// Names of the VRRP instances outside hactl's part, as they will be.
pub(in crate::plan) fn instances_of_others(
    tree: &Tree,
    serving: &Serving,
    file: &str,
) -> BTreeSet<String> {
    let others = Beside::of(tree, serving, file).others_instances;
    others.into_iter().map(|instance| instance.name).collect()
}

/// TCP ports that move between a wildcard and single addresses. nginx cannot open the one while the other is open.
/// It says so in its error log only, and keeps running the old configuration (rule NG003).
pub(in crate::plan) fn moved_ports(tree: &Tree, now: &Files<'_>) -> Vec<u16> {
    let before = bound(&nginx::Conf::read(now).servers);
    let after = bound(&nginx::Conf::read(&with(now, tree)).servers);
    let any = |addresses: &BTreeSet<IpAddr>| addresses.iter().any(IpAddr::is_unspecified);
    let moved = after.iter().filter(|(port, new)| {
        let Some(old) = before.get(port) else {
            return false;
        };
        let opens: BTreeSet<IpAddr> = new.difference(old).copied().collect();
        !opens.is_empty() && (any(&opens) != any(old) || any(&opens) && old.len() > 1)
    });
    moved.map(|(port, _)| port.0).collect()
}

/// The addresses that nginx binds, by port and family. A wildcard replaces all other addresses of its family.
fn bound(servers: &[Server]) -> BTreeMap<(u16, bool), BTreeSet<IpAddr>> {
    let mut found: BTreeMap<(u16, bool), BTreeSet<IpAddr>> = BTreeMap::new();
    let sockets = servers.iter().flat_map(|server| &server.sockets);
    for Socket { address, port, .. } in sockets.filter(|it| it.transport == Transport::Tcp) {
        found
            .entry((*port, address.is_ipv4()))
            .or_default()
            .insert(*address);
    }
    for addresses in found.values_mut() {
        if addresses.iter().any(IpAddr::is_unspecified) {
            addresses.retain(IpAddr::is_unspecified);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::moved_ports;
    use crate::agent::{Manifest, Tree, TreeFile};
    use crate::conf::Files;
    use crate::model::{FileRole, HostPath};

    const MAIN: &str = "/etc/nginx/nginx.conf";

    #[test]
    fn only_a_swap_on_the_same_port_needs_a_restart() {
        let conf = |listens: &str| format!("http {{ server {{ {listens} }} }}");
        for (before, after, expected) in [
            ("listen 80;", "listen 10.0.0.100:80;", vec![80]),
            (
                "listen 10.0.0.100:80 backlog=511;",
                "listen 80 default_server;",
                vec![80],
            ),
            (
                "listen 80;\nlisten [::]:80;",
                "listen 80;\nlisten [::]:80;\nlisten 443;",
                vec![],
            ),
            ("listen 80;", "listen 8080;", vec![]),
            ("listen 127.0.0.1:81;", "listen 127.0.0.1:82;", vec![]),
            ("listen 80;", "# listen 10.0.0.100:80;\nlisten 80;", vec![]),
            ("listen *:80;", "listen\n10.0.0.100:80;", vec![80]),
        ] {
            let file = TreeFile {
                role: FileRole::NginxConf,
                mode: 0o644,
                owner: "root".to_owned(),
                group: "root".to_owned(),
                path: HostPath::new(MAIN).unwrap(),
                content: conf(after).into_bytes(),
            };
            let tree = Tree {
                manifest: Manifest::default(),
                files: vec![file],
            };
            let now = Files::single(MAIN, conf(before));
            assert_eq!(moved_ports(&tree, &now), expected, "{before} -> {after}");
        }
    }
}
