//! Parses the daemons' configuration files, whoever wrote them: one reader for keepalived's language and one for
//! nginx's, each by the daemon's own rules, with typed values on top.
//!
//! Any text is read to its end and never rejected, in time proportional to its length. Whether a daemon would accept
//! it is up to the daemon's own test. Nothing here knows about the inventory, or where a text comes from.

mod files;
pub mod keepalived;
pub mod nginx;
#[cfg(test)]
mod rendered_tests;

pub use files::{File, Files};
