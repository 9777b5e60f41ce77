//! The virtual routers: their addresses, ids and owners.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::distinct;
use super::priority_orders::priority_orders;
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, List, RouteKeys, Spanned, Typed, VipKeys, VirtualIp};
use crate::model::{InstanceName, VirtualRoute, VirtualRouterId, VrrpInstance, VrrpSettings};

/// The first default id. keepalived's own examples use it, and `hactl check` warns about it.
const FIRST_ROUTER_ID: i64 = 51;
pub(super) fn resolve(
    keys: &ClusterKeys,
    vrrp: Option<&VrrpSettings>,
    faults: &mut Diagnostics,
) -> Option<Vec<VrrpInstance>> {
    let vips = keys.vips.as_ref()?;
    if vips.typed_len() == 0 {
        let fault = Diagnostic::at(&vips.span, "vips: must not be empty");
        faults.add(fault.help("add `- { address: 10.0.0.100/24 }`"));
    }
    check_distinct(vips, faults);
    for vip in vips.iter() {
        check_addresses(vip, keys, faults);
        check_owners(vip, keys, faults);
    }
    let routes: Vec<_> = vips.iter().map(|vip| routes(vip, faults)).collect();
    let names = names(vips)?;
    let ids = router_ids(vips, faults)?;
    let priority_orders = priority_orders(vips, keys, vrrp?)?;
    let parts = names.into_iter().zip(ids).zip(routes).zip(priority_orders);
    vips.iter()
        .zip(parts)
        .map(
            |(vip, (((name, virtual_router_id), routes), priority_order))| {
                Some(VrrpInstance {
                    name,
                    virtual_router_id,
                    addresses: addresses(vip).map(|address| address.0).collect(),
                    priority_order,
                    interface: vip.interface.as_ref().map(|name| name.value.clone()),
                    routes: routes?,
                    state_master_on: vip.state_master_on.as_ref().map(|name| name.value.clone()),
                })
            },
        )
        .collect()
}

fn addresses(vip: &VipKeys) -> impl Iterator<Item = &Spanned<VirtualIp>> {
    let several = vip.addresses.iter().flat_map(|list| list.iter());
    vip.address.iter().chain(several)
}

fn check_distinct(vips: &[Spanned<VipKeys>], faults: &mut Diagnostics) {
    let names = vips.iter().filter_map(|vip| vip.name.as_ref());
    distinct::check(names, "the name", "give each VIP its own name", faults);
    let ids = vips.iter().filter_map(|vip| vip.virtual_router_id.as_ref());
    let help = "choose another id, 1 to 255; virtual routers with the same id take each other's adverts for their own";
    distinct::check(ids, "the virtual_router_id", help, faults);
    let mut seen: Vec<&Spanned<VirtualIp>> = Vec::new();
    for address in vips.iter().flat_map(|vip| addresses(vip)) {
        let same = |other: &&&Spanned<VirtualIp>| other.0.addr() == address.0.addr();
        if let Some(first) = seen.iter().find(same) {
            let message = format!(
                "{}: the VIP {} is given twice",
                address.path,
                address.0.addr()
            );
            let fault = Diagnostic::at(&address.span, message)
                .label("again here")
                .also(&first.span, "first here");
            faults.add(fault.help("remove one of them"));
        }
        seen.push(address);
    }
}

fn check_addresses(vip: &Spanned<VipKeys>, keys: &ClusterKeys, faults: &mut Diagnostics) {
    match (&vip.address, &vip.addresses) {
        (Some(one), Some(several)) => {
            let message = format!("{}: both `address` and `addresses`", vip.path);
            let fault = Diagnostic::at(&one.span, message).also(&several.span, "and here");
            faults.add(fault.help("write all of them under `addresses`"));
        }
        (None, None) if !vip.has("address") && !vip.has("addresses") => {
            let message = format!("{}: the key `address` is missing", vip.path);
            faults.add(Diagnostic::at(&vip.span, message).help("add `address: 10.0.0.100/24`"));
        }
        (None, Some(several)) if several.typed_len() == 0 => {
            let message = format!("{}: must not be empty", several.path);
            faults.add(Diagnostic::at(&several.span, message).help("write `[10.0.0.100/24]`"));
        }
        _ => {}
    }
    let mut all = addresses(vip);
    if let Some(first) = all.next() {
        for other in all.filter(|other| other.0.addr().is_ipv4() != first.0.addr().is_ipv4()) {
            let message = format!("{}: IPv4 and IPv6 in one VIP", other.path);
            let fault = Diagnostic::at(&other.span, message).also(&first.span, "the other family");
            faults.add(
                fault.help("a virtual router carries one family; make a second VIP for the other"),
            );
        }
    }
    let nodes = keys.nodes.iter().flat_map(|nodes| nodes.iter());
    let own: Vec<_> = nodes.filter_map(|node| node.address.as_ref()).collect();
    for address in addresses(vip) {
        if let Some(node) = own.iter().find(|node| node.value == address.0.addr()) {
            let message = format!("{}: {} is a node's own address", address.path, node.value);
            let fault = Diagnostic::at(&address.span, message).also(&node.span, "the node's");
            faults.add(fault.help("choose an address of the network that no host has"));
        }
    }
}

