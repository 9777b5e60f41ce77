//! Progress of starting and removing a lab, as data. Formatting it belongs to `view`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::release::Release;
use super::seconds;

/// One of the cached image layers that machines boot from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageLayer {
    /// Debian with systemd, sshd and the package repository.
    Base,
    /// What turns Debian into another family: its package manager, paths and packages.
    Family,
    /// nginx and keepalived.
    Installed,
}

/// A step in starting or removing a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabEvent {
    /// Packages that this host lacks are about to be installed with apt.
    PrerequisitesMissing {
        /// Debian package names.
        packages: Vec<&'static str>,
    },
    /// The missing packages were installed.
    PrerequisitesInstalled {
        /// Debian package names.
        packages: Vec<&'static str>,
        /// How long it took.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
    /// A kernel limit of this host was too low for labs, and was raised until the next reboot.
    LimitRaised {
        /// The sysctl.
        sysctl: &'static str,
        /// The previous value.
        from: u32,
        /// The new value.
        to: u32,
    },
    /// Another process is building this image layer, and this one waits for it.
    ImageAwaited {
        /// The layer.
        layer: ImageLayer,
        /// The Debian release of the layer.
        release: Release,
    },
    /// An image layer is missing from the cache and is being built. Happens once per host.
    ImageBuilding {
        /// The layer.
        layer: ImageLayer,
        /// The Debian release of the layer.
        release: Release,
        /// Its place in the cache.
        folder: PathBuf,
        /// How long a build usually takes, for a progress bar.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        usually: Duration,
    },
    /// One line of the build's output.
    ImageProgress {
        /// The layer.
        layer: ImageLayer,
        /// The line.
        line: String,
    },
    /// The layer is in the cache.
    ImageBuilt {
        /// The layer.
        layer: ImageLayer,
        /// How long it took.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
    /// A lab that had to go first was removed: one left over under the same name, or one whose
    /// owner has exited.
    LeftoverRemoved {
        /// The removed lab's name.
        name: String,
    },
    /// The switch and the networks of controller and backends exist.
    NetworkMade,
    /// A machine was started.
    NodeStarted {
        /// The node.
        node: String,
        /// The number of nodes in the lab.
        nodes: u8,
    },
    /// A machine has finished booting and sshd answers.
    NodeReady {
        /// The node.
        node: String,
        /// The number of nodes in the lab.
        nodes: u8,
        /// Time since the machine was started.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
    /// The backends accept connections.
    BackendsReady {
        /// The number of backends.
        count: usize,
    },
    /// The lab is ready for use.
    LabReady {
        /// The lab's name.
        name: String,
        /// Time since `up` was called.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
}
