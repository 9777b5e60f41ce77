//! What happened while a lab was made. Data only: showing it is somebody else's job.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::release::Release;
use super::seconds;

/// One of the two cached layers that machines are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageLayer {
    /// Debian with systemd and sshd, and the package repository.
    Base,
    /// nginx and keepalived on top of it.
    Installed,
}

/// Something that happened while a lab was made or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabEvent {
    /// Packages that this machine lacks are about to be installed on it with apt.
    PrerequisitesMissing {
        /// Debian package names.
        packages: Vec<&'static str>,
    },
    /// They have been installed.
    PrerequisitesInstalled {
        /// Debian package names.
        packages: Vec<&'static str>,
        /// How long it took.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
    /// A limit of this machine's kernel was too low for labs, and was raised until its next boot.
    LimitRaised {
        /// The sysctl.
        sysctl: &'static str,
        /// What it was.
        from: u32,
        /// What it is.
        to: u32,
    },
    /// Another process is building the image; this one waits for it.
    ImageAwaited {
        /// Which layer.
        layer: ImageLayer,
        /// Of which release.
        release: Release,
    },
    /// An image layer is not in the cache and is being built. Happens once per machine.
    ImageBuilding {
        /// Which layer.
        layer: ImageLayer,
        /// Of which release.
        release: Release,
        /// Where it will be kept.
        folder: PathBuf,
        /// How long this usually takes, for a progress bar.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        usually: Duration,
    },
    /// One line of what the build says.
    ImageProgress {
        /// Which layer.
        layer: ImageLayer,
        /// The line.
        line: String,
    },
    /// The layer is in the cache.
    ImageBuilt {
        /// Which layer.
        layer: ImageLayer,
        /// How long it took.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
    /// A lab of that name, or one whose owner has died, was removed first.
    LeftoverRemoved {
        /// The removed lab's name.
        name: String,
    },
    /// Switch, controller and backend networks exist.
    NetworkMade,
    /// A machine was started.
    NodeStarted {
        /// The node.
        node: String,
        /// How many nodes the lab has.
        nodes: u8,
    },
    /// A machine has finished booting and its SSH server answers.
    NodeReady {
        /// The node.
        node: String,
        /// How many nodes the lab has.
        nodes: u8,
        /// Since it was started.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
    /// The backends answer.
    BackendsReady {
        /// How many there are.
        count: usize,
    },
    /// The lab is up.
    LabReady {
        /// The lab's name.
        name: String,
        /// Since `up` was called.
        #[serde(serialize_with = "seconds::serialize")]
        #[schemars(with = "f64")]
        took: Duration,
    },
}
