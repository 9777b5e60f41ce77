//! Resolves what an inventory means: follows references, finds conflicts, and chooses defaults that depend on other
//! values. This is pure: it reads no file, clock or environment.

mod cluster;
mod distinct;
mod hosts;
mod listeners;
mod locations;
mod nodes;
mod priority_orders;
mod proxy;
mod sites;
mod sysctls;
mod upstreams;
mod vips;
mod vrrp;

pub(super) use cluster::resolve;
