//! The services that hactl manages on a node.

use std::fmt;

/// A service that hactl manages, by the name of its program.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct UnitId(&'static str);

impl UnitId {
    /// The web server.
    pub const NGINX: Self = Self("nginx");
    /// VRRP.
    pub const KEEPALIVED: Self = Self("keepalived");
    /// By the name of its package and of systemd's unit.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name, which the host's program and manifests know it by.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// systemd's unit.
    pub fn service(self) -> String {
        format!("{}.service", self.0)
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
