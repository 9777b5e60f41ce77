//! The views of the scripts.

use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::{Cluster, Node, NodeFacts, OnNginxFailure, VrrpVersion};
use crate::model::{UnitId, sh_quoted};
use crate::render::error::RenderError;
use crate::render::registry::{HAND_OVER_SCRIPT, RUN_DIR, TRACK_FILE};

use super::common::{decimal_seconds, tracked_values};
use super::keepalived::tracks_file;

/// What `check_nginx.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct CheckView {
    header: String,
    port: u16,
    timeout: String,
    track_file: &'static str,
    run_dir: &'static str,
    /// nginx's pid file, quoted.
    pid: String,
    /// Somebody else's nginx.conf says how many connections a worker has.
    shared: bool,
    worker_connections: u32,
    /// A worker is full from this number of sockets on.
    many_connections: u32,
    /// The tracked file's value that has counted a dead nginx already, where weights add up.
    counted: Option<String>,
}

/// The check script's view.
pub(in crate::render) fn check(
    cluster: &Cluster,
    facts: &NodeFacts,
    header: String,
) -> Result<CheckView, RenderError> {
    // In FAULT two causes are no worse than one. Two weights would add up to more than was asked
    // for, so the script leaves to the tracked file what that has counted.
    let weighted = matches!(cluster.vrrp.on_nginx_failure, OnNginxFailure::Weight { .. });
    let counted = (weighted && tracks_file(facts))
        .then(|| sh_quoted(&tracked_values(cluster).1.to_string()))
        .transpose()
        .map_err(RenderError::at("vrrp.on_nginx_failure"))?;
    let connections = cluster.nginx.worker_connections;
    Ok(CheckView {
        header,
        port: cluster.nginx.status_port,
        timeout: decimal_seconds(cluster.health.timeout),
        track_file: TRACK_FILE,
        run_dir: RUN_DIR,
        pid: sh_quoted(&facts.nginx_pid_file.to_string())
            .map_err(RenderError::at("nginx's pid file"))?,
        shared: cluster.hosts.shares(UnitId::NGINX),
        worker_connections: connections,
        many_connections: connections - connections / 8,
        counted,
    })
}

/// What `notify.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct NotifyView {
    header: String,
    run_dir: &'static str,
    hand_over_script: &'static str,
    hook: Option<String>,
}

/// The notify script's view.
pub(in crate::render) fn notify(
    cluster: &Cluster,
    header: String,
) -> Result<NotifyView, RenderError> {
    let hook = cluster
        .notify_hook
        .as_ref()
        .map(|path| sh_quoted(path.as_str()))
        .transpose()
        .map_err(RenderError::at("notify hook"))?;
    Ok(NotifyView {
        header,
        run_dir: RUN_DIR,
        hand_over_script: HAND_OVER_SCRIPT,
        hook,
    })
}

/// What a takeover takes beside VRRP's timers, on a host that is busy.
const TAKEOVER_MARGIN: Duration = Duration::from_millis(300);

/// What a takeover takes at most: the adverts that must be missing, and at most one more time unit by
/// priority (RFC 9568, 6.1).
pub(in crate::render) fn longest_takeover(cluster: &Cluster) -> Duration {
    let longest_skew = match cluster.vrrp.version {
        VrrpVersion::V2 => Duration::from_secs(1),
        VrrpVersion::V3 => cluster.vrrp.advert_interval.duration(),
    };
    cluster.vrrp.silence() + longest_skew + TAKEOVER_MARGIN
}

/// What passes between a keepalived's death and the moment at which its address is gone, beside waiting.
const SCRIPT_MARGIN: Duration = Duration::from_millis(100);

/// No dead keepalived's address stays on an interface for longer than 2 s, on a host that is busy, too.
const LONGEST_BESIDE: Duration = Duration::from_millis(1900);

/// What `release_vips.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct ReleaseView {
    header: String,
    run_dir: &'static str,
    /// For this many seconds no other node takes the addresses.
    alone: String,
    /// This many seconds later another node has them.
    rest: String,
    addresses: Vec<AddressView>,
}

/// One virtual address, quoted.
#[derive(Debug, Serialize)]
struct AddressView {
    /// As a network of its own.
    host: String,
    interface: String,
}

/// The virtual addresses, with the interface of each on `node`. A node's own address is never given or
/// taken away, whatever the inventory calls it.
fn virtual_addresses(cluster: &Cluster, node: &Node) -> Result<Vec<AddressView>, RenderError> {
    let mut views = Vec::new();
    for instance in &cluster.instances {
        let interface = instance.interface.as_ref().unwrap_or(&node.interface);
        for address in &instance.addresses {
            if cluster.nodes.iter().any(|n| n.address == address.addr()) {
                continue;
            }
            let quoted = |text: String| sh_quoted(&text).map_err(RenderError::at("virtual IP"));
            views.push(AddressView {
                host: quoted(IpNet::from(address.addr()).to_string())?,
                interface: sh_quoted(interface.as_str()).map_err(RenderError::at("interface"))?,
            });
        }
    }
    Ok(views)
}

/// What `hand_over.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct HandOverView {
    header: String,
    run_dir: &'static str,
    track_file: &'static str,
    down: i16,
    /// So many twentieths of a second the VIP may take to leave.
    tries: u128,
    addresses: Vec<AddressView>,
}

/// The view of the script that runs before nginx is stopped.
pub(in crate::render) fn hand_over(
    cluster: &Cluster,
    node: &Node,
    header: String,
) -> Result<HandOverView, RenderError> {
    Ok(HandOverView {
        header,
        run_dir: RUN_DIR,
        track_file: TRACK_FILE,
        down: tracked_values(cluster).1,
        tries: longest_takeover(cluster).as_millis().div_ceil(50),
        addresses: virtual_addresses(cluster, node)?,
    })
}

/// The view of the script that runs after keepalived has stopped.
pub(in crate::render) fn release(
    cluster: &Cluster,
    node: &Node,
    header: String,
) -> Result<ReleaseView, RenderError> {
    let advert = cluster.vrrp.advert_interval.duration();
    // The other nodes have waited for up to one advert interval already. One that was killed while it was
    // about to end has told them that it goes, and then they have not waited at all.
    let alone = cluster.vrrp.silence().saturating_sub(advert);
    let alone = alone.min(LONGEST_BESIDE).saturating_sub(SCRIPT_MARGIN);
    Ok(ReleaseView {
        header,
        run_dir: RUN_DIR,
        alone: decimal_seconds(alone),
        rest: decimal_seconds(longest_takeover(cluster).saturating_sub(alone)),
        addresses: virtual_addresses(cluster, node)?,
    })
}
