//! What the tests of this module share: a sample cluster and the cases of every rule.

mod brute_force;
mod cases;
mod sample;

pub(super) use brute_force::Wire;
pub(super) use cases::{CASES, Case};
pub(super) use sample::{cluster, sample, weight};
