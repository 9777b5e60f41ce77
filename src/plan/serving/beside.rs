//! hactl's part of the daemons' files beside what others have there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::files::Files;
use super::keepalived::{Instance, routers};
use super::nginx::{Server, servers};
use crate::agent::{Serving, Tree};
use crate::model::{Socket, Transport};

/// What the daemons make of hactl's part, `file`, and of the rest.
pub(in crate::plan) struct Beside {
    /// nginx reads it within `http`.
    pub(in crate::plan) nginx_reads: bool,
    pub(in crate::plan) keepalived_reads: bool,
    pub(in crate::plan) own_instances: Vec<Instance>,
    pub(in crate::plan) others_instances: Vec<Instance>,
    /// A file of the others that runs scripts, where none of them asks for script security.
    pub(in crate::plan) insecure: Option<String>,
}

impl Beside {
    /// With `tree` put over what is there now.
    pub(in crate::plan) fn of(tree: &Tree, serving: &Serving, file: &str) -> Self {
        let files = Files::now(serving).with(tree);
        let routers = routers(&files);
        let (own, others) = routers
            .instances
            .into_iter()
            .partition(|instance| instance.file == file);
        let others_words = || routers.keywords.iter().filter(|(path, _)| *path != file);
        let is_secured = others_words().any(|(_, words)| words.contains("enable_script_security"));
        let runs_scripts = |words: &BTreeSet<String>| words.iter().any(|word| is_script(word));
        let insecure = others_words()
            .find(|(_, words)| !is_secured && runs_scripts(words))
            .map(|(path, _)| path.clone());
        Self {
            nginx_reads: servers(&files).iter().any(|server| server.file == file),
            keepalived_reads: routers.keywords.contains_key(file),
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

/// The names of the instances that are not in hactl's part of keepalived's files, as they will be.
pub(in crate::plan) fn instances_of_others(
    tree: &Tree,
    serving: &Serving,
    file: &str,
) -> BTreeSet<String> {
    let others = Beside::of(tree, serving, file).others_instances;
    others.into_iter().map(|instance| instance.name).collect()
}

/// The TCP ports on which nginx has to open all addresses while one of them is still open, or one while
/// all are: a reload cannot do that, whoever's servers these are.
pub(in crate::plan) fn moved_ports(tree: &Tree, serving: &Serving) -> Vec<u16> {
    let files = Files::now(serving);
    let before = bound(&servers(&files));
    let after = bound(&servers(&files.with(tree)));
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

/// The sockets that nginx opens, by port and family: an address beside all of its family has none of its
/// own.
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
