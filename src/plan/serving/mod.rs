//! What the hosts serve now, compared with what they will serve after a plan, whoever configured it.
//!
//! Both sides are read in the same way: the daemons' files as they are, and with the plan's files in place. nginx
//! serves what a server block defines and one of its open sockets confirms. A VIP is lost when no node of the plan
//! has it afterwards. Unmodified samples from a package serve nobody.

mod beside;
mod files;
mod loss;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;

pub(super) use self::beside::{Beside, instances_of_others, moved_ports};
use self::loss::told;
pub use self::loss::{Loss, LostService, StopServing};
use super::types::NodePlan;
use crate::agent::{Fact, Observation, Serving, UnitAction};
use crate::conf::nginx::Server;
use crate::conf::{Files, keepalived, nginx};
use crate::model::{Socket, Transport, UnitId};

/// A node before and after the plan.
struct Sides<'a> {
    node: &'a NodePlan,
    seen: &'a Observation,
    serving: &'a Serving,
    nginx: (nginx::Conf, nginx::Conf),
    keepalived: (keepalived::Conf, keepalived::Conf),
}

impl<'a> Sides<'a> {
    /// `None` if the host was not asked what it serves.
    fn of(node: &'a NodePlan, seen: &'a Observation) -> Option<Self> {
        let serving = seen.serving.as_ref()?;
        let now = serving.conf_files();
        let then = files::with(&now, &node.tree);
        let runs = |unit: UnitId| seen.service(unit).is_active();
        let goes_on = |action: UnitAction| action != UnitAction::Stop;
        // A daemon that does not run serves nothing, whatever its files say.
        let nginx_of = |is_up: bool, files: &Files<'_>| {
            let conf = is_up.then(|| nginx::Conf::read(files));
            conf.unwrap_or_default()
        };
        // keepalived's own options may decide which conditional lines apply, so all of them count.
        let keepalived_of = |is_up: bool, files: &Files<'_>| {
            let conf = is_up.then(|| keepalived::Conf::read(files, None));
            conf.unwrap_or_default()
        };
        Some(Self {
            node,
            seen,
            serving,
            nginx: (
                nginx_of(runs(UnitId::NGINX), &now),
                nginx_of(goes_on(node.unit(UnitId::NGINX)), &then),
            ),
            keepalived: (
                keepalived_of(runs(UnitId::KEEPALIVED), &now),
                keepalived_of(goes_on(node.unit(UnitId::KEEPALIVED)), &then),
            ),
        })
    }
}

/// Everything that would stop being served, node by node.
pub(super) fn losses(nodes: &[(NodePlan, &Observation)]) -> Vec<Loss> {
    let sides: Vec<Sides<'_>> = nodes
        .iter()
        .filter(|(node, _)| !node.is_empty())
        .filter_map(|(node, seen)| Sides::of(node, seen))
        .collect();
    // What any node has afterwards, including nodes that do not change.
    let then: Vec<keepalived::Conf> = nodes
        .iter()
        .filter_map(|(node, seen)| Some(Sides::of(node, seen)?.keepalived.1))
        .collect();
    let vips: BTreeSet<IpAddr> = then.iter().flat_map(keepalived::Conf::vips).collect();
    let mut found = Vec::new();
    for sides in &sides {
        found.extend(lost_routers(sides, &then, &vips));
        found.extend(lost_servers(sides, &vips));
    }
    found
}

fn lost_routers(
    sides: &Sides<'_>,
    then: &[keepalived::Conf],
    vips: &BTreeSet<IpAddr>,
) -> Vec<Loss> {
    let (now, after) = &sides.keepalived;
    let lost = |service| Loss::new(&sides.node.node, service);
    let mut found = Vec::new();
    let mut addresses = BTreeSet::new();
    for instance in &now.instances {
        let name = told(&instance.name);
        for address in instance.vips() {
            if !vips.contains(&address) && addresses.insert(address) {
                found.push(lost(LostService::Vip {
                    instance: name.clone(),
                    address,
                }));
            }
        }
    }
    // Instances without addresses, and running ones that are no longer in the files.
    let of_files = now
        .instances
        .iter()
        .filter(|own| own.vips().next().is_none());
    let running = sides.seen.vrrp.iter().map(|state| &state.instance);
    let running = running.filter(|name| now.instances.iter().all(|own| own.name != **name));
    let names: BTreeSet<&String> = of_files.map(|own| &own.name).chain(running).collect();
    for name in names {
        if after.instances.iter().all(|own| own.name != *name) {
            let instance = told(name);
            found.push(lost(LostService::Instance { instance }));
        }
    }
    for server in &now.virtual_servers {
        if !then
            .iter()
            .any(|conf| conf.virtual_servers.contains(server))
        {
            let virtual_server = told(server);
            found.push(lost(LostService::VirtualServer { virtual_server }));
        }
    }
    found
}

