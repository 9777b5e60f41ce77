//! A local cluster of real machines to rehearse on.
//!
//! A lab is a few Debian machines, each with its own systemd, sshd, network and disk, behind a
//! switch that belongs to the lab, next to a segment with real backends, and a controller that
//! reaches them over SSH. Machines are `systemd-nspawn` containers on an overlay of a cached image,
//! so that three of them are up in about a second.
//!
//! Everything that a lab makes can be found again from its name alone: processes by the lab's
//! control group and network namespaces, mounts and files by its folder. That is why
//! [`Lab::down`] leaves nothing behind even if what started the lab was killed halfway.
//!
//! The module does not know what an inventory means (it only writes a first one), what hactl does
//! to a machine, or how anything is shown: progress is reported as [`LabEvent`]s.

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
