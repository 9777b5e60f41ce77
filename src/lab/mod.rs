//! A local cluster of real machines to rehearse on.
//!
//! A lab is a few Debian machines, each with its own systemd, sshd, network and disk, behind a
//! virtual switch, plus a second segment with real backends, and a controller that reaches the
//! machines over SSH. Machines are `systemd-nspawn` containers on overlays of a cached image, so
//! three of them boot in about a second.
//!
//! Everything that a lab creates can be found from its name alone: processes by control group and
//! network namespace, mounts and files by folder. That is how [`Lab::down`] leaves nothing behind
//! even if the process that started the lab was killed halfway.
//!
//! This module does not interpret inventories (it only writes the first one), does not know what
//! hactl does to a machine, and prints nothing: progress is reported as [`LabEvent`]s.

mod addressing;
mod backend;
mod cgroup;
mod controller;
mod error;
mod event;
mod fault;
mod image;
mod inventory_text;
mod lifecycle;
mod machine;
mod mounts;
mod names;
mod netns;
mod network;
mod platform;
mod prerequisites;
mod processes;
mod record;
mod release;
mod seconds;
mod spec;
mod ssh;
mod status;
mod teardown;
mod tool;

pub use addressing::{BACKEND_PORT, CONTROLLER_ADDRESS, VIP_ADDRESS, VIP6_ADDRESS};
pub use error::{LabError, ToolError};
pub use event::{ImageLayer, LabEvent};
pub use lifecycle::Lab;
pub use names::LabHome;
pub use release::{Release, UnknownRelease};
pub use spec::{Image, LabSpec, Login, Owner};
pub use status::{BackendStatus, LabStatus, NodeState, NodeStatus};
