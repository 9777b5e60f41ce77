//! The rules with their checks, one file per family.

pub(in crate::check) mod addresses;
pub(in crate::check) mod course;
pub(in crate::check) mod files;
pub(in crate::check) mod fitness;
pub(in crate::check) mod health;
pub(in crate::check) mod kernel;
pub(in crate::check) mod limits;
pub(in crate::check) mod network;
mod nginx_snippet;
pub(in crate::check) mod password;
pub(in crate::check) mod priority_order;
pub(in crate::check) mod protocol;
pub(in crate::check) mod raw;
pub(in crate::check) mod running;
pub(in crate::check) mod scripts;
pub(in crate::check) mod servers;
pub(in crate::check) mod simulation;
mod snippet;
pub(in crate::check) mod sockets;
pub(in crate::check) mod upstreams;
pub(in crate::check) mod versions;
mod ways;
pub(in crate::check) mod wire;