fn lost_servers(sides: &Sides<'_>, vips: &BTreeSet<IpAddr>) -> Vec<Loss> {
    let (now, after) = &sides.nginx;
    if !sides.seen.service(UnitId::NGINX).is_active() {
        return Vec::new();
    }
    let open = &sides.serving.sockets;
    let is_open = |socket: &Socket| open.iter().any(|own| own.covers(socket));
    let is_own = |socket: &Socket| is_status_port(sides.seen, socket);
    let of_servers = now
        .servers
        .iter()
        .filter(|server| !server.is_packaged)
        .flat_map(|server| server.sockets.iter().copied())
        .filter(|socket| is_open(socket) && !is_own(socket));
    // Sockets of a running nginx from files that no longer exist.
    let is_explained = |socket: &Socket| {
        let mut servers = now.servers.iter();
        servers.any(|server| server.sockets.contains(socket))
    };
    let further = open
        .iter()
        .copied()
        .filter(|socket| !is_explained(socket) && !is_own(socket));
    let sockets: BTreeSet<Socket> = of_servers.chain(further).collect();

    let mut found: Vec<Loss> = Vec::new();
    for socket in &sockets {
        let here: BTreeSet<String> = now
            .servers
            .iter()
            .filter(|server| !server.is_packaged && server.sockets.contains(socket))
            .flat_map(|server| &server.names)
            .filter(|name| !is_catch_all(name))
            .cloned()
            .collect();
        let replacing: Vec<&Server> = after
            .servers
            .iter()
            .filter(|server| replaces(server, socket, vips))
            .collect();
        let services = if replacing.is_empty() {
            vec![LostService::Listener {
                socket: *socket,
                server_names: here.iter().map(|name| told(name)).collect(),
            }]
        } else {
            here.iter()
                .filter(|name| !replacing.iter().any(|server| has_name(server, name)))
                .map(|name| LostService::Site {
                    socket: *socket,
                    server_name: told(name),
                })
                .collect()
        };
        for service in services {
            let loss = Loss::new(&sides.node.node, service);
            if !is_said(&found, &loss) {
                found.push(loss);
            }
        }
    }
    found
}

/// hactl's own port on loopback, which nobody else uses.
fn is_status_port(seen: &Observation, socket: &Socket) -> bool {
    let port = seen
        .recorded
        .as_ref()
        .and_then(|it| it.get(Fact::StatusPort));
    socket.address.is_loopback()
        && socket.transport == Transport::Tcp
        && port.is_some_and(|port| port == socket.port.to_string())
}

/// The VIPs of a family also replace its wildcard, since a cluster's clients use no other address.
fn replaces(server: &Server, socket: &Socket, vips: &BTreeSet<IpAddr>) -> bool {
    if server.sockets.iter().any(|own| own.covers(socket)) {
        return true;
    }
    let mut of_family = vips
        .iter()
        .filter(|vip| vip.is_ipv4() == socket.address.is_ipv4())
        .peekable();
    socket.is_wildcard()
        && of_family.peek().is_some()
        && of_family.all(|vip| {
            let there = Socket {
                address: *vip,
                ..*socket
            };
            server.sockets.contains(&there)
        })
}

/// `_`, an empty name and the like: a catch-all server.
fn is_catch_all(name: &str) -> bool {
    !name.starts_with('~') && !name.chars().any(char::is_alphanumeric)
}

/// Whether a server answers for `name`: by the same name, or by one with a wildcard.
fn has_name(server: &Server, name: &str) -> bool {
    server.names.iter().any(|own| {
        let own = own.as_str();
        own == name
            || own
                .strip_prefix("*.")
                .is_some_and(|domain| is_below(name, domain))
            || own
                .strip_prefix('.')
                .is_some_and(|domain| name == domain || is_below(name, domain))
    })
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|host| host.len() > 1 && host.ends_with('.'))
}

/// IPv4 and IPv6 of one port are reported once.
fn is_said(found: &[Loss], loss: &Loss) -> bool {
    let of_v4 = |socket: &Socket| Socket {
        address: Socket::ANY_V4,
        ..*socket
    };
    found
        .iter()
        .any(|said| match (&said.service, &loss.service) {
            (LostService::Listener { socket: said, .. }, LostService::Listener { socket, .. }) => {
                socket.address == Socket::ANY_V6 && *said == of_v4(socket)
            }
            (LostService::Site { .. }, LostService::Site { .. }) => said.name == loss.name,
            _ => false,
        })
}
