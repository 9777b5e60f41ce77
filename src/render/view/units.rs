//! The views of the systemd drop-ins, the sysctl fragment and the tmpfiles.d fragment.

use serde::Serialize;

use crate::model::{Cluster, NodeFacts, OnNginxFailure, Sysctl};
use crate::model::{Node, UnitId, systemd_argument};
use crate::render::error::RenderError;
use crate::render::registry::{HAND_OVER_SCRIPT, RELEASE_SCRIPT, RUN_DIR, TRACK_FILE};

use super::common::{file_limit, tracked_values};
use super::scripts::longest_takeover;

/// Files that keepalived may open: it holds a few sockets for each instance.
const KEEPALIVED_FILES: u64 = 4096;

/// What a stop of nginx may take beside the VIP's: more than its own five seconds for open connections.
const STOP_SECONDS: u64 = 10;

/// What the drop-ins see.
#[derive(Debug, Serialize)]
pub(in crate::render) struct UnitView {
    header: String,
    run_dir: &'static str,
    track_file: &'static str,
    up: i16,
    down: i16,
    /// `None` where the limit is for the owner of nginx.conf to say.
    rlimit_nofile: Option<u64>,
    /// The distribution's own `ExecStop=`.
    stop: Option<String>,
    hand_over_script: String,
    /// Seconds that a stop may take, where the VIP leaves late.
    stop_timeout: Option<u64>,
    release_script: String,
}

/// The view of both drop-ins, with `rlimit_nofile` and `stop`.
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

/// The view of nginx.service's drop-in.
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

/// The view of keepalived.service's drop-in.
pub(in crate::render) fn keepalived(
    cluster: &Cluster,
    header: String,
) -> Result<UnitView, RenderError> {
    unit(cluster, header, Some(KEEPALIVED_FILES), None)
}

/// What the sysctl fragment sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct SysctlView<'a> {
    header: String,
    settings: &'a [Sysctl],
}

/// The sysctl fragment's view.
pub(in crate::render) fn sysctl(cluster: &Cluster, header: String) -> SysctlView<'_> {
    SysctlView {
        header,
        settings: &cluster.sysctls,
    }
}

/// What the tmpfiles.d fragment sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct TmpfilesView {
    header: String,
    run_dir: &'static str,
}

/// The tmpfiles.d fragment's view.
pub(in crate::render) fn tmpfiles(header: String) -> TmpfilesView {
    TmpfilesView {
        header,
        run_dir: RUN_DIR,
    }
}

/// What the configuration of a further unit sees.
#[derive(Debug, Serialize)]
pub(in crate::render) struct ConfView<'a> {
    header: String,
    /// The configuration's identity.
    id: &'a str,
    cluster: &'a str,
    node: &'a str,
    address: String,
    vips: Vec<String>,
}

/// The view of a further unit's configuration.
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