fn check_owners(vip: &VipKeys, keys: &ClusterKeys, faults: &mut Diagnostics) {
    for name in vip.prefer.iter().chain(&vip.state_master_on) {
        distinct::node_exists(name, keys, faults);
    }
    let Some(priorities) = &vip.priorities else {
        return;
    };
    for (name, _) in &priorities.pairs {
        distinct::node_exists(name, keys, faults);
    }
    let values = priorities.pairs.iter().map(|(_, priority)| priority);
    let help = "give each node its own priority; two nodes with the same one may both own the VIP";
    distinct::check(values, "the priority", help, faults);
    for node in keys.nodes.iter().flat_map(|nodes| nodes.iter()) {
        let Some(name) = &node.name else { continue };
        if priorities.names.iter().all(|known| known != name.as_str()) {
            let message = format!("{}: no priority for `{}`", priorities.path, name.value);
            let fault = Diagnostic::at(&priorities.span, message).also(&name.span, "this node");
            faults.add(fault.help("give every node a priority, or remove `priorities`"));
        }
    }
    if let Some(prefer) = &vip.prefer {
        let message = format!(
            "{}: both `prefer` and `priorities` decide which node comes first",
            prefer.path
        );
        let fault = Diagnostic::at(&prefer.span, message).also(&priorities.span, "and here");
        faults.add(fault.help("keep one of them"));
    }
}

fn names(vips: &[Spanned<VipKeys>]) -> Option<Vec<InstanceName>> {
    let typed: HashSet<_> = vips
        .iter()
        .filter_map(|vip| vip.name.as_ref().map(|name| name.value.clone()))
        .collect();
    let mut free = (1..).map(|n| InstanceName::new(format!("VI_{n}")).ok());
    let mut next = || free.find(|name| name.as_ref().is_none_or(|name| !typed.contains(name)))?;
    vips.iter()
        .map(|vip| match &vip.name {
            Some(name) => Some(name.value.clone()),
            None => next(),
        })
        .collect()
}

fn router_ids(
    vips: &Spanned<List<VipKeys>>,
    faults: &mut Diagnostics,
) -> Option<Vec<VirtualRouterId>> {
    let typed: HashSet<_> = vips
        .iter()
        .filter_map(|vip| vip.virtual_router_id.as_ref().map(|id| id.value))
        .collect();
    let mut free = (FIRST_ROUTER_ID..=255)
        .chain(1..FIRST_ROUTER_ID)
        .filter_map(|id| VirtualRouterId::new(id).ok())
        .filter(|id| !typed.contains(id));
    let ids = vips
        .iter()
        .map(|vip| {
            vip.virtual_router_id
                .as_ref()
                .map_or_else(|| free.next(), |id| Some(id.value))
        })
        .collect();
    if vips.len() > 255 {
        let message = format!("vips: {} VIPs are more than VRRP has ids for", vips.len());
        faults
            .add(Diagnostic::at(&vips.span, message).help("put several `addresses` into one VIP"));
    }
    ids
}

fn routes(vip: &VipKeys, faults: &mut Diagnostics) -> Option<Vec<VirtualRoute>> {
    let routes = vip.routes.as_ref()?;
    let routes: Vec<_> = routes.iter().map(|keys| route(keys, faults)).collect();
    routes.into_iter().collect()
}

fn route(keys: &RouteKeys, faults: &mut Diagnostics) -> Option<VirtualRoute> {
    let (to, via) = (keys.to.as_ref()?, keys.via.as_ref()?);
    let default = match via.value {
        IpAddr::V4(_) => IpNet::V4(Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(Ipv6Net::default()),
    };
    let destination = to.0.unwrap_or(default);
    if destination.addr().is_ipv4() != via.is_ipv4() {
        let message = format!("{}: the gateway is of the other family", via.path);
        let fault = Diagnostic::at(&via.span, message).also(&to.span, "the network");
        faults.add(fault.help("an IPv4 network has an IPv4 gateway, an IPv6 network an IPv6 one"));
    }
    Some(VirtualRoute {
        destination,
        via: via.value,
        interface: keys.interface.as_ref().map(|name| name.value.clone()),
    })
}
