//! What an inventory means: references followed, conflicts found, and the defaults chosen that
//! depend on other values. Pure: it reads no file, no clock and no environment.

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
