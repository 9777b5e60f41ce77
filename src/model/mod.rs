//! The validated values that make up a cluster, and the [`Cluster`] itself.
//!
//! This module knows nothing about YAML, files, SSH or templates. Every constructor rejects what
//! keepalived, nginx or the kernel would reject, so a value that exists is valid and later stages
//! do not check it again.

mod cluster;
mod distribution;
mod drill;
mod duration;
mod escape;
mod facts;
mod file_role;
mod keepalived;
mod names;
mod nginx;
mod path;
mod secret;
mod socket;
mod text;
mod unit;
mod version;
mod vrrp;

pub use cluster::{Cluster, Hold, Hosts, Login, Node, Notify, RawSnippets, SshSettings, Sysctl};
pub use distribution::{DISTRIBUTIONS, Distribution, OsFamily, OsRelease, PackageManager};
pub use drill::DrillName;
pub use duration::parse_duration;
pub use escape::{
    EscapeError, decoded_url_path, keepalived_word, nginx_quoted, nginx_text, nginx_variables,
    sh_quoted, systemd_argument,
};
pub use facts::{NodeFacts, OwnAddress};
pub use file_role::FileRole;
pub use keepalived::KeepalivedFeature;
pub use names::{
    ClusterName, HeaderName, HostPath, InstanceName, InterfaceName, InvalidValue, NodeName,
    RouterId, ServerName, SysctlKey, SysctlValue, UpstreamName, UserName,
};
pub use nginx::{
    Balance, Header, Health, Listen, Location, LocationAction, LogTarget, NginxSettings, Redirect,
    ServerAddress, Site, Stream, Tls, Upstream, UpstreamServer, generation_path,
};
pub use path::{InventoryPath, PathStep};
pub use secret::{MissingSecret, SecretRef, Secrets};
pub use socket::{Socket, Transport};
pub use text::{clipped, harmless, harmless_json, is_harmful};
pub use unit::UnitId;
pub use version::Version;
pub use vrrp::{
    AdvertInterval, Authentication, DownTimerAdverts, Failover, OnNginxFailure, Peering,
    Preemption, Priority, VirtualRoute, VirtualRouterId, VrrpInstance, VrrpSettings, VrrpVersion,
    Weight,
};
