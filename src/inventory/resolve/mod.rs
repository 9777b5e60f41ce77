//! Resolves what an inventory means: follows references, finds conflicts, and chooses defaults that depend on other
//! values. This is pure: it reads no file, clock or environment.

mod cluster;
mod distinct;
mod hosts;
mod ladders;
mod listeners;
mod locations;
mod nodes;
mod proxy;
mod sites;
mod sysctls;
mod upstreams;
mod vips;
mod vrrp;

pub(super) use cluster::resolve;
