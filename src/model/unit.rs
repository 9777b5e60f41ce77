//! The services that hactl manages on a node.

use std::fmt;

/// A service that hactl manages, identified by its program's name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct UnitId(&'static str);

impl UnitId {
    pub const NGINX: Self = Self("nginx");
    pub const KEEPALIVED: Self = Self("keepalived");
    /// A unit whose package and systemd unit are both called `name`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name that the host's program and manifests use.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The systemd unit.
    pub fn service(self) -> String {
        format!("{}.service", self.0)
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
