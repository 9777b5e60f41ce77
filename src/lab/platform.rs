//! The few Linux-only calls. On other systems hactl builds and runs, but without labs.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{abstract_socket, detach_mount, enter_netns, mount_overlay};
#[cfg(target_os = "linux")]
pub(super) use linux::{abstract_socket, detach_mount, enter_netns, mount_overlay};
