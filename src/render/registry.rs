//! The table of all templates: their names, the paths of their files, and their purposes.

use crate::model::{FileRole, Hosts};
use crate::units::{self, TemplateSpec, VariantMode};

/// The directory for pushed certificates and keys.
pub(crate) const TLS_DIR: &str = "/etc/nginx/hactl/tls";
/// The directory for run-time state.
pub(crate) const RUN_DIR: &str = "/run/hactl";
/// The file that keepalived tracks.
pub(crate) const TRACK_FILE: &str = "/run/hactl/nginx";
pub(crate) const CHECK_SCRIPT: &str = "/etc/keepalived/check_nginx.sh";
pub(crate) const NOTIFY_SCRIPT: &str = "/etc/keepalived/notify.sh";
/// Runs after keepalived has stopped.
pub(crate) const RELEASE_SCRIPT: &str = "/etc/keepalived/release_vips.sh";

/// Runs before nginx is stopped.
pub(crate) const HAND_OVER_SCRIPT: &str = "/etc/keepalived/hand_over.sh";

/// All templates, in the order of a node's files.
pub fn templates() -> impl Iterator<Item = &'static TemplateSpec> {
    // keepalived's comes first. A change reaches it last.
    let mut confs: Vec<_> = units::all().map(|unit| &unit.conf).collect();
    confs.reverse();
    confs.into_iter().chain(&OTHERS)
}

/// The path of the file on these hosts.
pub(crate) fn path_on(spec: &TemplateSpec, hosts: Hosts) -> &'static str {
    let owner = units::all().find(|unit| unit.conf.name == spec.name);
    let shares = owner.is_some_and(|unit| hosts.shares(unit.id));
    spec.beside.filter(|_| shares).unwrap_or(spec.path)
}

/// All templates but the units' configurations.
const OTHERS: [TemplateSpec; 8] = [
    TemplateSpec {
        name: "check_nginx.sh",
        path: CHECK_SCRIPT,
        beside: None,
        role: FileRole::CheckScript,
        mode: VariantMode::Fixed(0o755),
        purpose: "Run by keepalived: asks nginx over loopback whether it serves. Only reads.",
        source: include_str!("../../templates/check_nginx.sh.tera"),
    },
    TemplateSpec {
        name: "notify.sh",
        path: NOTIFY_SCRIPT,
        beside: None,
        role: FileRole::NotifyScript,
        mode: VariantMode::Fixed(0o755),
        purpose: "Run by keepalived at state changes: logs them, records the state, runs the hook.",
        source: include_str!("../../templates/notify.sh.tera"),
    },
    TemplateSpec {
        name: "hand_over.sh",
        path: HAND_OVER_SCRIPT,
        beside: None,
        role: FileRole::HandOverScript,
        mode: VariantMode::Fixed(0o755),
        purpose: "Run by systemd and notify.sh: a node answers for its addresses until the next owner is known.",
        source: include_str!("../../templates/hand_over.sh.tera"),
    },
    TemplateSpec {
        name: "release_vips.sh",
        path: RELEASE_SCRIPT,
        beside: None,
        role: FileRole::ReleaseScript,
        mode: VariantMode::Fixed(0o755),
        purpose: "Run by systemd after keepalived died: removes the addresses that it left behind.",
        source: include_str!("../../templates/release_vips.sh.tera"),
    },
    TemplateSpec {
        name: "sysctl.conf",
        path: "/etc/sysctl.d/90-hactl.conf",
        beside: None,
        role: FileRole::Sysctl,
        mode: VariantMode::Fixed(0o644),
        purpose: "Kernel settings.",
        source: include_str!("../../templates/sysctl.conf.tera"),
    },
    TemplateSpec {
        name: "nginx.service.conf",
        path: "/etc/systemd/system/nginx.service.d/50-hactl.conf",
        beside: None,
        role: FileRole::NginxUnit,
        mode: VariantMode::Fixed(0o644),
        purpose: "Tells keepalived at once when nginx starts or dies, restarts it, raises its limits.",
        source: include_str!("../../templates/nginx.service.conf.tera"),
    },
    TemplateSpec {
        name: "keepalived.service.conf",
        path: "/etc/systemd/system/keepalived.service.d/50-hactl.conf",
        beside: None,
        role: FileRole::KeepalivedUnit,
        mode: VariantMode::Fixed(0o644),
        purpose: "Makes the tracked file true before keepalived reads it; cleans up after a crash.",
        source: include_str!("../../templates/keepalived.service.conf.tera"),
    },
    TemplateSpec {
        name: "tmpfiles.conf",
        path: "/etc/tmpfiles.d/hactl.conf",
        beside: None,
        role: FileRole::Tmpfiles,
        mode: VariantMode::Fixed(0o644),
        purpose: "Makes the folder of run-time state at boot.",
        source: include_str!("../../templates/tmpfiles.conf.tera"),
    },
];
