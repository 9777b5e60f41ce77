//! The few calls that only Linux has. Elsewhere hactl builds and runs, but has no labs.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{abstract_socket, detach_mount, enter_netns, mount_overlay};
#[cfg(target_os = "linux")]
pub(super) use linux::{abstract_socket, detach_mount, enter_netns, mount_overlay};
