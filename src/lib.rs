//! `hactl` provisions and runs high-availability Keepalived + Nginx clusters.
//!
//! One inventory of hosts and a virtual IP becomes configuration files, pushed over SSH, validated
//! on the hosts, activated with proof and undone when the proof fails. `docs/architecture.md` tells
//! which module does what and which may import which; `tests/architecture.rs` enforces it.

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
