//! Upstreams.

use super::distinct;
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, List, ServerKeys, Spanned, UpstreamKeys};
use crate::model::{Balance, Upstream, UpstreamName, UpstreamServer};

pub(super) fn resolve(keys: &ClusterKeys, faults: &mut Diagnostics) -> Option<Vec<Upstream>> {
    let upstreams = keys.upstreams.as_ref()?;
    for (_, upstream) in &upstreams.pairs {
        check(upstream, faults);
    }
    let pairs = upstreams.pairs.iter();
    pairs.map(|(name, keys)| resolve_one(name, keys)).collect()
}

fn check(upstream: &UpstreamKeys, faults: &mut Diagnostics) {
    let Some(servers) = &upstream.servers else {
        return;
    };
    if servers.typed_len() == 0 {
        let fault = Diagnostic::at(
            &servers.span,
            format!("{}: must not be empty", servers.path),
        );
        faults.add(fault.help("write at least one, such as `[192.168.1.10:8080]`"));
    }
    let addresses = servers.iter().filter_map(|server| server.address.as_ref());
    let help = "remove one of them; a larger share is a `weight`";
    distinct::check(addresses, "the server", help, faults);
    check_backups(upstream, servers, faults);
}

/// Backup servers with which nginx would refuse to start.
fn check_backups(
    upstream: &UpstreamKeys,
    servers: &Spanned<List<ServerKeys>>,
    faults: &mut Diagnostics,
) {
    let backups: Vec<_> = servers
        .iter()
        .filter_map(|server| server.backup.as_ref().filter(|backup| backup.value))
        .collect();
    let Some(first) = backups.first() else { return };
    if backups.len() == servers.typed_len() {
        let message = format!("{}: all servers are backups", servers.path);
        let fault = Diagnostic::at(&servers.span, message);
        faults.add(
            fault.help("remove `backup: true` from at least one; nginx refuses a group in which all are backups"),
        );
    }
    let Some(balance) = &upstream.balance else {
        return;
    };
    if matches!(balance.value, Balance::IpHash | Balance::Random) {
        let message = format!(
            "{}: this balancing method allows no backup servers",
            first.path
        );
        let fault = Diagnostic::at(&first.span, message).also(&balance.span, "this one");
        faults.add(fault.help("balance by `round_robin` or `least_conn`, or remove `backup`"));
    }
}

fn resolve_one(name: &Spanned<UpstreamName>, keys: &UpstreamKeys) -> Option<Upstream> {
    Some(Upstream {
        name: name.value.clone(),
        balance: keys.balance.as_ref()?.value,
        keepalive: keys.keepalive.as_ref()?.as_u32(),
        servers: keys
            .servers
            .as_ref()?
            .iter()
            .map(|keys| server(keys))
            .collect::<Option<_>>()?,
    })
}

fn server(keys: &ServerKeys) -> Option<UpstreamServer> {
    Some(UpstreamServer {
        address: keys.address.as_ref()?.value.clone(),
        weight: keys.weight.as_ref()?.as_u32(),
        max_fails: keys.max_fails.as_ref()?.as_u32(),
        fail_timeout: keys.fail_timeout.as_ref()?.0,
        max_conns: keys.max_conns.as_ref()?.as_u32(),
        backup: keys.backup.as_ref()?.value,
        down: keys.down.as_ref()?.value,
    })
}
