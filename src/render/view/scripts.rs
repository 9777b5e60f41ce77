//! The views of the scripts.

use std::time::Duration;

use serde::Serialize;

use crate::model::{Cluster, Node, NodeFacts, OnNginxFailure, VrrpVersion};
use crate::render::error::RenderError;
use crate::render::escape::sh_quoted;
use crate::render::registry::{RUN_DIR, TRACK_FILE};

use super::common::{decimal_seconds, tracked_values};
use super::keepalived::tracks_file;

/// What `check_nginx.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct CheckView {
    header: String,
    port: u16,
    timeout: String,
    track_file: &'static str,
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
    Ok(CheckView {
        header,
        port: cluster.nginx.status_port,
        timeout: decimal_seconds(cluster.health.timeout),
        track_file: TRACK_FILE,
        counted,
    })
}

/// What `notify.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct NotifyView {
    header: String,
    run_dir: &'static str,
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
        hook,
    })
}

/// What a takeover takes beside VRRP's timers, on a host that is busy.
const TAKEOVER_MARGIN: Duration = Duration::from_millis(300);

/// What `release_vips.sh` sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct ReleaseView {
    header: String,
    run_dir: &'static str,
    /// After so many seconds another node has the addresses.
    wait: String,
    addresses: Vec<AddressView>,
}

/// One virtual address, quoted.
#[derive(Debug, Serialize)]
struct AddressView {
    address: String,
    interface: String,
}

/// The view of the script that runs after keepalived has stopped.
pub(in crate::render) fn release(
    cluster: &Cluster,
    node: &Node,
    header: String,
) -> Result<ReleaseView, RenderError> {
    let mut addresses = Vec::new();
    for instance in &cluster.instances {
        let interface = instance.interface.as_ref().unwrap_or(&node.interface);
        for address in &instance.addresses {
            // A node's own address is never taken away, whatever the inventory calls it.
            if cluster.nodes.iter().any(|n| n.address == address.addr()) {
                continue;
            }
            addresses.push(AddressView {
                address: sh_quoted(&address.to_string()).map_err(RenderError::at("virtual IP"))?,
                interface: sh_quoted(interface.as_str()).map_err(RenderError::at("interface"))?,
            });
        }
    }
    let advert = cluster.vrrp.advert_interval.duration();
    // Three adverts missed, and at most one more time unit by priority (RFC 9568, 6.1).
    let longest_skew = match cluster.vrrp.version {
        VrrpVersion::V2 => Duration::from_secs(1),
        VrrpVersion::V3 => advert,
    };
    Ok(ReleaseView {
        header,
        run_dir: RUN_DIR,
        wait: decimal_seconds(advert * 3 + longest_skew + TAKEOVER_MARGIN),
        addresses,
    })
}
