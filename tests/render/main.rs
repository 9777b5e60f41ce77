//! Rendering: its guarantees, golden cases, and every variant checked by the real daemons.
//!
//! The latter need Linux and root. Without them these tests are skipped, or with `CI=true` fail.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say why they were skipped"
)]

mod cases;
mod cluster;
mod daemons;
mod golden;
mod hostile;
mod keepalived_options;
#[path = "../support/lab.rs"]
mod lab;
mod nginx_options;
mod page;
mod pairwise;
mod promises;
mod real;
mod scripts;
mod syntax;
mod units;
mod variants;
