//! Health of a cluster: who owns each VIP, and what keeps a node from serving or taking over.
//!
//! Pure: observations in, typed results out. `apply` proves a change with it, `status` reports it, and a drill starts
//! and ends with it, so that all of them mean the same by "healthy".

mod client;
#[cfg(test)]
mod client_tests;
mod excuse;
mod fault;
mod find;
mod outside;
#[cfg(test)]
mod outside_tests;
mod owners;
mod problem;
#[cfg(test)]
mod tests;

pub use client::{Served, split_doubtful};
pub use excuse::{known_problems, known_problems_beside};
pub use fault::FaultCause;
pub use find::{masters_together, ownership, problems, unusable};
pub use outside::{MustAnswer, disagreements, doors, reach_question};
pub use owners::{VipOwners, owners};
pub use problem::{Problem, UnusableScript};
