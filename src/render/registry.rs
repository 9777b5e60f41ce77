//! The one table of templates: what each is called, where its file goes, and what it is for.

use crate::model::{FileRole, Hosts};

/// How a file's permission bits are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariantMode {
    /// Always these.
    Fixed(u32),
    /// `0600` when the file holds a secret, `0644` otherwise.
    PrivateWithSecret,
}

/// One template and the file that it makes.
#[derive(Debug, Clone, Copy)]
pub struct TemplateSpec {
    /// Its name, as `--templates` takes it (a file of this name, with or without `.tera`).
    pub name: &'static str,
    /// Where its file goes.
    pub path: &'static str,
    /// Where it goes instead beside a main file of somebody else's, which includes it.
    pub beside: Option<&'static str>,
    /// What its file is for.
    pub role: FileRole,
    /// The file's permission bits.
    pub mode: VariantMode,
    /// One sentence for the documentation.
    pub purpose: &'static str,
    /// The template as it comes with hactl.
    pub source: &'static str,
}

/// Where pushed certificates and keys go.
pub(crate) const TLS_DIR: &str = "/etc/nginx/hactl/tls";
/// The folder of run-time state.
pub(crate) const RUN_DIR: &str = "/run/hactl";
/// The file that keepalived tracks.
pub(crate) const TRACK_FILE: &str = "/run/hactl/nginx";
/// The check script's path.
pub(crate) const CHECK_SCRIPT: &str = "/etc/keepalived/check_nginx.sh";
/// The notify script's path.
pub(crate) const NOTIFY_SCRIPT: &str = "/etc/keepalived/notify.sh";
/// The path of the script that runs after keepalived has stopped.
pub(crate) const RELEASE_SCRIPT: &str = "/etc/keepalived/release_vips.sh";

/// The path of the script that runs before nginx is stopped.
pub(crate) const HAND_OVER_SCRIPT: &str = "/etc/keepalived/hand_over.sh";

impl TemplateSpec {
    /// Where its file goes on these hosts.
    pub(crate) fn path_on(&self, hosts: Hosts) -> &'static str {
        let program = match self.role {
            FileRole::KeepalivedConf => "keepalived",
            _ => "nginx",
        };
        self.beside
            .filter(|_| hosts.shares(program))
            .unwrap_or(self.path)
    }
}

/// All templates, in the order of a node's files.
pub const TEMPLATES: [TemplateSpec; 10] = [
    TemplateSpec {
        name: "keepalived.conf",
        path: "/etc/keepalived/keepalived.conf",
        beside: Some("/etc/keepalived/conf.d/hactl.conf"),
        role: FileRole::KeepalivedConf,
        mode: VariantMode::PrivateWithSecret,
        purpose: "keepalived's whole configuration; beside others, what its own file includes.",
        source: include_str!("../../templates/keepalived.conf.tera"),
    },
    TemplateSpec {
        name: "nginx.conf",
        path: "/etc/nginx/nginx.conf",
        beside: Some("/etc/nginx/conf.d/hactl.conf"),
        role: FileRole::NginxConf,
        mode: VariantMode::Fixed(0o644),
        purpose: "nginx's whole configuration, the status server on loopback included; beside others, \
                  what their `http` block includes.",
        source: include_str!("../../templates/nginx.conf.tera"),
    },
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
