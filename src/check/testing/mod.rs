//! Shared by this module's tests: a sample cluster, cases for every rule, and a simulation of packets.

mod brute_force;
mod case;
mod hosts;
mod keepalived_cases;
mod nginx_cases;
mod preflight_cases;
mod running_cases;
mod sample;

pub(super) use brute_force::Wire;
pub(super) use case::{Case, cases};
pub(super) use sample::{cluster, sample, weight};
