//! Kernel settings: hactl's defaults, overridden by the inventory.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, Setting, Spanned};
use crate::model::{NginxSettings, Site, Stream, Sysctl, SysctlKey, SysctlValue, VrrpInstance};

const PORT_RANGE: &str = "net.ipv4.ip_local_port_range";
const RESERVED_PORTS: &str = "net.ipv4.ip_local_reserved_ports";
/// Room for 55,000 connections to servers, above the ports that daemons usually use.
const DEFAULT_RANGE: (u16, u16) = (10240, 65535);
const KERNEL_RANGE: (u16, u16) = (32768, 60999);

/// hactl's defaults come first, then the settings in the inventory.
pub(super) fn resolve(
    keys: &ClusterKeys,
    nginx: &NginxSettings,
    sites: &[Site],
    streams: &[Stream],
    instances: &[VrrpInstance],
    faults: &mut Diagnostics,
) -> Option<Vec<Sysctl>> {
    let typed = &keys.sysctl.as_ref()?.pairs;
    let range = range(typed, faults)?;
    let ports = listening_ports(nginx, sites, streams);
    let mut settings = Vec::new();
    for (key, value) in defaults(nginx, range, &ports, sites, instances) {
        if typed.iter().all(|(typed, _)| typed.as_str() != key) {
            settings.push(Sysctl {
                key: SysctlKey::new(key).ok()?,
                value: SysctlValue::new(value).ok()?,
                default: true,
            });
        }
    }
    for (key, setting) in typed {
        if let Setting::Value(value) = &setting.value {
            settings.push(Sysctl {
                key: key.value.clone(),
                value: value.clone(),
                default: false,
            });
        }
    }
    Some(settings)
}

/// The range of local ports for connections to servers.
fn range(
    typed: &[(Spanned<SysctlKey>, Spanned<Setting>)],
    faults: &mut Diagnostics,
) -> Option<(u16, u16)> {
    let setting = typed.iter().find(|(key, _)| key.as_str() == PORT_RANGE);
    let Some((_, setting)) = setting else {
        return Some(DEFAULT_RANGE);
    };
    let Setting::Value(value) = &setting.value else {
        // The host's own range, which usually is the kernel's default.
        return Some(KERNEL_RANGE);
    };
    let range = parse_range(value.as_str());
    if range.is_none() {
        let message = format!("{}: `{value}` is not a port range", setting.path);
        let help = "write the lowest and the highest port, such as `10240 65535`";
        faults.add(Diagnostic::at(&setting.span, message).help(help));
    }
    range
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once(' ')?;
    let range = (low.parse().ok()?, high.parse().ok()?);
    (range.0 < range.1).then_some(range)
}

fn listening_ports(nginx: &NginxSettings, sites: &[Site], streams: &[Stream]) -> BTreeSet<u16> {
    let of_sites = sites
        .iter()
        .flat_map(|site| &site.listen)
        .map(|listen| listen.port);
    let of_streams = streams.iter().map(|stream| stream.port);
    of_sites
        .chain(of_streams)
        .chain([nginx.status_port])
        .collect()
}

fn defaults(
    nginx: &NginxSettings,
    range: (u16, u16),
    ports: &BTreeSet<u16>,
    sites: &[Site],
    instances: &[VrrpInstance],
) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        // The kernel truncates nginx's backlog to this.
        ("net.core.somaxconn", nginx.backlog.max(4096).to_string()),
        ("net.ipv4.tcp_max_syn_backlog", "65535".to_owned()),
        (
            PORT_RANGE,
            format!("{} {}", DEFAULT_RANGE.0, DEFAULT_RANGE.1),
        ),
        // Closed connections to servers release their ports sooner.
        ("net.ipv4.tcp_tw_reuse", "1".to_owned()),
        ("net.ipv4.tcp_fin_timeout", "30".to_owned()),
    ];
    let reserved: Vec<_> = ports
        .iter()
        .copied()
        .filter(|port| (range.0..=range.1).contains(port))
        .collect();
    if !reserved.is_empty() {
        // Otherwise a connection to a server may take a port that nginx wants to listen on.
        settings.push((RESERVED_PORTS, port_list(&reserved)));
    }
    // A backup does not have the VIP, and cannot bind it without these.
    let on_vip = addresses_on_vips(sites, instances);
    if on_vip.iter().any(IpAddr::is_ipv4) {
        settings.push(("net.ipv4.ip_nonlocal_bind", "1".to_owned()));
    }
    if on_vip.iter().any(IpAddr::is_ipv6) {
        settings.push(("net.ipv6.ip_nonlocal_bind", "1".to_owned()));
    }
    settings
}

/// Sorted ports in the kernel's notation, with runs as ranges.
fn port_list(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let run = |(first, last): &(u16, u16)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

fn addresses_on_vips(sites: &[Site], instances: &[VrrpInstance]) -> Vec<IpAddr> {
    let vips: BTreeSet<_> = instances
        .iter()
        .flat_map(|instance| instance.addresses.iter().map(ipnet::IpNet::addr))
        .collect();
    let addresses = sites
        .iter()
        .flat_map(|site| &site.listen)
        .filter_map(|listen| listen.address);
    addresses.filter(|address| vips.contains(address)).collect()
}
