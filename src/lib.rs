//! `hactl` provisions and runs high-availability Keepalived + Nginx clusters.
//!
//! One inventory of hosts and a virtual IP becomes configuration files, pushed over SSH, validated
//! on the hosts, activated with proof and undone when the proof fails. `docs/architecture.md` tells
//! which module does what and which may import which; `tests/architecture.rs` enforces it.

pub mod lab;
