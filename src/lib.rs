//! `hactl` provisions and runs high-availability Keepalived + Nginx clusters.
//!
//! One inventory of hosts and a virtual IP becomes configuration files, which are pushed over SSH,
//! validated on the hosts, activated with proof, and rolled back if the proof fails.
//! `docs/architecture.md` describes the modules and their allowed imports;
//! `tests/architecture/main.rs` enforces the latter.

pub mod agent;
pub mod apply;
pub mod check;
pub mod cli;
pub mod conf;
pub mod drill;
pub mod health;
pub mod inventory;
pub mod lab;
pub mod model;
pub mod ops;
pub mod plan;
pub mod remote;
pub mod render;
pub mod report;
pub mod units;
pub mod view;
