//! The rules that this module checks, one file per family.

pub(in crate::check) mod addresses;
pub(in crate::check) mod health;
pub(in crate::check) mod kernel;
pub(in crate::check) mod ladder;
mod nginx_snippet;
pub(in crate::check) mod password;
pub(in crate::check) mod protocol;
pub(in crate::check) mod raw;
pub(in crate::check) mod simulation;
mod snippet;
pub(in crate::check) mod sockets;
pub(in crate::check) mod upstreams;
pub(in crate::check) mod versions;
