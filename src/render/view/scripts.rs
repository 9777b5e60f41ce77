//! The views for the scripts.

use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::{Cluster, Node, NodeFacts, OnNginxFailure, VrrpVersion};
use crate::model::{UnitId, sh_quoted};
use crate::render::error::RenderError;
use crate::render::registry::{HAND_OVER_SCRIPT, RUN_DIR, TRACK_FILE};

use super::common::{decimal_seconds, tracked_values};
use super::keepalived::tracks_file;

/// Variables of `check_nginx.sh`.
#[derive(Debug, Serialize)]
pub(in crate::render) struct CheckView {
    header: String,
    port: u16,
    timeout: String,
    track_file: &'static str,
    run_dir: &'static str,
    /// Path of nginx's pid file, quoted.
    pid: String,
    /// The number of connections per worker is set in an nginx.conf that is not hactl's.
    shared: bool,
    worker_connections: u32,
    /// The number of sockets from which a worker counts as full.
    many_connections: u32,
    /// With weights, the value of the tracked file that already accounts for a dead nginx.
    counted: Option<String>,
}

pub(in crate::render) fn check(
    cluster: &Cluster,
    facts: &NodeFacts,
    header: String,
) -> Result<CheckView, RenderError> {
    // In FAULT, a second cause changes nothing. Two weights, however, would add up to more than was configured, so the
    // script does not count what the tracked file already counts.
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

/// Variables of `notify.sh`.
#[derive(Debug, Serialize)]
pub(in crate::render) struct NotifyView {
    header: String,
    run_dir: &'static str,
    hand_over_script: &'static str,
    hook: Option<String>,
}

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

/// The time that a takeover takes on a busy host in addition to VRRP's timers.
const TAKEOVER_MARGIN: Duration = Duration::from_millis(300);

/// Upper bound for a takeover: the adverts that must be missed, and at most one more time unit depending on the
/// priority (RFC 9568, 6.1).
pub(in crate::render) fn longest_takeover(cluster: &Cluster) -> Duration {
    let longest_skew = match cluster.vrrp.version {
        VrrpVersion::V2 => Duration::from_secs(1),
        VrrpVersion::V3 => cluster.vrrp.advert_interval.duration(),
    };
    cluster.vrrp.silence() + longest_skew + TAKEOVER_MARGIN
}

/// The time between the death of keepalived and the removal of its address, without waiting.
const SCRIPT_MARGIN: Duration = Duration::from_millis(100);

/// No address of a dead keepalived stays on an interface for longer than 2 s, even on a busy host.
const LONGEST_BESIDE: Duration = Duration::from_millis(1900);

/// Variables of `release_vips.sh`.
#[derive(Debug, Serialize)]
pub(in crate::render) struct ReleaseView {
    header: String,
    run_dir: &'static str,
    /// Seconds during which no other node takes the addresses.
    alone: String,
    /// Seconds after that until another node has them.
    rest: String,
    addresses: Vec<AddressView>,
}

/// A virtual IP, quoted.
#[derive(Debug, Serialize)]
struct AddressView {
    /// The address as a `/32` or `/128`.
    host: String,
    interface: String,
}

/// The virtual IPs with their interfaces on `node`. A node's own address is never added or removed, even if the
/// inventory lists it as a virtual IP.
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

/// Variables of `hand_over.sh`.
#[derive(Debug, Serialize)]
pub(in crate::render) struct HandOverView {
    header: String,
    run_dir: &'static str,
    track_file: &'static str,
    down: i16,
    /// How long the VIP may take to leave, in units of 50 ms.
    tries: u128,
    addresses: Vec<AddressView>,
}

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

pub(in crate::render) fn release(
    cluster: &Cluster,
    node: &Node,
    header: String,
) -> Result<ReleaseView, RenderError> {
    let advert = cluster.vrrp.advert_interval.duration();
    // The other nodes may already have waited for up to one advert interval. A keepalived that was killed during its
    // shutdown has announced that it resigns, and then they have not waited at all.
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
