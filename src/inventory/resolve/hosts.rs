//! Who owns the daemons' configuration on the hosts, and which keys a shared one rules out.

use std::ops::Range;

use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, Spanned, Typed};
use crate::model::{Hold, Hosts, InventoryPath, Listen, Site, VrrpInstance};

/// Keys for directives outside `http`, or for options that all users of a socket share.
const OF_NGINX: [&str; 4] = [
    "worker_processes",
    "worker_connections",
    "shutdown_timeout",
    "backlog",
];

pub(super) fn resolve(keys: &ClusterKeys, faults: &mut Diagnostics) -> Option<Hosts> {
    let hosts = keys.hosts.as_ref()?;
    let (nginx, keepalived) = (hosts.nginx.as_ref()?, hosts.keepalived.as_ref()?);
    if nginx.value == Hold::Shared {
        check_nginx(keys, nginx, faults);
    }
    if keepalived.value == Hold::Shared {
        check_keepalived(keys, keepalived, faults);
    }
    Some(Hosts {
        nginx: nginx.value,
        keepalived: keepalived.value,
    })
}

fn check_nginx(keys: &ClusterKeys, shared: &Spanned<Hold>, faults: &mut Diagnostics) {
    if let Some(nginx) = keys.nginx.as_ref() {
        let typed = [
            nginx.worker_processes.as_ref().map(place),
            nginx.worker_connections.as_ref().map(place),
            nginx.shutdown_timeout.as_ref().map(place),
            nginx.backlog.as_ref().map(place),
        ];
        for (key, place) in OF_NGINX.into_iter().zip(typed) {
            if let Some((path, span)) = place.filter(|_| nginx.has(key)) {
                let help = "set it in nginx.conf on the hosts, and remove the key";
                faults.add(of_another(path, span, "nginx.conf", shared, help));
            }
        }
    }
    if let Some(streams) = keys.streams.as_ref().filter(|_| keys.has("streams")) {
        let message = format!(
            "{}: a shared nginx.conf has no place for them",
            streams.path
        );
        let fault =
            Diagnostic::at(&streams.span, message).also(&shared.span, "nginx.conf is shared");
        faults.add(fault.help("remove `streams`, or write `nginx: owned`"));
    }
}

fn check_keepalived(keys: &ClusterKeys, shared: &Spanned<Hold>, faults: &mut Diagnostics) {
    let ids = keys.nodes.iter().flat_map(|nodes| nodes.iter());
    for id in ids.filter_map(|node| node.router_id.as_ref()) {
        let help = "set it in keepalived.conf on the host, and remove the key";
        faults.add(of_another(
            &id.path,
            &id.span,
            "keepalived.conf",
            shared,
            help,
        ));
    }
    let chain = keys
        .vrrp
        .as_ref()
        .and_then(|vrrp| vrrp.iptables_chain.as_ref());
    if let Some(chain) = chain {
        let help = "set it in keepalived.conf on the hosts, and remove the key";
        faults.add(of_another(
            &chain.path,
            &chain.span,
            "keepalived.conf",
            shared,
            help,
        ));
    }
}

fn place<T>(value: &Spanned<T>) -> (&InventoryPath, &Range<usize>) {
    (&value.path, &value.span)
}

fn of_another(
    path: &InventoryPath,
    span: &Range<usize>,
    file: &str,
    shared: &Spanned<Hold>,
    help: &str,
) -> Diagnostic {
    let message = format!("{path}: only the owner of {file} can set this");
    Diagnostic::at(span, message)
        .also(&shared.span, format!("{file} is shared"))
        .help(help)
}

/// Lets sites that listen only on a port listen on the virtual IPs. On all addresses, they would share sockets with
/// the sites of others, and nginx would mix up their requests.
pub(super) fn listen_on_vips(sites: &mut [Site], instances: &[VrrpInstance]) {
    let vips: Vec<_> = instances
        .iter()
        .flat_map(|instance| instance.addresses.iter().map(ipnet::IpNet::addr))
        .collect();
    for site in sites {
        let expanded = site.listen.iter().flat_map(|listen| {
            let addresses = match listen.address {
                Some(address) => vec![address],
                None => vips.clone(),
            };
            addresses.into_iter().map(|address| Listen {
                address: Some(address),
                ..*listen
            })
        });
        site.listen = expanded.collect();
    }
}
