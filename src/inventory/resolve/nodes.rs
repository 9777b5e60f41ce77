//! The nodes, and how to reach them.

use camino::Utf8PathBuf;

use super::distinct;
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, List, NodeKeys, Spanned, SshKeys};
use crate::model::{Login, Node, RouterId, SshSettings};

/// The number of distinct default priorities.
const MAX_NODES: usize = 127;

pub(super) fn resolve(keys: &ClusterKeys, faults: &mut Diagnostics) -> Option<Vec<Node>> {
    let nodes = keys.nodes.as_ref()?;
    check(nodes, faults);
    nodes.iter().map(|node| resolve_one(node, keys)).collect()
}

fn check(nodes: &Spanned<List<NodeKeys>>, faults: &mut Diagnostics) {
    if nodes.typed_len() == 0 {
        let fault = Diagnostic::at(&nodes.span, "nodes: must not be empty");
        faults.add(fault.help("add `- { name: lb1, address: 10.0.0.11, interface: eth0 }`"));
    }
    if nodes.len() > MAX_NODES {
        let message = format!(
            "nodes: {} nodes are more than VRRP has priorities for",
            nodes.len()
        );
        faults.add(Diagnostic::at(&nodes.span, message).help(format!("{MAX_NODES} is the limit")));
    }
    let names = nodes.iter().filter_map(|node| node.name.as_ref());
    distinct::check(names, "the node", "give each node its own name", faults);
    let addresses = nodes.iter().filter_map(|node| node.address.as_ref());
    distinct::check(
        addresses,
        "the address",
        "give each node its own address",
        faults,
    );
    let priorities = nodes.iter().filter_map(|node| node.priority.as_ref());
    let help = "give each node its own priority; two nodes with the same one may both own the VIP";
    distinct::check(priorities, "the priority", help, faults);
    all_or_none(nodes, faults);
}

/// A mix of explicit and default priorities would be an order that nobody chose.
fn all_or_none(nodes: &[Spanned<NodeKeys>], faults: &mut Diagnostics) {
    let Some(typed) = nodes.iter().find_map(|node| node.priority.as_ref()) else {
        return;
    };
    for node in nodes.iter().filter(|node| node.priority.is_none()) {
        let message = format!("{}: no priority, while another node has one", node.path);
        let fault = Diagnostic::at(&node.span, message)
            .also(&typed.span, "this one has")
            .help(
                "give every node a `priority`, or none, and hactl chooses them from 254 downwards",
            );
        faults.add(fault);
    }
}

fn resolve_one(keys: &Spanned<NodeKeys>, cluster: &ClusterKeys) -> Option<Node> {
    let name = keys.name.as_ref()?.value.clone();
    let address = keys.address.as_ref()?.value;
    let router_id = match &keys.router_id {
        Some(id) => id.value.clone(),
        None => RouterId::new(name.as_str()).ok()?,
    };
    let host = keys
        .host
        .as_ref()
        .map_or_else(|| address.to_string(), |host| host.0.clone());
    let ssh = ssh(keys.ssh.as_ref()?, cluster.ssh.as_ref()?, host);
    Some(Node {
        name,
        address,
        interface: keys.interface.as_ref()?.value.clone(),
        router_id,
        ssh,
        path: keys.path.clone(),
    })
}

/// The node's own settings, with the cluster's as defaults.
fn ssh(own: &SshKeys, common: &SshKeys, host: String) -> SshSettings {
    let user = own.user.as_ref().or(common.user.as_ref());
    let jump = own.jump.as_ref().or(common.jump.as_ref());
    let port = own.port.as_ref().or(common.port.as_ref());
    let identity = own.identity_file.as_ref().or(common.identity_file.as_ref());
    // The cluster's `sudo` is about the cluster's user, so it does not apply to a node with its own user.
    let inherited = common.sudo.as_ref().filter(|_| own.user.is_none());
    let sudo = own.sudo.as_ref().or(inherited).map_or_else(
        || user.is_some_and(|user| user.as_str() != "root"),
        |sudo| sudo.value,
    );
    SshSettings {
        host,
        user: user.map(|user| user.value.clone()),
        port: port.map(|port| port.as_u16()),
        jump: jump.map(|jump| jump.0.clone()),
        identity_file: identity.map(|path| Utf8PathBuf::from(&path.0)),
        login: if sudo { Login::Sudo } else { Login::Root },
    }
}
