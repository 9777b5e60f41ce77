//! The views for the systemd drop-ins, the sysctl fragment and the tmpfiles.d fragment.

use serde::Serialize;

use crate::model::{Cluster, NodeFacts, OnNginxFailure, Sysctl};
use crate::model::{Node, UnitId, systemd_argument};
use crate::render::error::RenderError;
use crate::render::registry::{HAND_OVER_SCRIPT, RELEASE_SCRIPT, RUN_DIR, TRACK_FILE};

use super::common::{file_limit, tracked_values};
use super::scripts::longest_takeover;

/// Limit on files that keepalived may open. It needs a few sockets per instance.
const KEEPALIVED_FILES: u64 = 4096;

/// Seconds that stopping nginx may take in addition to the VIP's departure: more than the 5 s that it allows for open
/// connections.
const STOP_SECONDS: u64 = 10;

/// Variables of the drop-ins.
#[derive(Debug, Serialize)]
pub(in crate::render) struct UnitView {
    header: String,
    run_dir: &'static str,
    track_file: &'static str,
    up: i16,
    down: i16,
    /// `None` if the limit is up to the owner of nginx.conf.
    rlimit_nofile: Option<u64>,
    /// The distribution's own `ExecStop=`.
    stop: Option<String>,
    hand_over_script: String,
    /// Seconds that stopping may take if the VIP leaves late.
    stop_timeout: Option<u64>,
    release_script: String,
}

/// The view for both drop-ins.
fn unit(
    cluster: &Cluster,
    header: String,
    rlimit_nofile: Option<u64>,
    stop: Option<String>,
) -> Result<UnitView, RenderError> {
    let (up, down) = tracked_values(cluster);
    Ok(UnitView {
        header,
        run_dir: RUN_DIR,
        track_file: TRACK_FILE,
        up,
        down,
        rlimit_nofile,
        stop,
        stop_timeout: matches!(cluster.vrrp.on_nginx_failure, OnNginxFailure::Weight { .. })
            .then(|| longest_takeover(cluster).as_secs() + STOP_SECONDS),
        hand_over_script: systemd_argument(HAND_OVER_SCRIPT)
            .map_err(RenderError::at("hand-over script"))?,
        release_script: systemd_argument(RELEASE_SCRIPT)
            .map_err(RenderError::at("release script"))?,
    })
}

/// The view for nginx.service's drop-in.
pub(in crate::render) fn nginx(
    cluster: &Cluster,
    facts: &NodeFacts,
    header: String,
) -> Result<UnitView, RenderError> {
    let pid = facts.nginx_pid_file.as_str();
    let stop = facts.family.distribution().nginx_stop;
    let stop = stop.map(|text| text.replace("{pid}", &pid.replace('%', "%%")));
    let limit = (!cluster.hosts.shares(UnitId::NGINX)).then(|| file_limit(cluster));
    unit(cluster, header, limit, stop)
}

/// The view for keepalived.service's drop-in.
pub(in crate::render) fn keepalived(
    cluster: &Cluster,
    header: String,
) -> Result<UnitView, RenderError> {
    unit(cluster, header, Some(KEEPALIVED_FILES), None)
}

/// Variables of the sysctl fragment.
#[derive(Debug, Serialize)]
pub(in crate::render) struct SysctlView<'a> {
    header: String,
    settings: &'a [Sysctl],
}

pub(in crate::render) fn sysctl(cluster: &Cluster, header: String) -> SysctlView<'_> {
    SysctlView {
        header,
        settings: &cluster.sysctls,
    }
}

/// Variables of the tmpfiles.d fragment.
#[derive(Debug, Serialize)]
pub(in crate::render) struct TmpfilesView {
    header: String,
    run_dir: &'static str,
}

pub(in crate::render) fn tmpfiles(header: String) -> TmpfilesView {
    TmpfilesView {
        header,
        run_dir: RUN_DIR,
    }
}

/// Variables of the configuration of any other unit.
#[derive(Debug, Serialize)]
pub(in crate::render) struct ConfView<'a> {
    header: String,
    /// The identity of the configuration.
    id: &'a str,
    cluster: &'a str,
    node: &'a str,
    address: String,
    vips: Vec<String>,
}

pub(in crate::render) fn conf<'a>(
    cluster: &'a Cluster,
    node: &'a Node,
    header: String,
    id: &'a str,
) -> ConfView<'a> {
    let instances = cluster.instances.iter();
    let vips = instances.flat_map(|instance| &instance.addresses);
    ConfView {
        header,
        id,
        cluster: cluster.name.as_str(),
        node: node.name.as_str(),
        address: node.address.to_string(),
        vips: vips.map(|net| net.addr().to_string()).collect(),
    }
}
